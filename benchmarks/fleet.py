"""Large fleets with every kind of rule, from the parsed world to the plan; and what else there is.

The time limit of every plan is 300 s, or what ``FLEET_LIMIT_S`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path

from benchmarks.fleet_worlds import LIMIT_S, Stopwatch, compile_first, proven, strict_world
from benchmarks.registry import Case, Metric, benchmark

HOURS = 24
WEEK = 168
WHOLE_GAP = 0.005
"""What one problem for everything is asked for: five times the gap of the decomposition."""
SOLVERS = ("HiGHS", "SCIP", "CP-SAT", "PuLP/CBC")
GREEDY = ("first fit, largest first", "cheapest unit price")


def _planned(services: int, hours: int) -> Case:
    return Case(f"{services:,} services x {hours} h", partial(measure, services, hours, ()))


@benchmark("fleet-100", "100 services by decomposition, as one problem, and by two greedy methods")
def fleet_100(data: Path | None) -> Iterator[Case]:
    del data
    planned = _planned(100, HOURS)
    yield planned
    for solver in SOLVERS:
        whole = partial(measure_whole, 100, HOURS, solver)
        yield Case(f"{planned.name}, one problem, {solver}", whole, planned.name)
    for method in GREEDY:
        greedy = partial(measure_greedy, 100, HOURS, method)
        yield Case(f"{planned.name}, {method}", greedy, planned.name)


def _register(name: str, services: int, hours: int, about: str) -> None:
    def cases(data: Path | None) -> Iterator[Case]:
        del data
        yield _planned(services, hours)

    benchmark(name, about)(cases)


_register("fleet-1000", 1_000, HOURS, "1,000 services from the parsed world to the plan")
_register("fleet-10000", 10_000, HOURS, "10,000 services from the parsed world to the plan")
_register("fleet-100000", 100_000, HOURS, "100,000 services from the parsed world to the plan")
_register("fleet-week", 1_000, WEEK, "1,000 services, hourly for a week")


def measure(services: int, hours: int, without: Collection[str], folder: Path) -> Iterator[Metric]:
    """Generate a world, decompose it, and say what it took."""
    from models.plan import Infeasible, Plan, Unfinished
    from optimizer.plan import Method, make_plan

    compile_first(folder / "first")
    world = strict_world(services, hours, folder / "world", without=without)
    watch = Stopwatch()
    outcome = make_plan(world, method=Method.DECOMPOSITION)
    yield from watch.metrics()
    target = world.policy.gap_target
    match outcome:
        case Plan():
            certificate = outcome.placement.certificate
            yield from proven(certificate.objective_usd, certificate.bound_usd, target)
        case Unfinished():
            yield from proven(None, outcome.bound_usd, target)
        case Infeasible():
            raise RuntimeError("the world is feasible, and the plan says that it is not")


def measure_whole(services: int, hours: int, solver: str, folder: Path) -> Iterator[Metric]:
    """One mixed-integer problem for the whole world, given to a solver."""
    from optimizer.formulate.assemble import formulate
    from optimizer.formulate.market import survey
    from optimizer.formulate.reach import measure as measure_distances
    from optimizer.plan import foresee
    from optimizer.solve.answers import Backend, ProvenInfeasible, Solved
    from optimizer.solve.ortools_backend import OrToolsBackend
    from optimizer.solve.pulp_backend import PulpBackend

    world = strict_world(services, hours, folder / "world")
    backends: dict[str, Callable[[], Backend]] = {
        "HiGHS": OrToolsBackend,
        "SCIP": partial(OrToolsBackend, "scip"),
        "CP-SAT": partial(OrToolsBackend, "cp_sat"),
        "PuLP/CBC": PulpBackend,
    }
    watch = Stopwatch()
    seen = foresee(world)
    problem = formulate(
        world, survey(world), measure_distances(world), seen.demand_rps, seen.direct_rps,
        seen.outlook,
    ).problem  # fmt: skip
    answer = backends[solver]().solve(problem, gap=WHOLE_GAP, time_limit_s=LIMIT_S)
    yield from watch.metrics()
    if isinstance(answer, ProvenInfeasible):
        raise RuntimeError(f"the world is feasible, and {solver} says that it is not")
    rows, columns = problem.matrix.shape
    yield Metric("rows", rows, "1")
    yield Metric("columns", columns, "1")
    solved = answer if isinstance(answer, Solved) else None
    yield from proven(solved.objective if solved else None, answer.bound, WHOLE_GAP)
    yield Metric("worst_row", problem.violation(solved.values) if solved else None, "1")


def measure_greedy(services: int, hours: int, method: str, folder: Path) -> Iterator[Metric]:
    """What a greedy plan costs by the product's own bill, and which rules it breaks."""
    from benchmarks.baselines import FirstFit, cheapest_unit_price, greedy_plan
    from models.placement import Bill
    from optimizer.plan import foresee
    from optimizer.verify.case import demand_of
    from optimizer.verify.entries import PlanEntry
    from optimizer.verify.verify import examine

    world = strict_world(services, hours, folder / "world")
    watch = Stopwatch()
    demand_rps = foresee(world).outlook.highest_rps
    choose = FirstFit(world) if method == GREEDY[0] else cheapest_unit_price
    document = greedy_plan(world, demand_rps, choose)
    yield from watch.metrics()
    looked = examine(PlanEntry.model_validate(document), world, demand_of(world), Bill(hours, ()))
    yield Metric("objective", float(looked.bill.total_usd + looked.bill.shadow_usd), "USD")
    kind_of = {rule.name: type(rule).__name__ for rule in world.rules}
    broken = {found.rule for found in looked.violations}
    yield Metric("broken_rules", len(broken), "1")
    kinds = [kind_of.get(rule, rule) for rule in broken]
    for kind in sorted(set(kinds)):
        yield Metric(f"broken_{kind}", kinds.count(kind), "1")
