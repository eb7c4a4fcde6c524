"""See what strays: every value of a signal against all that the signal remembers of itself.

``optimizer.anomalies.stream.Detector`` takes values one by one, ``optimizer.anomalies.detect`` many
signals at once; ``docs/anomalies.md`` tells how it works and how well.
"""
