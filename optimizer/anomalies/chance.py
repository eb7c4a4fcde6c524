"""Of many anomalies, those that chance alone would not bring."""

from __future__ import annotations

from collections.abc import Iterable

from models.foreseen import Anomaly


def beyond_chance(anomalies: Iterable[Anomaly], values: int) -> tuple[Anomaly, ...]:
    """Those so rare that among ``values`` ordinary values less than one is expected to be.

    An anomaly's score is the chance that an ordinary value is less rare, so that ``values`` times
    its complement are expected to be as rare (Bonferroni's bound on the expected number of errors).
    Whoever looks at ten times as many signals is not told of ten times as many anomalies.
    """
    return tuple(one for one in anomalies if values * (1.0 - one.score) < 1.0)
