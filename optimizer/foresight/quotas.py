"""Predictions that quotas of clouds run out, from what snapshots said of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from models.foreseen import Kind, Prediction
from models.inventory import Quota
from optimizer.foresight.exhaustion import passage
from optimizer.foresight.saying import Moment, growth_in_words, said

DAY: Final = timedelta(days=1)


def quota_exhaustions(
    readings: Sequence[tuple[datetime, Quota]], moment: Moment
) -> tuple[Prediction, ...]:
    """One prediction for every quota whose use is known, by days: the last reading of each counts.

    Use is compared with the newest limit. Quotas without a limit above zero are left out.
    """
    by_quota: dict[tuple[str, str, str, str], dict[int, tuple[datetime, Quota]]] = {}
    for taken_at, quota in readings:
        if quota.used is None or not quota.limit > 0 or taken_at > moment.made_at:
            continue
        key = (quota.account, quota.place, quota.name, str(quota.purchase or ""))
        ago = (moment.made_at - taken_at) // DAY
        days = by_quota.setdefault(key, {})
        if ago not in days or days[ago][0] <= taken_at:
            days[ago] = (taken_at, quota)
    daily = Moment(moment.made_at, 86400, moment.horizon)
    found = []
    for key, days in sorted(by_quota.items()):
        newest = days[min(days)][1]
        used = np.full((1, max(days) + 1), np.nan)
        for ago, (_, quota) in days.items():
            used[0, -1 - ago] = (quota.used or 0.0) / newest.limit
        ahead = passage(used, 1, moment.made_at.weekday(), daily.horizon_steps)
        account, place, name, _ = key
        rate = f"{float(ahead.growth.rate[0]) * newest.limit:.3g} {newest.unit.value}"
        evidence = (
            f"{newest.used or 0:g} of {newest.limit:g} {newest.unit.value} are used",
            growth_in_words(ahead, 0, daily, rate),
        )
        found.append(
            said(Kind.EXHAUSTION, f"{place} ({account})" if account else place, f"quota {name}",
                 daily, ahead, 0, evidence)
        )  # fmt: skip
    return tuple(found)
