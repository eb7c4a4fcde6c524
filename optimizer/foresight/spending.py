"""When a budget runs out: spending of the month so far, and what is to come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfinv

Values = NDArray[np.float64]

LEAST_DAYS: Final = 9
WEEK: Final = 7
_LEAST_SPREAD: Final = 0.01


@dataclass(frozen=True, slots=True)
class Overspending:
    """``probability`` that the month costs more than the budget; when it runs out then, the
    earliest with nine chances in ten and the most likely; ``expected_usd`` of the whole month and
    ``so_far_usd``. ``spent_at``: when the budget was used up; None where something is left.
    """

    probability: float
    earliest_at: datetime
    expected_at: datetime
    expected_usd: float
    so_far_usd: float
    spent_at: datetime | None = None


def overspending(spent_usd: Values, ends: datetime, budget_usd: float) -> Overspending | None:
    """``spent_usd`` [day] of whole days, the last of which ends at ``ends`` (UTC midnight).

    The rest of the month is the mean day of the last week, by its day of the week, times a factor
    whose spread is that of the same forecast made on earlier days: what came over what was said,
    for as many days. Days that were not observed are unknown; None where ``LEAST_DAYS`` are not
    known, or a day of this month is not.
    """
    start = ends.replace(day=1)
    if start == ends:
        start = (ends - timedelta(days=1)).replace(day=1)
    following = (start + timedelta(days=32)).replace(day=1)
    gone, left = (ends - start).days, (following - ends).days
    known = ~np.isnan(spent_usd)
    if known.sum() < LEAST_DAYS or not known[-WEEK:].all() or not known[-gone:].all():
        return None
    if gone > spent_usd.size:
        return None
    so_far = float(spent_usd[-gone:].sum())
    ahead = np.tile(spent_usd[-WEEK:], left // WEEK + 1)[:left]
    factors = _factors(spent_usd, max(left, 1))
    totals = so_far + ahead.sum() * factors
    paths = so_far + np.cumsum(ahead)[:, None] * factors if left else np.full((1, 1), so_far)
    over = totals > budget_usd
    if so_far > budget_usd:
        since = start + timedelta(
            days=int((np.cumsum(spent_usd[-gone:]) > budget_usd).argmax()) + 1
        )
        return Overspending(1.0, ends, ends, float(np.median(totals)), so_far, since)
    days = np.where(over, (paths > budget_usd).argmax(axis=0) + 1, left)
    crossing = np.sort(days[over]) if over.any() else np.array([left])
    probability = (float(over.sum()) + 0.5) / (over.size + 1.0)
    return Overspending(
        probability,
        ends + timedelta(days=int(crossing[int(0.1 * crossing.size)]) - 1),
        ends + timedelta(days=int(crossing[crossing.size // 2])),
        float(np.median(totals)),
        so_far,
    )


def _factors(spent_usd: Values, left: int) -> Values:
    """What came over what was said of it, for all days on which a forecast could be made.

    Where the record is short of whole stretches of ``left`` days, shorter ones stand in, and stray
    more as the square root of the days that are missing. Spread evenly over what would be normal,
    so that rare outcomes are not left out.
    """
    span = min(left, max(spent_usd.size - WEEK - 1, 1))
    logs = []
    for end in range(WEEK, spent_usd.size - span + 1):
        said = np.tile(spent_usd[end - WEEK : end], span // WEEK + 1)[:span].sum()
        came = spent_usd[end : end + span].sum()
        if np.isfinite(said) and np.isfinite(came) and said > 0 and came > 0:
            logs.append(np.log(came / said))
    stray = np.array(logs) if logs else np.zeros(1)
    growth = left / span
    centre = float(np.median(stray)) * growth
    spread = max(float(stray.std()) * growth**0.5, _LEAST_SPREAD)
    normal = np.sqrt(2.0) * erfinv(np.linspace(-0.995, 0.995, 399))
    factors: Values = np.exp(centre + spread * normal)
    return factors
