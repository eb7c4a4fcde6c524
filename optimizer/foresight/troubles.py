"""Predictions that services fail, instances restart again, and spot capacity goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import numpy as np

from models.foreseen import Anomaly, Kind, Prediction
from models.offerings import MONTHLY_INTERRUPTION, Purchase
from models.signals import SignalKey, Signals
from models.world import World
from optimizer.foresight.exhaustion import passage
from optimizer.foresight.failing import failing
from optimizer.foresight.failures import (
    FAILS_AT,
    RECENT_HOURS,
    USUAL_DAYS,
    rate_change,
    reclaimed,
    restarts_again,
)
from optimizer.foresight.saying import Moment, growth_in_words, percent_a_day, said

CHANCE: Final = 1e-3
"""Errors have become more when chance alone would do as much this rarely."""

RESTART_HORIZON: Final = timedelta(days=1)
"""Bursts of restarts do not tell of what is farther ahead."""

HOUR_S: Final = 3600.0
_LEAST_SHARE: Final = 1e-6
_RESTARTED: Final = 2.0


def failures(
    world: World, signals: Signals, moment: Moment, anomalies: Sequence[Anomaly]
) -> tuple[Prediction, ...]:
    """One prediction for every service of which anything speaks for a failure."""
    parts = (*signs(signals, moment), *_spot(world, moment))
    return failing(parts, signals, moment, anomalies)


def signs(signals: Signals, moment: Moment) -> tuple[Prediction, ...]:
    """Errors that become more and instances that restart, each by itself."""
    return (*_errors(signals, moment), *_restarts(signals, moment))


def _errors(signals: Signals, moment: Moment) -> list[Prediction]:
    """Services whose share of failed requests grows towards ``FAILS_AT``."""
    found = []
    for key in signals.keys:
        asked = SignalKey("requests_rps", key.service, key.origin, key.instance, key.callee)
        if key.signal != "errors_rps" or asked not in signals:
            continue
        kept = USUAL_DAYS * moment.day_steps
        errors, requests = (signals.of(k)[-kept:] * signals.step_s for k in (key, asked))
        change = rate_change(errors, requests, round(RECENT_HOURS * HOUR_S / signals.step_s))
        if change is None or change.p_value > CHANCE or change.recent <= change.usual:
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(requests > 0, errors / requests, np.nan)
        logs = np.log(np.maximum(share, _LEAST_SHARE)) / -np.log(_LEAST_SHARE)
        limit = np.array([np.log(FAILS_AT) / -np.log(_LEAST_SHARE)])
        ahead = passage(
            logs[None], moment.day_steps, moment.week_step, moment.horizon_steps, limit,
            empties=False,
        )  # fmt: skip
        blocks = moment.day_steps / ahead.block
        unit = -np.log(_LEAST_SHARE)
        per_day = float(np.expm1(ahead.growth.rate[0] * blocks * unit))
        evidence = (
            f"{100 * change.recent:.2g} % of requests failed in the last {RECENT_HOURS:g} hours",
            f"{100 * change.usual:.2g} % did before; chance alone: {change.p_value:.1g}",
            growth_in_words(ahead, 0, moment, percent_a_day(per_day)),
        )
        what = f"errors above {100 * FAILS_AT:g} % of requests"
        where = key.instance or (key.callee and f"calls to {key.callee}") or key.origin
        found.append(
            said(Kind.FAILURE, key.service, f"{what} ({where})" if where else what, moment, ahead,
                 0, evidence)
        )  # fmt: skip
    return found


def _restarts(signals: Signals, moment: Moment) -> list[Prediction]:
    """Instances that restarted at least ``_RESTARTED`` times in the last two days."""
    rows = [i for i, key in enumerate(signals.keys) if key.signal == "restarts_per_hour"]
    if not rows:
        return []
    hours = signals.step_s / HOUR_S
    counts = signals.values[rows][:, -USUAL_DAYS * moment.day_steps :] * hours
    observed = (~np.isnan(counts)).sum() * hours
    pooled = float(np.nansum(counts)) / max(float(observed), 1.0)
    horizon = min(moment.horizon, RESTART_HORIZON)
    ahead_hours = horizon.total_seconds() / HOUR_S
    chances = restarts_again(counts, hours, ahead_hours)
    found = []
    for row, chance, own in zip(rows, chances.tolist(), counts, strict=True):
        lately = float(np.nansum(own[-2 * moment.day_steps :]))
        if lately < _RESTARTED:
            continue
        key = signals.keys[row]
        # As the chance were one of an even rate.
        rate = -np.log1p(-min(chance, 1 - 1e-9)) / ahead_hours
        first, middle = (-np.log1p(-share * chance) / rate for share in (0.1, 0.5))
        found.append(
            Prediction(
                Kind.FAILURE, key.service, f"restart of {key.instance or 'an instance'}",
                moment.made_at, moment.made_at + timedelta(hours=first),
                moment.made_at + timedelta(hours=middle), chance,
                (f"{lately:.0f} restarts in the last two days",
                 f"instances restart {24 * pooled:.2g} times a day in the mean"),
            )
        )  # fmt: skip
    return found


def _spot(world: World, moment: Moment) -> list[Prediction]:
    """Services that lose a pool of spot capacity, as the monthly chances of the book have it."""
    book = world.book.offerings
    if MONTHLY_INTERRUPTION not in book:
        return []
    hours = moment.horizon.total_seconds() / HOUR_S
    by_service: dict[str, dict[str, tuple[float, int]]] = {}
    keys = ["cloud", "region", "instance_type", "purchase"]
    told = book.set_index([book[key].astype(str) for key in keys])
    for group in world.fleet.groups:
        at = (*group.place.split("/", 1), group.instance_type, group.purchase.value)
        if group.purchase is not Purchase.SPOT or at not in told.index:
            continue
        row = told.loc[[at]].iloc[0]
        chance = float(row[MONTHLY_INTERRUPTION])
        if np.isnan(chance):
            continue
        pools = by_service.setdefault(group.service, {})
        pool = f"{group.place}:{row['family']}"
        former, count = pools.get(pool, (0.0, 0))
        pools[pool] = (max(former, chance), count + group.count)
    found = []
    for service, pools in sorted(by_service.items()):
        chances = np.array([chance for chance, _ in pools.values()])
        chance = reclaimed(chances, 0, hours)
        if chance <= 0:
            continue
        rate = -np.log1p(-min(chance, 1 - 1e-9)) / hours
        first, middle = (-np.log1p(-share * chance) / rate for share in (0.1, 0.5))
        instances = sum(count for _, count in pools.values())
        evidence = (
            f"{instances} spot instances in {len(pools)} pools: {', '.join(sorted(pools))}",
            f"two pools or more with a chance of {100 * reclaimed(chances, 1, hours):.2g} %",
        )
        found.append(
            Prediction(
                Kind.FAILURE, service, "a spot pool is reclaimed", moment.made_at,
                moment.made_at + timedelta(hours=first), moment.made_at + timedelta(hours=middle),
                chance, evidence,
            )
        )  # fmt: skip
    return found
