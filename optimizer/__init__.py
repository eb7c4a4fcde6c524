"""The verbs: gather, forecast, formulate, solve, explain, report; and the command line."""
