"""Corrections between plans: what is asked now, and where that leads while an instance boots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from models.offerings import Purchase
from models.rules import QuotaRule
from optimizer.problem import Floats, Ints
from optimizer.rolling.facts import ALMOST, Facts, GroupKey
from optimizer.rolling.state import Ahead, Cause, Cohort, Reason, Routes

MOST_GROWTH = 2.0
LEAST_GROWTH = 0.5
"""The forecast's shape says by how much demand grows while an instance boots: within these."""


def needed_rps(
    facts: Facts, ahead: Ahead, demand_rps: Floats, routes: Sequence[Routes], now: datetime,
    target: Floats, boot: timedelta,
) -> Floats:  # fmt: skip
    """What must be served [service, region] from ``now`` until a boot later, by what was asked.

    ``demand_rps`` [service, origin] of the step that ended, grown as the forecast says that it
    grows in between, filled to ``target`` [service]; the most that any of ``routes`` asks for.
    """
    then, later = ahead.mean_at(now), ahead.mean_at(now + boot)
    growth = np.divide(later, then, out=np.ones_like(then), where=then > 0)
    grown = demand_rps * np.clip(growth, LEAST_GROWTH, MOST_GROWTH)
    need = np.max([one.load_rps(grown, facts.shape[1]) for one in routes], axis=0)
    filled: Floats = need / target[:, None]
    return filled


@dataclass(frozen=True, eq=False)
class Correction:
    """``wanted`` beyond the plan's groups, and why."""

    wanted: dict[GroupKey, int]
    reasons: tuple[Reason, ...]


def groups_of(ahead: Ahead, counts: Ints) -> dict[GroupKey, int]:
    """``counts`` [group] of a plan, less what is not there."""
    return {key: n for key, n in zip(ahead.keys, counts.tolist(), strict=True) if n}


def corrected(
    facts: Facts,
    plan: Mapping[GroupKey, int],
    needed: Floats,
    running: tuple[Cohort, ...],
    *,
    starts: bool = True,
) -> Correction:
    """Groups that serve what those of the plan lack of ``needed`` [service, region].

    What runs beyond the plan stays as long as it is needed, the cheapest for what it serves
    first; then, if anything may be started, instances are, as far as quotas leave room: on spot as
    much as rules allow of what runs there, the rest on demand.
    """
    wanted, reasons = dict(plan), list[Reason]()
    roster = facts.roster(tuple(plan))
    held = roster.capacity_rps(np.array(list(plan.values()), np.int64), facts.shape)
    short = np.argwhere(needed - held > ALMOST * np.maximum(needed, 1.0))
    if not short.size:
        return Correction(wanted, ())
    runs: dict[GroupKey, int] = {}
    for cohort in running:
        runs[cohort.key] = runs.get(cohort.key, 0) + cohort.count
    room = Room(facts, wanted)
    for s, r in short.tolist():  # no start takes the room of what runs elsewhere
        _Cell(facts, s, r, wanted, runs, room, starts=False).serve(float(needed[s, r]))
    for s, r in short.tolist() if starts else ():
        cell = _Cell(facts, s, r, wanted, runs, room, starts=True)
        left = cell.serve(float(needed[s, r]))
        name, place = facts.world.services[s].name, facts.world.regions[r].place
        if cell.started:
            more = ", ".join(f"{count} x {key}" for key, count in cell.started.items())
            reasons.append(
                Reason(
                    Cause.OBSERVED, name,
                    f"{needed[s, r]:,.0f} rps are to be served in {place}, and the plan serves "
                    f"{held[s, r]:,.0f}: {more} more",
                )
            )  # fmt: skip
        if left > ALMOST * needed[s, r]:
            why = f"{left:,.0f} rps lack capacity in {place}, and nothing may be added"
            reasons.append(Reason(Cause.REFUSED, name, why))
    return Correction(wanted, tuple(reasons))


class _Cell:
    """A service in a place, as instances are added to ``wanted``."""

    def __init__(
        self, facts: Facts, service: int, region: int, wanted: dict[GroupKey, int],
        runs: Mapping[GroupKey, int], room: Room, *, starts: bool,
    ) -> None:  # fmt: skip
        self.started: dict[GroupKey, int] = {}
        self._facts, self._at, self._wanted, self._room = facts, (service, region), wanted, room
        self._share, self._starts = float(facts.spot_share[service]), starts
        name, place = facts.world.services[service].name, facts.world.regions[region].place
        self._runs = {k: n for k, n in runs.items() if (k.service, k.place) == (name, place)}
        own = [key for key in wanted if (key.service, key.place) == (name, place)]
        held = facts.roster(own).serves_rps * np.array([wanted[key] for key in own], np.int64)
        spot = np.array([key.purchase is Purchase.SPOT for key in own], np.bool_)
        self._held, self._spot = float(held.sum()), float(held[spot].sum())

    def serve(self, needed_rps: float) -> float:
        """Keep and start what is needed; what is still lacking after.

        First what may not be on spot, then what runs, then what is cheaper to start.
        """
        lacking = max(needed_rps - self._held, 0.0)
        may = self._share * (self._held + lacking) - self._spot
        steady = lacking - min(max(may, 0.0), lacking)
        left = self._start(self._keep(steady, spot=False), spot=False)
        left = self._keep(lacking - steady + left, spot=True)
        left = self._keep(left, spot=False)
        if self._share and self._usd(left, spot=True) < self._usd(left, spot=False):
            left = self._start(left, spot=True)
        return self._start(left, spot=False)

    def _keep(self, left: float, *, spot: bool) -> float:
        """Of what runs there beyond ``wanted``, the cheapest for what it serves first."""
        beyond = [
            key
            for key, count in self._runs.items()
            if (key.purchase is Purchase.SPOT) == spot and count > self._wanted.get(key, 0)
        ]
        if left <= ALMOST or not beyond:
            return left
        roster = self._facts.roster(sorted(beyond))
        usd = np.nan_to_num(roster.usd_per_hour, nan=np.inf)
        order = np.argsort(usd / np.maximum(roster.serves_rps, ALMOST), kind="stable")
        for i in order.tolist():
            key, serves = roster.keys[i], float(roster.serves_rps[i])
            if serves > 0 and left > ALMOST:
                spare = self._runs[key] - self._wanted.get(key, 0)
                count = min(spare, self._count(left, serves, spot=spot))
                left -= self._add(key, serves, self._room.take(key, count))
        return left

    def _start(self, left: float, *, spot: bool) -> float:
        if left <= ALMOST or not self._starts:
            return left
        for key in self._facts.spare(*self._at, left, spot=spot):
            serves = float(self._facts.roster((key,)).serves_rps[0])
            count = self._room.take(key, self._count(left, serves, spot=spot))
            if count:
                left -= self._add(key, serves, count)
                self.started[key] = self.started.get(key, 0) + count
            if left <= ALMOST:
                break
        return left

    def _count(self, left: float, serves: float, *, spot: bool) -> int:
        """Instances for ``left``, no more than may be on spot beside what is held."""
        count = int(np.ceil(left / serves - ALMOST))
        if spot and self._share < 1:
            room = (self._share * self._held - self._spot) / (1 - self._share)
            count = min(count, max(int(room / serves + ALMOST), 0))
        return count

    def _add(self, key: GroupKey, serves: float, count: int) -> float:
        if count:
            self._wanted[key] = self._wanted.get(key, 0) + count
        self._held += serves * count
        if key.purchase is Purchase.SPOT:
            self._spot += serves * count
        return serves * count

    def _usd(self, left: float, *, spot: bool) -> float:
        """An hour of what serves ``left`` for the least; infinite where nothing does."""
        best = self._facts.spare(*self._at, max(left, ALMOST), spot=spot)[:1]
        roster = self._facts.roster(best)
        return float(
            np.sum(np.ceil(left / roster.serves_rps - ALMOST) * roster.usd_per_hour)
            if best
            else np.inf
        )


class Room:
    """What quotas leave, as instances are added to ``wanted``."""

    def __init__(self, facts: Facts, wanted: Mapping[GroupKey, int]) -> None:
        self._facts, self._wanted = facts, wanted
        rules = [rule for rule in facts.world.rules if isinstance(rule, QuotaRule)]
        self._quotas = [(rule, facts.counted(rule)) for rule in rules]

    def take(self, key: GroupKey, count: int) -> int:
        """So many of ``count`` instances more of ``key`` as every quota leaves room for."""
        facts = self._facts
        row = facts.row_of(key)
        book = facts.world.book.offerings
        for rule, counted in self._quotas:
            if row < 0 or not counted[row]:
                continue
            here = [
                (facts.row_of(other), n)
                for other, n in self._wanted.items()
                if other.place == key.place
            ]
            vcpus, instances = 0.0, 0
            for other, n in here:
                if other >= 0 and counted[other]:
                    vcpus += n * float(book["vcpus"].iloc[other])
                    instances += n
            if rule.vcpus_at_most is not None:
                own = float(book["vcpus"].iloc[row])
                count = min(count, int((rule.vcpus_at_most - vcpus) / own + ALMOST))
            if rule.instances_at_most is not None:
                count = min(count, int(rule.instances_at_most - instances + ALMOST))
        return max(count, 0)
