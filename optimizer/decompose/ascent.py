"""Prices on what services share, raised until the bound stops rising."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from optimizer.decompose.covering import INFINITE
from optimizer.decompose.dual import Case, Pass, run
from optimizer.decompose.master import Column, Master, Mix, Shared
from optimizer.decompose.shards import Effort, subproblems
from optimizer.decompose.tariff import Prices
from optimizer.executor.seam import IN_PROCESS, Executor

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LIKELY = 2
"""Prices that take part in a plan, at most."""


@dataclass(eq=False)
class Ascent:
    """Prices on their way to the highest bound: ``best`` on the way, ``proven`` with exact cells,
    and ``refined`` with some exact units (``refining``).

    ``least`` [group] is what cells cost at the prices that were proven last, at the least.

    What all services share is priced by the restricted master. Ends of calls and rooms belong to
    one unit each, services that call each other: they follow averaged subgradients (Barahona and
    Anbil 2000), and every unit keeps what is best for it. The two take turns.
    """

    case: Case
    prices: Prices
    executor: Executor = IN_PROCESS
    best: float = -np.inf
    proven: float = -np.inf
    step: float = 0.12
    since: int = 0
    centre: Prices | None = None
    mix: Mix | None = None
    answer: Pass | None = None
    exact: Pass | None = None
    refined: float = -np.inf

    def __post_init__(self) -> None:
        case = self.case
        busy = np.bincount(case.blocks.of_group, minlength=len(case.blocks.spans)) > 0
        self.master = Master(case.limits, case.covered, case.blocks.spans, busy)
        self.solve = subproblems(case.whole, case.parts, self.executor)
        goods = case.cells.goods
        unit = float(np.median(goods.cost_usd_per_hour / np.maximum(goods.vcpus, 1e-9)))
        self.unit = Shared(
            np.full_like(self.prices.quota, unit),
            np.ones_like(self.prices.budget),
            np.ones_like(self.prices.covered),
        )
        self.own_step = np.full(case.units, 0.1)
        self.own_best = np.full(case.units, -np.inf)
        self.least = np.zeros(len(case.cells.asks.group_span))
        self.mean: dict[str, Floats] = {}
        self.turns = [self._shared] * case.shares + [self._own] * case.has_own

    def look(self) -> None:
        """The bound at the prices as they are, exactly, before the first step."""
        found = run(self.case, self.prices, self.solve, Effort.EXACT)
        self.proven, self.least = found.bound, found.value

    def prove(self) -> None:
        """Look at the best prices once more, exactly: ``proven`` and ``least`` follow."""
        if self.centre is not None:
            self.exact = run(self.case, self.centre, self.solve, Effort.EXACT)
            self.proven = max(self.proven, self._with(self.exact.units))
            self.least = self.exact.value

    def refine(self, units: Floats) -> None:
        """Take into ``refined`` what units cost at the least at the best prices [unit]."""
        self.refined = max(self.refined, self._with(units))

    def _with(self, units: Floats) -> float:
        """The bound at the best prices, where units cost at least ``units``."""
        return self.best + float(np.maximum(units - self.own_best, 0.0).sum())

    def climb(self, rounds: int) -> None:
        """Take some steps; ``best`` and ``centre`` are the best bound so far and its prices."""
        for _ in range(rounds):
            found = self._look()
            if self.centre is None:
                self._take(found)
            if not self.turns or found.bound >= INFINITE:  # nothing to price, or no lawful way
                return
            self._learn(found)
            if self.answer is found:
                self.master.add(column_of(self.case, self.prices, found))
            else:
                self.turns[0](found)
                self.turns.append(self.turns.pop(0))
            self.prices = self._next(self.turns[0])

    def _look(self) -> Pass:
        """A pass at the prices to be judged: where all share the best ones, what they are about."""
        if self.centre is None or not self.turns or self.turns[0] != self._own:
            return run(self.case, self.prices, self.solve)
        return run(self.case, self.prices, self.solve, Effort.OWN, self.value)

    def likely(self) -> list[Prices]:
        """Prices to which cells' answers make up the best mix so far, ends of calls as they are."""
        if self.mix is None:
            return []
        order = np.argsort(-self.mix.weight, kind="stable")[:LIKELY]
        asked = [self.master.columns[i].asked for i in order if self.mix.weight[i] > 1e-6]
        own = self.centre or self.prices
        return [replace(own, quota=of.quota, budget=of.budget, covered=of.covered) for of in asked]

    def _take(self, found: Pass) -> None:
        self.best, self.centre, self.answer = found.bound, self.prices, found
        self.own_best = found.units
        self.value, self.between = found.value, found.between

    def _shared(self, found: Pass) -> None:
        """Judge a step of the prices of what all services share."""
        self.master.add(column_of(self.case, self.prices, found))
        if found.bound > self.best + 1e-9 * abs(found.bound):
            self._take(found)
            self.step, self.since = min(self.step * 1.1, 1.0), 0
        else:
            self.since += 1
            if self.since >= 2:
                self.step, self.since = self.step * 0.66, 0

    def _own(self, found: Pass) -> None:
        """Judge a step of every unit's own prices; each keeps the better ones."""
        case, before = self.case, self.centre or self.prices
        gain = found.units - self.own_best
        better = gain > 1e-12 * np.abs(self.own_best)
        self.own_step = np.where(better, np.minimum(self.own_step * 1.2, 1.0), self.own_step * 0.85)
        self.own_best = np.where(better, found.units, self.own_best)
        self.best += float(gain[better].sum())
        self._revalue(found, better)
        self.centre = replace(
            before,
            ends=np.where(better[case.unit_of_end], self.prices.ends, before.ends),
            rooms=self._rooms_of(better, before),
        )

    def _revalue(self, found: Pass, better: Bools) -> None:
        """Older columns would cost about as much more now as the best answers do."""
        case, blocks = self.case, self.case.blocks
        value = np.where(better[case.unit_of_group], found.value, self.value)
        between = np.where(better[case.unit_of_link], found.between, self.between)
        if case.shares:
            count = len(blocks.spans)
            more = np.bincount(blocks.of_group, value - self.value, count)
            block_of_link = blocks.of_lane[case.links.lane[:, 0]]
            more += np.bincount(block_of_link, between - self.between, count)
            self.master.revalue(more.astype(np.float64))
        self.value, self.between = value, between

    def _learn(self, found: Pass) -> None:
        violated = {
            "ends": found.share[self.case.links.lane_of] - found.pairs,
            "rooms": self._rooms(found),
        }
        for name, value in violated.items():
            old = self.mean.get(name)
            self.mean[name] = value if old is None else 0.8 * old + 0.2 * value

    def _next(self, turn: Callable[[Pass], None]) -> Prices:
        """Prices to try next."""
        case, prices = self.case, self.centre or self.prices
        if turn == self._shared:
            shared = Shared(prices.quota, prices.budget, prices.covered)
            reach = Shared(*(self.step * getattr(self.unit, f.name) for f in fields(Shared)))
            self.mix = self.master.mix(shared, reach)
            shared = self.mix.prices
            return replace(prices, quota=shared.quota, budget=shared.budget, covered=shared.covered)
        ends = self.own_step[case.unit_of_end] * case.links.largest * self.mean["ends"]
        several, rooms = case.whole.several, prices.rooms.copy()
        moved = rooms[several] + self.own_step[case.unit_of_room] * self.mean["rooms"]
        rooms[several] = np.clip(moved, 0.0, case.rooms_most)
        return replace(prices, ends=prices.ends + ends, rooms=rooms)

    def _rooms_of(self, better: Bools, before: Prices) -> Floats:
        """Rooms' prices [slot]: new ones of units that are ``better``, those of ``before`` else."""
        rooms, several = before.rooms.copy(), self.case.whole.several
        mine = several[better[self.case.unit_of_room]]
        rooms[mine] = self.prices.rooms[mine]
        return rooms

    def _rooms(self, found: Pass) -> Floats:
        """By how much routes exceed what rooms hold, in USD [room]."""
        case, asks = self.case, self.case.cells.asks
        load = np.bincount(
            case.lane_slot, found.share * asks.busy[case.lane_entry], len(asks.place)
        )
        several = case.whole.several
        cell = np.searchsorted(asks.slot_start, several, side="right") - 1
        excess = (load[several] - found.held[several]) / np.maximum(asks.need[cell], 1)
        return np.asarray(excess * case.replica_usd, np.float64)


def column_of(case: Case, prices: Prices, found: Pass) -> Column:
    """A pass as the restricted master sees it."""
    cells, limits, block = case.cells, case.limits, case.blocks
    spans, count = len(cells.spans), len(block.spans)
    usage, use = np.zeros((case.covered.classes, count)), np.zeros((len(limits.quota_limit), count))
    paid = np.zeros((len(limits.budget_limit), count))
    compute = found.used * cells.hours * cells.goods.price_usd_per_hour[:, None]
    for part in range(count // spans):
        of = slice(part * spans, (part + 1) * spans)
        own = block.part_of_candidate == part
        usage[:, of] = case.covered.list_usd[:, own] @ found.used[own]
        use[:, of] = limits.quota_use[own].T @ found.used[own]
        paid[:, of] = limits.counts_candidate[:, own] @ compute[own]
    routes = case.route_usd * found.share
    for b in range(len(paid)):
        counts = case.tariff.counts_lane(b)
        paid[b] += np.bincount(block.of_lane[counts], routes[counts], count)
    # With what calls cost, the price of their ends, which changes, matters little.
    cost = np.bincount(block.of_group, found.value, count) - prices.budget @ paid
    cost += np.bincount(block.of_lane[case.links.lane[:, 0]], found.between, count)
    for i, (start, end) in enumerate(block.spans):
        cost[i] += prices.covered[:, start:end].sum(axis=1) @ usage[:, i]
        cost[i] -= prices.quota[:, start:end].sum(axis=1) @ use[:, i]
    asked = Shared(prices.quota, prices.budget, prices.covered)
    return Column(asked, cost, usage, use, paid)
