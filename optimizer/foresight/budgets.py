"""Predictions that budgets of a world run out within the horizon."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.foreseen import Kind, Prediction
from models.rules import BudgetRule
from models.signals import SignalKey, Signals
from models.world import World
from optimizer.foresight.saying import Moment, so_since
from optimizer.foresight.spending import overspending
from optimizer.todays_fleet import TodaysFleet

DAY: Final = 24


def budget_exhaustions(world: World, services: Signals, moment: Moment) -> tuple[Prediction, ...]:
    """One prediction for every budget of everything, or of a team.

    Spending is that of today's fleet at its prices, in proportion to the replicas of each service
    that ran; without measured replicas, nothing is said. Egress and contracts are not in it, and
    budgets of single clouds are not looked at: replicas are not told by cloud.
    """
    rules = [r for r in world.rules if isinstance(r, BudgetRule) and r.cloud is None]
    if not rules:
        return ()
    usd = _usd_per_hour(world, services)
    ends = moment.made_at.replace(hour=0, minute=0, second=0, microsecond=0)
    after = (moment.made_at - ends) // timedelta(hours=1)
    found = []
    for rule in rules:
        own = [
            s for s, service in enumerate(world.services)
            if rule.team is None or service.team == rule.team
        ]  # fmt: skip
        hourly = usd[own].sum(axis=0)
        hourly = hourly[: hourly.size - after]
        days = hourly[hourly.size % DAY :].reshape(-1, DAY).sum(axis=1)
        seen = overspending(days, ends, rule.usd_per_month)
        if seen is None:
            continue
        within = seen.expected_at <= moment.made_at + moment.horizon
        evidence = (
            f"{seen.so_far_usd:,.0f} of {rule.usd_per_month:,.0f} USD are spent this month",
            f"{seen.expected_usd:,.0f} USD are expected by its end",
        )
        one = Prediction(
            Kind.EXHAUSTION, rule.team or world.name, f"budget {rule.name}", moment.made_at,
            max(seen.earliest_at, moment.made_at), max(seen.expected_at, moment.made_at),
            seen.probability if within else 0.0, evidence,
        )  # fmt: skip
        found.append(one if seen.spent_at is None else so_since(one, seen.spent_at))
    return tuple(found)


def _usd_per_hour(world: World, services: Signals) -> NDArray[np.float64]:
    """[service, hour]; NaN where replicas were not measured, 0 for what does not run today."""
    fleet = TodaysFleet(world)
    prices = fleet.offered["price_usd_per_hour"].to_numpy(np.float64)
    today = np.bincount(fleet.service, prices * fleet.count, minlength=len(world.services))
    usd = np.zeros((len(world.services), services.steps))
    for s, service in enumerate(world.services):
        if today[s] <= 0:
            continue
        key = SignalKey("replicas", service.name)
        ran = services.of(key) if key in services else np.full(services.steps, np.nan)
        known = ran[~np.isnan(ran)]
        usd[s] = today[s] * ran / known[-1] if known.size and known[-1] > 0 else np.nan
    return usd
