"""The few figures that a reader of a plan wants first."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

from models.placement import Bill, Placement, ShadowTerm
from models.plan import Plan
from models.risk import cvar
from optimizer.output.money import saved_share, usd_per_month

HOURS_PER_DAY = 24


@dataclass(frozen=True, slots=True)
class Headline:
    """What is paid per month today and under the plan.

    ``today_usd_per_month`` is None when nothing runs today; it is a lower bound when
    ``unpriced_groups`` > 0. ``saved`` is the share of today's cost, negative when the plan costs
    more, and None without a cost to compare with.
    """

    today_usd_per_month: Decimal | None
    plan_usd_per_month: Decimal
    unpriced_groups: int

    @property
    def saving_usd_per_month(self) -> Decimal | None:
        if self.today_usd_per_month is None:
            return None
        return self.today_usd_per_month - self.plan_usd_per_month

    @property
    def saved(self) -> float | None:
        if self.today_usd_per_month is None:
            return None
        return saved_share(self.today_usd_per_month, self.plan_usd_per_month)


def headline(plan: Plan) -> Headline:
    """Before and after, per month."""
    runs = bool(plan.world.fleet.groups)
    today = plan.today.bill
    return Headline(
        usd_per_month(today.total_usd, today.hours) if runs else None,
        usd_per_month(plan.placement.bill.total_usd, plan.placement.hours),
        len(plan.today.unpriced),
    )


def monthly(bill: Bill, field: str) -> dict[str, Decimal]:
    """USD per month by a field of the bill's lines, dearest first."""
    return {key: usd_per_month(usd, bill.hours) for key, usd in bill.by(field).items()}


def shadow_per_month(bill: Bill) -> dict[ShadowTerm, tuple[Decimal, Decimal]]:
    """Quantity and USD per month of every shadow cost that the bill has."""
    per_month: dict[ShadowTerm, tuple[Decimal, Decimal]] = {}
    for term in ShadowTerm:
        if any(line.term is term for line in bill.shadow):
            quantity, usd = bill.shadow_of(term)
            per_month[term] = usd_per_month(quantity, bill.hours), usd_per_month(usd, bill.hours)
    return per_month


def cvar_usd(plan: Plan) -> float | None:
    """Mean of the dearest share of what scenarios count, over the horizon; None: nobody asked."""
    policy = plan.world.policy
    if policy.cvar is None or not plan.placement.scenarios:
        return None
    outcomes = [(one.probability, float(one.counted_usd)) for one in plan.placement.scenarios]
    return cvar(outcomes, policy.cvar.level)


def peak_instances(placement: Placement, by: str) -> dict[str, int]:
    """Most instances at once, by a column of the counts."""
    per_hour = placement.counts.groupby([by, "period"], observed=True)["count"].sum()
    peaks = per_hour.groupby(level=0, observed=True).max()
    return {str(key): int(peak) for key, peak in peaks.items()}


def whole_peak(placement: Placement) -> int:
    """Most instances at once, of all services together."""
    per_hour = placement.counts.groupby("period")["count"].sum()
    return int(per_hour.max()) if len(per_hour) else 0


def starts_per_day(placement: Placement) -> dict[str, float]:
    """Instances that start after the plan's first hour, per 24 hours, by service."""
    keys = ["service", "cloud", "region", "instance_type", "purchase"]
    counts = placement.counts
    number = counts.groupby(keys, observed=True, sort=False).ngroup().to_numpy(np.int64)
    per_hour = np.zeros((int(number.max(initial=-1)) + 1, placement.hours), np.int64)
    np.add.at(
        per_hour,
        (number, counts["period"].to_numpy(np.int64)),
        counts["count"].to_numpy(np.int64),
    )
    started = np.maximum(np.diff(per_hour, axis=1), 0).sum(axis=1)
    firsts = np.unique(number, return_index=True)[1]
    per_day: dict[str, float] = {}
    for service, count in zip(
        counts["service"].iloc[firsts].astype(str), started.tolist(), strict=True
    ):
        per_day[service] = per_day.get(service, 0.0) + count * HOURS_PER_DAY / placement.hours
    return per_day


def places_of_services(placement: Placement) -> dict[str, tuple[str, ...]]:
    """Places where each service runs at some hour, sorted."""
    open_in = placement.counts[["service", "cloud", "region"]].drop_duplicates()
    places = open_in["cloud"].astype(str) + "/" + open_in["region"].astype(str)
    grouped = places.groupby(open_in["service"].astype(str)).agg(sorted)
    return {str(service): tuple(names) for service, names in grouped.items()}


def capacity_by_service(plan: Plan) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Capacity of the plan, rps, shape [service, period], services in the world's order."""
    counts = plan.placement.counts
    names = pd.Index([service.name for service in plan.world.services])
    capacity = np.zeros((len(names), plan.placement.hours))
    rows = names.get_indexer(pd.Index(counts["service"].astype(str)))
    periods = counts["period"].to_numpy(np.int64)
    np.add.at(capacity, (rows, periods), counts["capacity_rps"].to_numpy(np.float64))
    return capacity
