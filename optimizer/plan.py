"""The main cycle: a world to a plan, one verb per stage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from models.demand import CallGraph, Forecast, Outlook, direct_demand_rps
from models.errors import Fault, FaultyInput
from models.placement import Bill, Placement
from models.plan import Infeasible, Outcome, Plan, Unfinished
from models.rules import BudgetRule, Rule
from models.world import HOURS_PER_MONTH, World
from optimizer import late
from optimizer.bill import make_bill
from optimizer.clash import smallest_clash
from optimizer.executor.seam import IN_PROCESS, Executor
from optimizer.forecast.adjust import apply_factors
from optimizer.forecast.demand import forecast
from optimizer.formulate.assemble import Formulation, formulate
from optimizer.formulate.market import Market, survey
from optimizer.formulate.objections import NOTHING_FITS
from optimizer.formulate.reach import Distances, measure
from optimizer.moves import changes_table, staying, without_hurdles_where_nothing_changes
from optimizer.problem import Floats, Problem
from optimizer.read import read_counts, read_placement
from optimizer.solve.answers import Backend, OutOfTime, ProvenInfeasible, Solved
from optimizer.today import look_at_today
from optimizer.watch import SILENT, Watch

if TYPE_CHECKING:
    from optimizer.decompose.last import Last


class Method(StrEnum):
    """How a world is solved."""

    AUTO = "auto"
    EXACT = "exact"
    DECOMPOSITION = "decomposition"


@dataclass(eq=False)
class Memory:
    """What an earlier plan left behind, if any; and, after planning, what this one does.

    Only decomposed plans leave anything.
    """

    last: Last | None = None
    left: Last | None = None


MOST_SERVICES_AT_ONCE = 60
"""Worlds with more services are decomposed: one problem of them all takes solvers too long."""


def make_plan(
    world: World,
    *,
    backend: str = "ortools",
    method: Method = Method.AUTO,
    executor: Executor = IN_PROCESS,
    watch: Watch = SILENT,
    memory: Memory | None = None,
    expected: Expected | None = None,
) -> Outcome:
    """Forecast, formulate, solve and read the plan for ``world``.

    Large worlds are decomposed where their rules allow it, unless ``method`` says otherwise; the
    certificate says how. ``memory``: what an earlier plan left behind; large worlds start from it.
    ``expected``: demand, for whoever has foreseen it already.
    A clash of rules or a lack of time is an answer, not an exception.

    Raises ``SolverFailed`` when the backend breaks down, ``WorkersLost`` when those of
    ``executor`` are gone, and ``FaultyInput`` for worlds that cannot be formulated, or not by
    ``method``.
    """
    if expected is None:
        expected = foresee(world, executor, watch)
    solver = late.backend(backend)
    case = _Case(world, survey(world), measure(world), expected)
    if method is Method.DECOMPOSITION or (
        method is Method.AUTO and len(world.services) > MOST_SERVICES_AT_ONCE
    ):
        outcome = case.decompose(method, executor, watch, memory)
        if outcome is not None:
            return outcome
    started = perf_counter()
    with watch.stage("formulate"):
        formulation = case.formulate(world.rules)
    build_s = perf_counter() - started
    policy = world.policy
    with watch.stage("solve"):
        answer = solver.solve(
            formulation.problem, gap=policy.gap_target, time_limit_s=policy.time_limit_s
        )
    match answer:
        case Solved():
            plan = case.plan(read_placement(formulation, answer, backend, build_s))
            freely = _freely(formulation, answer, solver, watch)
            bills = (plan.placement.bill, plan.today.bill, freely)
            table = changes_table(formulation, answer.values, *bills)
            return replace(plan, placement=replace(plan.placement, changes=table))
        case ProvenInfeasible():
            return _explain(case, formulation, solver, watch)
        case OutOfTime():
            return Unfinished(world, answer.bound, answer.seconds)


@dataclass(frozen=True, eq=False)
class Expected:
    """Demand as the plan sees it. ``*_rps`` [service, origin, period] unless said otherwise.

    ``demand_rps`` and ``direct_rps`` are at the policy's quantile, in all and from users alone;
    ``outlook`` holds the policy's scenarios, or that quantile for sure; ``mean_rps``
    [service, period] and ``bands_rps`` [service, period, level] are totals.
    """

    forecast: Forecast
    demand_rps: Floats
    direct_rps: Floats
    outlook: Outlook
    mean_rps: Floats
    bands_rps: Floats


def foresee(world: World, executor: Executor = IN_PROCESS, watch: Watch = SILENT) -> Expected:
    """Forecast direct demand and derive every service's demand from it.

    Quantiles of a service that several series feed are sums of the series' quantiles: on the
    safe side, since the series do not peak together.
    """
    expected = forecast(
        world.history,
        world.starts,
        world.policy.horizon_hours,
        events=world.events,
        executor=executor,
        watch=watch,
    )
    expected = apply_factors(expected, world.demand_factors)
    names = [service.name for service in world.services]
    origins = [origin.name for origin in world.origins]

    graph = CallGraph.of(names, world.dependencies)

    def derived(rps: Floats, *, calls: bool = True) -> Floats:
        direct = direct_demand_rps(names, origins, expected.series, rps)
        return graph.traced(direct) if calls else direct

    planned = expected.at_level(world.policy.demand_quantile)
    levels = range(len(expected.levels))
    bands = [derived(expected.quantiles_rps[:, :, i]).sum(axis=1) for i in levels]
    demand, direct = derived(planned), derived(planned, calls=False)
    outlook = Outlook.certain(demand, direct)
    if scenarios := world.policy.demand_scenarios:
        levels_rps = [expected.at_level(scenario.quantile) for scenario in scenarios]
        outlook = Outlook(
            np.stack([derived(rps) for rps in levels_rps]),
            np.stack([derived(rps, calls=False) for rps in levels_rps]),
            np.array([scenario.probability for scenario in scenarios]),
        )
    return Expected(
        expected,
        demand,
        direct,
        outlook,
        derived(expected.mean_rps).sum(axis=1),
        np.stack(bands, axis=2),
    )


@dataclass(frozen=True, eq=False)
class _Case:
    """A world with all that does not depend on its rules, ready for any subset of them."""

    world: World
    market: Market
    distances: Distances
    expected: Expected

    def formulate(self, rules: tuple[Rule, ...]) -> Formulation:
        return formulate(
            self.world.keeping(rules),
            self.market,
            self.distances,
            self.expected.demand_rps,
            self.expected.direct_rps,
            self.expected.outlook,
        )

    def decompose(
        self, method: Method, executor: Executor, watch: Watch, memory: Memory | None
    ) -> Outcome | None:
        """The plan by decomposition; None when the world is better solved as one problem.

        That is so where rules tie services together in a way that the decomposition does not
        know, and where it finds no plan: then there may be none, which only the whole can prove.
        """
        answer = late.decomposition()
        with watch.stage("solve"):
            found = answer.decompose(
                self.world, self.market, self.distances, self.expected.demand_rps,
                self.expected.direct_rps, self.expected.outlook,
                None if memory is None else memory.last, executor,
            )  # fmt: skip
        if isinstance(found, answer.NotSeparable):
            if method is Method.DECOMPOSITION:
                message = f"this world cannot be decomposed: {found.why}"
                raise FaultyInput([Fault(self.world.at, message, "use --method exact")])
            return None
        if found.fleet is not None:
            if memory is not None:
                memory.left = found.left_behind()
            return self.plan(answer.read_decomposed(found, found.fleet, self.distances))
        if method is Method.DECOMPOSITION:
            return Unfinished(self.world, found.bound_usd, found.build_s + found.solve_s)
        return None

    def plan(self, placement: Placement) -> Plan:
        world, expected = self.world, self.expected
        return Plan(
            world,
            expected.forecast,
            expected.demand_rps,
            expected.mean_rps,
            expected.bands_rps,
            placement,
            look_at_today(world, expected.demand_rps, expected.direct_rps, expected.outlook),
        )


FREELY_TIME_LIMIT_S = 10.0
FREELY_GAP = 1e-5


def _freely(formulation: Formulation, answer: Solved, solver: Backend, watch: Watch) -> Bill | None:
    """The bill if services that stay as they are were free to change; None: none stays, or no
    time.
    """
    moves = formulation.moves
    if moves is None or not staying(moves, answer.values).any():
        return None
    problem = without_hurdles_where_nothing_changes(formulation, answer.values)
    with watch.stage("see what stays, and what changing would save"):
        free = solver.solve(problem, gap=FREELY_GAP, time_limit_s=FREELY_TIME_LIMIT_S)
    if not isinstance(free, Solved):
        return None
    return make_bill(formulation, free.values, read_counts(formulation, free.values))


CLASH_TIME_LIMIT_S = 60.0
ORACLE_TIME_LIMIT_S = 10.0


def _explain(case: _Case, formulation: Formulation, solver: Backend, watch: Watch) -> Infeasible:
    """Find the smallest set of rules that clash, with the reasons why places were ruled out."""

    def answered(problem: Problem) -> bool | None:
        match solver.solve(problem, gap=1.0, time_limit_s=ORACLE_TIME_LIMIT_S):
            case Solved():
                return True
            case ProvenInfeasible():
                return False
            case OutOfTime():
                return None

    def feasible(rules: tuple[Rule, ...]) -> bool | None:
        problem = case.formulate(rules).problem.without_cost()
        return answered(problem.relaxed()) and answered(problem)

    def relaxed(rules: tuple[Rule, ...]) -> bool | None:
        return answered(case.formulate(rules).problem.without_cost().relaxed())

    affordable = _without_budgets(case, solver)
    clash = smallest_clash(case.world.rules, feasible, relaxed, CLASH_TIME_LIMIT_S, watch)
    named = {rule.name for rule in clash.rules} or {NOTHING_FITS}
    reasons = affordable + tuple(
        dict.fromkeys(
            f"{e.service} in {e.place}: {e.reason}" for e in formulation.exclusions.by(named)
        )
    )
    return Infeasible(case.world, clash.rules, clash.smallest, reasons, clash.irreducible)


def _without_budgets(case: _Case, solver: Backend) -> tuple[str, ...]:
    """What the other rules cost when no budget binds: how far the budgets are from enough."""
    rules = tuple(rule for rule in case.world.rules if not isinstance(rule, BudgetRule))
    if len(rules) == len(case.world.rules):
        return ()
    policy = case.world.policy
    answer = solver.solve(
        case.formulate(rules).problem, gap=policy.gap_target, time_limit_s=policy.time_limit_s
    )
    if not isinstance(answer, Solved):
        return ()
    monthly = HOURS_PER_MONTH / policy.horizon_hours
    found, least = answer.objective * monthly, answer.bound * monthly
    besides = f", {case.world.counts_besides} counted" if case.world.counts_besides else ""
    text = f"without budgets, the cheapest plan found costs {found:,.0f} USD per month{besides}"
    return (f"{text}, and none costs less than {least:,.0f}",)
