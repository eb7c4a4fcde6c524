"""Play policies that set a number of replicas against demand as it was."""
