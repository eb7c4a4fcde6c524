"""A large fleet's plan and a bound on the cost of every other plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from models.demand import Outlook
from models.rules import (
    AllowedPlacesRule,
    BudgetRule,
    CertificationRule,
    LatencyRule,
    MaxPlacesRule,
    MinReplicasRule,
    QuotaRule,
    ResidencyRule,
    SpotShareRule,
    SpreadRule,
    WorkflowRule,
)
from models.services import Service
from models.world import Policy, World
from optimizer.decompose.again import WITHIN_REACH, Again, Former
from optimizer.decompose.ascent import Ascent
from optimizer.decompose.carried import prices_of
from optimizer.decompose.cells import make_cells
from optimizer.decompose.dual import Case, first_prices, make_case
from optimizer.decompose.fleet import Fleet, ThinFleet
from optimizer.decompose.journeys import binding, kept_places
from optimizer.decompose.lacking import dominating
from optimizer.decompose.last import Last, remember
from optimizer.decompose.matching import match
from optimizer.decompose.refining import refine, with_units
from optimizer.decompose.repair import make_fleet, with_other_ways
from optimizer.decompose.tariff import Prices
from optimizer.executor.seam import IN_PROCESS, Executor
from optimizer.formulate.assemble import most_replicas_of
from optimizer.formulate.candidates import find_candidates
from optimizer.formulate.commitments import find_cover
from optimizer.formulate.layout import asked_for
from optimizer.formulate.market import Market
from optimizer.formulate.paths import Paths
from optimizer.formulate.reach import Distances, Reach, find_reach

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ROUNDS = 160
"""Steps of the dual at most."""
AT_A_TIME = 20
"""Steps after which it is asked whether more are worth their time."""
SLOWLY = 1e-3
"""By how much the bound rises in these, relatively, when most of an earlier plan may be kept."""
WORTH_CLIMBING = 3e-4
"""By how much the bound must rise in these, relatively, for a plan to wait."""

KNOWN_RULES = (
    LatencyRule
    | WorkflowRule
    | MinReplicasRule
    | MaxPlacesRule
    | ResidencyRule
    | CertificationRule
    | AllowedPlacesRule
    | SpreadRule
    | SpotShareRule
    | QuotaRule
    | BudgetRule
)
KNOWN_POLICY = frozenset({
    "horizon_hours", "demand_quantile", "headroom", "count_hours", "route_hours", "purchases",
    "burstable", "gap_target", "time_limit_s", "carbon_usd_per_tonne",
    "demand_scenarios", "unmet_at_most", "unmet_usd_per_million_requests",
})  # fmt: skip
KNOWN_OF_SERVICES = frozenset({
    "name", "replica", "team", "architectures", "min_replicas", "stateful", "state_gib",
    "spot_tolerant", "max_places", "response_kib", "at", "unmet_at_most",
    "unmet_usd_per_million_requests",
})  # fmt: skip
"""Whatever else a world may say is not decomposed, until somebody adds it here."""


@dataclass(frozen=True, eq=False)
class Decomposed:
    """``fleet`` keeps every rule and costs ``usd``; no plan costs less than ``bound_usd``.

    ``fleet`` is None when no plan was found. Money is USD over the horizon, as the objective
    counts it.
    """

    case: Case
    reach: Reach
    fleet: Fleet | None
    usd: float
    bound_usd: float
    cells_bound_usd: float
    """The bound before units were solved as programmes; what the next plan starts from."""
    prices: Prices
    least: Floats  # [group]: what cells cost at ``prices``, at the least
    rounds: int
    build_s: float
    solve_s: float
    again: Again | None = None
    """How an earlier plan was taken up; None: all was planned anew."""

    @property
    def gap(self) -> float:
        return max(self.usd - self.bound_usd, 0.0) / self.usd if self.usd > 0 else 0.0

    @property
    def changed(self) -> int | None:
        """Cells that an earlier plan did not answer already; None: all were planned anew."""
        return None if self.again is None else self.again.changed

    def left_behind(self) -> Last | None:
        """What the next plan may start from; None: there is no plan."""
        if self.fleet is None:
            return None
        regret = self.fleet.at_prices(self.prices) - self.least
        gap = max(self.usd - self.cells_bound_usd, 0.0) / self.usd if self.usd > 0 else 0.0
        if self.again is not None:  # what was let pass now counts again next time
            regret, gap = regret - self.again.since, self.again.gap
        return remember(self.case, self.prices, self.fleet, regret, gap)


@dataclass(frozen=True, slots=True)
class NotSeparable:
    """The world has a structure that the decomposition does not know: ``why``, in words."""

    why: str


def _obstacle(world: World) -> str | None:
    """What in the world the decomposition does not know; None: nothing that shows at once."""
    policy = world.policy
    if policy.count_hours != policy.route_hours:
        return "sizes and routes change at different hours"
    for rule in world.rules:
        if not isinstance(rule, KNOWN_RULES):
            return f"rule {rule.name}: {rule.in_words}"
    for field in fields(Policy):
        if field.name not in KNOWN_POLICY and getattr(policy, field.name) != field.default:
            return f"the policy sets {field.name}"
    for field in fields(Service):
        if field.name not in KNOWN_OF_SERVICES:
            named = [s.name for s in world.services if getattr(s, field.name) != field.default]
            if named:
                return f"{named[0]} sets {field.name}"
    return None


def decompose(
    world: World,
    market: Market,
    distances: Distances,
    demand_rps: Floats,
    direct_rps: Floats,
    outlook: Outlook | None = None,
    last: Last | None = None,
    executor: Executor = IN_PROCESS,
) -> Decomposed | NotSeparable:
    """Plan ``world``; ``demand_rps`` and ``direct_rps`` [service, origin, period].

    They are what rules about losses are about, and are sure to come unless ``outlook`` has
    scenarios. ``last``: what an earlier plan left behind. Its prices are taken up, and so is what
    it ran, wherever that is still lawful and about as good, but for moves that fill levels. If it
    comes about as near to its bound as before, it is the plan; else the world is planned from these
    prices on until one does. The
    cells of large fleets are solved on the workers of ``executor``; the plan is the same.
    """
    if (why := _obstacle(world)) is not None:
        return NotSeparable(why)
    outlook = outlook or Outlook.certain(demand_rps, direct_rps)
    if dominating(outlook) is None:
        return NotSeparable("no demand scenario is the highest in every hour")
    started = perf_counter()
    asked = asked_for(demand_rps, outlook)
    reach = find_reach(world, distances, market.lacks.items(), asked)
    slow = binding(world, distances, reach.allowed, asked)
    if (asked & ~reach.allowed.any(axis=2)).any():
        return NotSeparable("some users' requests may go nowhere")
    cover = find_cover(world)
    most = most_replicas_of(world, np.maximum(demand_rps, outlook.highest_rps))
    candidates = find_candidates(market, world, most, cover)
    cells = make_cells(world, demand_rps, outlook, reach.allowed, candidates)
    case = make_case(cells, cover, outlook)
    built = perf_counter()

    def barred(weight: Floats) -> Bools | None:
        return _barred(case, weight, slow, distances, reach.allowed, asked)

    def answer(
        fleet: Fleet | None, climb: Ascent, rounds: int, again: Again | None = None
    ) -> Decomposed:
        usd = np.inf if fleet is None else fleet.usd
        prices = climb.centre or climb.prices
        seconds = built - started, perf_counter() - built
        return Decomposed(
            case, reach, fleet, usd, max(climb.proven, climb.refined), climb.proven, prices,
            climb.least, rounds, *seconds, again,
        )  # fmt: skip

    prices, enough, limit_s = first_prices(case), world.policy.gap_target, world.policy.time_limit_s
    former = None
    if last is not None:
        found = match(last, case)
        prices, enough = prices_of(last, case, found), _again_within(world, last)
        former = Former.find(case, last, found, enough + A_LITTLE, barred)
    climb, done = Ascent(case, prices, executor), 0
    if former is not None:
        again, done = _kept(climb, former, limit_s, built)
        if again is not None:
            return answer(again.fleet, climb, max(done, 1), again)
    fleet, done = _climbed(climb, done, enough, limit_s, built, barred)
    return answer(fleet, climb, done)


AS_GOOD_AS_BEFORE = 1.1
"""A plan that starts from the last one may be this much further from its bound."""
A_LITTLE = 0.003
"""And one that keeps most of it by this share of its cost: what stays makes no room for others."""


def _again_within(world: World, last: Last) -> float:
    """The gap with which a plan that starts from the last one is good enough."""
    return float(max(world.policy.gap_target, AS_GOOD_AS_BEFORE * last.gap))


def _kept(climb: Ascent, former: Former, limit_s: float, began: float) -> tuple[Again | None, int]:
    """A plan that keeps most of the last one, if that comes near enough to the bound, and rounds.

    First at the last prices, then at those from which on the bound rises slowly.
    """
    climb.look()
    again, done = former.plan(climb, anew=False), 0
    while again is None and done + AT_A_TIME < ROUNDS and perf_counter() - began <= limit_s:
        before = max(climb.best, climb.proven)
        climb.climb(AT_A_TIME)
        done += AT_A_TIME
        if climb.best - before <= SLOWLY * abs(climb.best):
            climb.prove()
            return former.plan(climb, anew=True), done
    return again, done


def _climbed(
    climb: Ascent,
    done: int,
    enough: float,
    limit_s: float,
    began: float,
    barred: Callable[[Floats], Bools | None],
) -> tuple[Fleet | None, int]:
    """A plan from the prices at which the bound has all but stopped rising, and the rounds it took.

    ``done``: rounds so far. More rounds only where that gives no plan, or ``enough``, a relative
    gap, is within reach; ``limit_s`` after ``began``: the latest to stop.
    """
    case, late = climb.case, False
    best: Fleet | None = None
    answers: tuple[ThinFleet, ...] = ()
    closed_to_best: Bools | None = None
    while done < ROUNDS and not late:
        before = climb.best
        climb.climb(AT_A_TIME)
        done += AT_A_TIME
        late = perf_counter() - began > limit_s
        if climb.best - before > WORTH_CLIMBING * abs(climb.best) and done < ROUNDS and not late:
            continue
        climb.prove()
        weight = np.zeros(len(case.lane_slot)) if climb.answer is None else climb.answer.share
        closed = barred(weight)
        if closed is not None:
            prices = climb.centre or climb.prices
            found = make_fleet(case, prices, climb.likely(), closed)
            if found is not None and (best is None or found[0].usd < best.usd):
                (best, answers), closed_to_best = found, closed
        gap = np.inf if best is None else (best.usd - climb.proven) / best.usd
        if best is not None and not enough < gap <= WITHIN_REACH * enough:
            break
    if best is not None and len(case.links):
        best = _refined(climb, best, answers, enough, limit_s, began, closed_to_best)
    return best, done


def _refined(
    climb: Ascent,
    fleet: Fleet,
    answers: tuple[ThinFleet, ...],
    enough: float,
    limit_s: float,
    began: float,
    closed: Bools | None,
) -> Fleet:
    """A plan that may go the ways of units that were solved as programmes, and a better bound.

    Only as far as the relative gap ``enough``. ``answers`` are other ways of this plan's units;
    ``closed`` [lane] are closed to all.
    """
    prices, found = climb.centre, climb.exact
    lacking_usd = fleet.usd * (1.0 - enough) - climb.proven
    if prices is None or found is None or lacking_usd <= 0.0:
        return fleet
    units = refine(
        climb.case, prices, found, fleet, lacking_usd, lambda: perf_counter() - began > limit_s
    )
    least = found.units.copy()
    for unit in units:
        least[unit.unit] = max(least[unit.unit], unit.bound)
    climb.refine(least)
    others = ThinFleet.of(with_units(fleet, units, prices)), *answers
    return with_other_ways(fleet, others, prices, closed)


def _barred(
    case: Case,
    share: Floats,
    slow: list[Paths],
    distances: Distances,
    allowed: Bools,
    asked: Bools,
) -> Bools | None:
    """Lanes that plans must not use, or workflows would be too slow; None: no way was found.

    ``share`` [lane]: of the traffic that would go there if workflows did not matter.
    """
    service, origin = case.lane_service, case.lane_origin
    region = case.cells.asks.place[case.lane_slot]
    weight = np.zeros(allowed.shape)
    np.add.at(weight, (service, origin, region), share * case.cells.asks.peak[case.lane_entry])
    kept = kept_places(slow, distances, allowed, asked, weight)
    if kept is None:
        return None
    barred: Bools = ~kept[service, origin, region]
    return barred
