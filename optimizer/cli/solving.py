"""The work behind plan, whatif, why-not and validate. Heavy: commands import it when they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from models.errors import Fault, FaultyInput
from models.placement import Proof
from models.plan import Infeasible, Outcome, Plan, Unfinished
from models.world import Catalogue, World
from optimizer import late
from optimizer.cli.exits import ExitCode
from optimizer.cli.finding import find_scenarios, find_world
from optimizer.cli.interrupting import interruptible
from optimizer.cli.options import Format
from optimizer.cli.progress import watching
from optimizer.cli.screen import say, stdout_screen
from optimizer.exclusions import serves, why_not
from optimizer.executor.seam import Executor
from optimizer.gather import gather
from optimizer.output.comparison import BASE, compare, comparison_document, comparison_text
from optimizer.output.files import comparison_files, plan_files
from optimizer.output.json_values import json_text
from optimizer.output.plan_json import outcome_document
from optimizer.output.plan_text import outcome_text
from optimizer.output.why_not_text import why_not_text
from optimizer.output.writing import check_destination, write_folder
from optimizer.plan import Memory, Method, make_plan
from optimizer.unit_prices import unit_prices
from optimizer.watch import Watch
from optimizer.whatifs import plan_whatifs
from scenarios.whatif import Scenario, apply, read_scenario

MEMORY = "memory.npz"
"""What a plan leaves behind for the next one."""


@dataclass(frozen=True, slots=True)
class Request:
    """How to solve and what to show, as the command line says. None: the world's policy."""

    backend: str
    gap: float | None
    time_limit_s: float | None
    out: Path | None
    form: Format
    strict: bool
    quiet: bool
    workers: int = 1
    dask: str | None = None
    method: str = Method.AUTO
    after: Path | None = None

    def limited(self, world: World) -> World:
        """The world with the limits of the command line in its policy."""
        policy = world.policy
        if self.gap is not None:
            policy = replace(policy, gap_target=self.gap)
        if self.time_limit_s is not None:
            policy = replace(policy, time_limit_s=self.time_limit_s)
        return replace(world, policy=policy)

    def memory(self) -> Memory:
        """What the plan in the folder ``after`` left behind; nothing where there is none."""
        if self.after is None:
            return Memory()
        return Memory(late.decomposition().Last.load(self.after / MEMORY))

    def solve(self, world: World, executor: Executor, watch: Watch, memory: Memory) -> Outcome:
        limited = self.limited(world)
        return interruptible(
            lambda: make_plan(
                limited,
                backend=self.backend,
                method=Method(self.method),
                executor=executor,
                watch=watch,
                memory=memory,
            )
        )

    def executor(self, watch: Watch) -> Executor:
        """Who does the work."""
        if self.dask is None:
            return late.executor(self.workers)
        with watch.stage(f"connect to {self.dask}"):
            return late.executor(dask=self.dask)

    def end_of(self, outcome: Outcome) -> ExitCode:
        match outcome:
            case Infeasible():
                return ExitCode.INFEASIBLE
            case Unfinished():
                return ExitCode.UNFINISHED
        missed = outcome.placement.certificate.proof is Proof.TIME_LIMIT
        return ExitCode.GAP_MISSED if self.strict and missed else ExitCode.FINE


def plan(name: str, scenario: str | None, request: Request) -> ExitCode:
    """Plan one world, as it is or under a what-if; write and show the outcome."""
    path = find_world(name)
    files = find_scenarios([scenario], path) if scenario is not None else ()
    if request.out is not None:
        check_destination(request.out)
    memory = request.memory()
    with watching(request.quiet) as watch, request.executor(watch) as executor:
        world, catalogue = gather(path, watch)
        for _, changed in whatifs_of(files, world, catalogue):
            world = changed
        outcome = request.solve(world, executor, watch, memory)
        if request.out is not None and isinstance(outcome, Plan):
            with watch.stage("write the results"):
                left = {MEMORY: memory.left.as_bytes()} if memory.left is not None else {}
                write_folder(request.out, {**plan_files(outcome), **left})
    _show(outcome, request)
    if request.out is not None and not request.quiet and request.form is Format.TABLE:
        written = f"Written to {request.out}: report.html, plan.json and CSV files."
        say(written if isinstance(outcome, Plan) else f"Nothing was written to {request.out}.")
    return request.end_of(outcome)


def whatif(name: str, scenarios: Sequence[str], request: Request) -> ExitCode:
    """Plan a world and its what-ifs; write and show how they compare."""
    path = find_world(name)
    files = find_scenarios(scenarios, path)
    if request.out is not None:
        check_destination(request.out)
    with watching(request.quiet) as watch, request.executor(watch) as executor:
        world, catalogue = gather(path, watch)
        whatifs = [one for one, _ in whatifs_of(files, world, catalogue)]
        with watch.stage("plan the world and its what-ifs", 1 + len(whatifs)) as progress:
            outcomes = plan_whatifs(
                request.limited(world),
                catalogue,
                whatifs,
                request.backend,
                executor,
                Method(request.method),
            )
            base = interruptible(partial(next, outcomes))
            if not isinstance(base, Plan):
                _show(base, request)
                return request.end_of(base)
            progress.advance()
            others = []
            for one in whatifs:
                others.append((one.name, interruptible(partial(next, outcomes))))
                progress.advance()
        if request.out is not None:
            changes = {one.name: one.in_words for one in whatifs}
            with watch.stage("write the results"):
                write_folder(request.out, comparison_files(base, others, changes))
    _show_comparison([(BASE, base), *others], request)
    if not request.strict:
        return ExitCode.FINE
    ends = {request.end_of(outcome) for outcome in (base, *(outcome for _, outcome in others))}
    return min(ends - {ExitCode.FINE}, default=ExitCode.FINE)


def explain_why_not(name: str, service: str, place: str) -> None:
    """Say what keeps a service out of a place, or what it costs there."""
    with watching(quiet=False) as watch:
        world, _ = gather(find_world(name), watch)
    reasons = why_not(world, service, place)
    served = serves(world, service, place)
    prices = None
    if served:
        by_price = unit_prices(world, service)
        here = next(price for price in by_price if price.place == place)
        cheapest = next(
            price for price in by_price if set(served) <= {*serves(world, service, price.place)}
        )
        prices = here, cheapest
    say(why_not_text(world, (service, place), reasons, served, prices, stdout_screen().width))


def validate(name: str) -> None:
    """Say that a world has no faults; ``gather`` raises those that it has."""
    with watching(quiet=False) as watch:
        world, _ = gather(find_world(name), watch)
    say(
        f"{world.name}: no faults in {len(world.services):,} services, {len(world.rules):,} rules "
        f"and {len(world.fleet.groups):,} groups of instances; "
        f"{len(world.regions):,} candidate places, {len(world.book):,} offerings"
    )


def whatifs_of(
    files: Sequence[Path], world: World, catalogue: Catalogue
) -> list[tuple[Scenario, World]]:
    """Every scenario with the world that it makes; raises the faults of all of them at once."""
    made: list[tuple[Scenario, World]] = []
    faults: list[Fault] = []
    for file in files:
        try:
            scenario = read_scenario(file)
            made.append((scenario, apply(scenario, world, catalogue)))
        except FaultyInput as error:
            faults += error.faults
    names = Counter(scenario.name for scenario, _ in made)
    faults += [
        Fault(scenario.at, f"another scenario is called {scenario.name} too", "rename one of them")
        for scenario, _ in made
        if names[scenario.name] > 1
    ]
    faults += [
        Fault(scenario.at, f"a scenario may not be called {BASE}", "that is the world as it is")
        for scenario, _ in made
        if scenario.name == BASE
    ]
    if faults:
        raise FaultyInput(faults)
    return made


def _show(outcome: Outcome, request: Request) -> None:
    if request.form is Format.JSON:
        say(json_text(outcome_document(outcome)))
    elif not request.quiet:
        screen = stdout_screen()
        say(outcome_text(outcome, screen.width, screen.colour))


def _show_comparison(named: Sequence[tuple[str, Outcome]], request: Request) -> None:
    alternatives = compare(named)
    if request.form is Format.JSON:
        say(json_text(comparison_document(alternatives)))
    elif not request.quiet:
        screen = stdout_screen()
        say(comparison_text(alternatives, screen.width, screen.colour))
        if request.out is not None:
            say(f"Written to {request.out}: comparison.html, comparison.json, comparison.csv.")
