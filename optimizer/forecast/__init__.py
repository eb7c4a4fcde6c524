"""Foresee demand: what every service will be asked for, hour by hour, with quantiles.

``optimizer.forecast.demand.forecast`` is the way in; ``docs/forecasting.md`` tells how it works
and how well.
"""
