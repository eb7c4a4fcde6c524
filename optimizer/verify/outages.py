"""Whether enough is left when as many pools of spot capacity go at once as a rule foresees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from models.interruptions import chance_of_outage, per_month_of, pools_at_once
from models.offerings import MONTHLY_INTERRUPTION, Purchase
from models.rules import SpotRiskRule
from optimizer.verify.case import TOLERANCE, Bools, Case, Floats, Ints
from optimizer.verify.findings import Violation
from optimizer.verify.givens import eligible, hours_of

Pool = tuple[int, str]
"""A region's number and a family of instance types: what is interrupted together."""


def check_spot_risk(rule: SpotRiskRule, case: Case, s: int, allowed: Bools) -> Iterator[Violation]:
    """``allowed`` [origin, region] is where the service's traffic may lawfully go.

    After the loss of any Γ pools what is left can be rerouted exactly when for every set of
    origins the places that some of them may use keep enough, and the worst loss for a set is that
    of the Γ largest pools in those places.
    """
    service = case.world.services[s]
    at_once = pools_at_once(_chances(rule, case, s, allowed), rule.chance_at_most)
    if at_once == 0:
        return
    held = _Held(case, s)
    rate = service.replica.throughput_rps
    short = np.zeros(case.hours)
    for origins in _sets(allowed, case.asks[s]):
        reach = np.logical_or.reduce(allowed[origins], axis=0)
        asked = rule.share * case.demand.total_rps[s][origins].sum(axis=0)
        left = held.without_largest(at_once, reach) * rate
        short = np.maximum(short, asked - left - TOLERANCE * (1.0 + asked))
    if (short > 0).any():
        yield Violation(
            rule.name,
            rule.in_words,
            rule.at,
            f"{service.name} keeps too little when its {at_once} largest pools of spot are gone",
            service.name,
            hours=hours_of(short[None] > 0),
            by=float(short.max()),
            unit="rps",
        )


def _chances(rule: SpotRiskRule, case: Case, s: int, allowed: Bools) -> Floats:
    """The chance of every pool that the service could use, used or not, to be gone in an hour."""
    book = case.world.book.offerings
    useful = allowed[case.asks[s]].any(axis=0)
    spot = (book["purchase"].astype(str) == Purchase.SPOT.value).to_numpy()
    rows = np.flatnonzero(eligible(case, case.world.services[s]) & spot)
    places = (book["cloud"].astype(str) + "/" + book["region"].astype(str)).to_numpy()[rows]
    families = book["family"].astype(str).to_numpy()[rows]
    told = np.full(len(rows), np.nan)
    if MONTHLY_INTERRUPTION in book:
        told = book[MONTHLY_INTERRUPTION].to_numpy(np.float64)[rows]
    known: dict[Pool, float | None] = {}
    for place, family, monthly in zip(places, families, told.tolist(), strict=True):
        pool = case.places[place], family
        if useful[pool[0]]:
            seen = known.setdefault(pool, None)
            if not np.isnan(monthly):
                known[pool] = monthly if seen is None else max(seen, monthly)
    return np.array(
        [
            chance_of_outage(
                rule.per_month(
                    case.world.regions[r], family, None if worst is None else per_month_of(worst)
                ),
                rule.outage_hours,
            )
            for (r, family), worst in sorted(known.items())
        ]
    )


def _sets(allowed: Bools, asks: Bools) -> Iterator[Ints]:
    """Sets of origins; those that may use the same places stand or fall together."""
    kinds: dict[bytes, list[int]] = {}
    for g in np.flatnonzero(asks).tolist():
        kinds.setdefault(allowed[g].tobytes(), []).append(g)
    groups = list(kinds.values())
    for size in range(1, len(groups) + 1):
        for chosen in combinations(groups, size):
            yield np.array([g for group in chosen for g in group], np.int64)


@dataclass(frozen=True, eq=False)
class _Pools:
    region: Ints
    replicas: Ints  # [pool, hour]


class _Held:
    """Replicas of a service: all of them by region, and those in pools of spot."""

    def __init__(self, case: Case, s: int) -> None:
        self.all = case.replicas(s)
        own = case.groups.of(s)
        own = own[case.groups.spot[own]]
        book = case.world.book.offerings
        families = book["family"].astype(str).to_numpy()[case.groups.offering[own]].tolist()
        regions = case.groups.region[own].tolist()
        pools = sorted(set(zip(regions, families, strict=True)))
        number = {pool: i for i, pool in enumerate(pools)}
        rows = [number[pool] for pool in zip(regions, families, strict=True)]
        replicas = np.zeros((len(pools), case.hours), np.int64)
        np.add.at(replicas, rows, case.groups.count[own] * case.groups.replicas[own, None])
        self.pools = _Pools(np.array([r for r, _ in pools], np.int64), replicas)

    def without_largest(self, at_once: int, reach: Bools) -> Ints:
        """[hour]: what stands in ``reach`` after the loss of its largest pools there."""
        inside = np.sort(self.pools.replicas[reach[self.pools.region]], axis=0)
        lost = inside[max(0, len(inside) - at_once) :].sum(axis=0)
        left: Ints = self.all[reach].sum(axis=0) - lost
        return left
