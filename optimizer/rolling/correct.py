"""Corrections between plans: what is asked now, and where that leads while an instance boots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

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


NOTHING: Final[Mapping[GroupKey, int]] = {}


def corrected(
    facts: Facts,
    plan: Mapping[GroupKey, int],
    needed: Floats,
    running: tuple[Cohort, ...],
    *,
    starts: bool = True,
    beside: Mapping[GroupKey, int] = NOTHING,
) -> Correction:
    """Groups that serve what those of the plan lack of ``needed`` [service, region].

    What runs beyond the plan stays as long as it is needed, the cheapest for what it serves
    first; then, if anything may be started, instances are, as far as quotas leave room: on spot as
    much as rules allow of what runs there, the rest on demand. ``beside``: what is wanted anyway,
    and takes room of quotas; of a group, the more of both counts.
    """
    wanted, reasons = dict(plan), list[Reason]()
    roster = facts.roster(tuple(plan))
    held = roster.capacity_rps(np.array(list(plan.values()), np.int64), facts.shape)
    short = np.argwhere(needed - held > ALMOST * np.maximum(needed, 1.0))
    if not short.size:
        return Correction(wanted, ())
    room = Room(facts, wanted, beside)
    planned, runs = _by_cell(wanted.items()), _by_cell((one.key, one.count) for one in running)
    cells = []
    for s, r in short.tolist():
        at = (facts.world.services[s].name, facts.world.regions[r].place)
        own = (planned.get(at, {}), runs.get(at, {}))
        cells.append(((s, r), at, _Cell(facts, (s, r), own, wanted, room)))
    for (s, r), _, cell in cells:  # no start takes the room of what runs elsewhere
        cell.serve(float(needed[s, r]), starts=False)
    for (s, r), (name, place), cell in cells if starts else ():
        left = cell.serve(float(needed[s, r]), starts=True)
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


Cell = tuple[str, str]
"""A service and a place."""


def _by_cell(groups: Iterable[tuple[GroupKey, int]]) -> dict[Cell, dict[GroupKey, int]]:
    """Instances of every group, cell by cell."""
    found: dict[Cell, dict[GroupKey, int]] = {}
    for key, count in groups:
        own = found.setdefault((key.service, key.place), {})
        own[key] = own.get(key, 0) + count
    return found


class _Cell:
    """A service in a place, as instances are added to ``wanted``."""

    def __init__(
        self, facts: Facts, at: tuple[int, int],
        own: tuple[Mapping[GroupKey, int], Mapping[GroupKey, int]],
        wanted: dict[GroupKey, int], room: Room,
    ) -> None:  # fmt: skip
        self.started: dict[GroupKey, int] = {}
        self._facts, self._at, self._wanted, self._room = facts, at, wanted, room
        self._share = float(facts.spot_share[at[0]])
        planned, self._runs = own
        self._held = self._spot = 0.0
        for key, count in planned.items():
            self._hold(key, count)

    def serve(self, needed_rps: float, *, starts: bool) -> float:
        """Keep and start what is needed; what is still lacking after.

        First what may not be on spot, then what runs, then what is cheaper to start.
        """
        lacking = max(needed_rps - self._held, 0.0)
        may = self._share * (self._held + lacking) - self._spot
        steady = lacking - min(max(may, 0.0), lacking)
        left = self._keep(steady, spot=False)
        if starts:
            left = self._start(left, spot=False)
        left = self._keep(lacking - steady + left, spot=True)
        left = self._keep(left, spot=False)
        if not starts or left <= ALMOST:
            return left
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
        for _, key in sorted((self._usd_per_rps(key), key) for key in beyond):
            serves = self._facts.serves_rps(key)
            if serves > 0 and left > ALMOST:
                spare = self._runs[key] - self._wanted.get(key, 0)
                count = min(spare, self._count(left, serves, spot=spot))
                left -= self._add(key, self._room.take(key, count))
        return left

    def _start(self, left: float, *, spot: bool) -> float:
        if left <= ALMOST:
            return left
        for key in self._facts.spare(*self._at, left, spot=spot):
            serves = self._facts.serves_rps(key)
            count = self._room.take(key, self._count(left, serves, spot=spot))
            if count:
                left -= self._add(key, count)
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

    def _add(self, key: GroupKey, count: int) -> float:
        if count:
            self._wanted[key] = self._wanted.get(key, 0) + count
        return self._hold(key, count)

    def _hold(self, key: GroupKey, count: int) -> float:
        held = self._facts.serves_rps(key) * count
        self._held += held
        if key.purchase is Purchase.SPOT:
            self._spot += held
        return held

    def _usd_per_rps(self, key: GroupKey) -> float:
        """Of an hour; infinite for what has no price."""
        usd = self._facts.usd_per_hour(key)
        return np.inf if np.isnan(usd) else usd / max(self._facts.serves_rps(key), ALMOST)

    def _usd(self, left: float, *, spot: bool) -> float:
        """An hour of what serves ``left`` for the least; infinite where nothing does."""
        best = self._facts.spare(*self._at, left, spot=spot)[:1]
        if not best:
            return np.inf
        count = np.ceil(left / self._facts.serves_rps(best[0]) - ALMOST)
        return float(count * self._facts.usd_per_hour(best[0]))


class Room:
    """What quotas leave beside the groups of ``wanted``, or more of them that are there anyway, as
    it is taken.
    """

    def __init__(
        self, facts: Facts, wanted: Mapping[GroupKey, int], there: Mapping[GroupKey, int]
    ) -> None:
        self._facts, self._wanted = facts, {**wanted}
        self._free: dict[GroupKey, int] = {}
        for key, count in there.items():
            self._free[key] = max(count - wanted.get(key, 0), 0)
            self._wanted[key] = max(count, wanted.get(key, 0))
        rules = [rule for rule in facts.world.rules if isinstance(rule, QuotaRule)]
        self._quotas = [(rule, facts.counted(rule)) for rule in rules]
        self._used: dict[str, list[_Used]] = {}

    def take(self, key: GroupKey, count: int) -> int:
        """So many of ``count`` instances more of ``key`` as every quota leaves room for."""
        free = min(self._free.get(key, 0), max(count, 0))
        if free:
            self._free[key] -= free
        return free + self._more(key, count - free)

    def _more(self, key: GroupKey, count: int) -> int:
        row = self._facts.row_of(key)
        if row < 0:
            return max(count, 0)
        if key.place not in self._used:
            self._used[key.place] = self._used_in(key.place)
        vcpus = float(self._facts.vcpus[row])
        against = [
            (rule, used)
            for (rule, counted), used in zip(self._quotas, self._used[key.place], strict=True)
            if counted[row]
        ]
        for rule, used in against:
            if rule.vcpus_at_most is not None:
                count = min(count, int((rule.vcpus_at_most - used.vcpus) / vcpus + ALMOST))
            if rule.instances_at_most is not None:
                count = min(count, int(rule.instances_at_most - used.instances + ALMOST))
        count = max(count, 0)
        for _, used in against:
            used.add(count, vcpus)
        return count

    def _used_in(self, place: str) -> list[_Used]:
        """[quota]: what the groups in a place take of it."""
        found = [_Used() for _ in self._quotas]
        for key, count in self._wanted.items():
            row = self._facts.row_of(key) if key.place == place else -1
            for (_, counted), used in zip(self._quotas, found, strict=True):
                if row >= 0 and counted[row]:
                    used.add(count, float(self._facts.vcpus[row]))
        return found


@dataclass(slots=True)
class _Used:
    """What is taken of a quota in a place."""

    vcpus: float = 0.0
    instances: int = 0

    def add(self, count: int, vcpus: float) -> None:
        self.vcpus += count * vcpus
        self.instances += count
