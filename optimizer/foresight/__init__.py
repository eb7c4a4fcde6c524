"""Foresee what goes wrong: surges, bottlenecks, exhaustion and failures, with probabilities.

``optimizer.foresight.foresee.foresee`` is the way in; ``docs/foresight.md`` tells how it works and
how well.
"""
