"""Commands that solve or check worlds: plan, whatif, why-not, validate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.cli.exits import ExitCode
from optimizer.cli.finding import find_scenarios, find_world
from optimizer.cli.options import (
    Backend,
    BackendOption,
    Format,
    GapOption,
    OutOption,
    QuietOption,
    TimeLimitOption,
    WorldName,
)
from optimizer.cli.progress import watching
from optimizer.cli.screen import say, stdout_screen

if TYPE_CHECKING:
    from models.plan import Outcome
    from models.world import World

FormatOption = Annotated[
    Format, typer.Option("--format", help="What is printed; json is the document of plan.json.")
]


def plan(
    world: WorldName,
    scenario: Annotated[
        str | None,
        typer.Option(
            "--scenario",
            metavar="FILE",
            help="Plan the world as this what-if changes it: a scenario file, or its name among "
            "the world's whatifs.",
            show_default=False,
        ),
    ] = None,
    out: OutOption = None,
    backend: BackendOption = Backend.ORTOOLS,
    gap: GapOption = None,
    time_limit: TimeLimitOption = None,
    form: FormatOption = Format.TABLE,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 5 when the gap target is missed.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Find the cheapest fleet that keeps every rule, and prove it."""
    from models.plan import Plan
    from optimizer.gather import gather
    from optimizer.output.files import plan_files
    from optimizer.output.json_values import json_text
    from optimizer.output.plan_json import outcome_document
    from optimizer.output.plan_text import outcome_text
    from optimizer.output.writing import check_destination, write_folder
    from optimizer.plan import make_plan
    from scenarios.whatif import apply, read_scenario

    path = find_world(world)
    changed_by = find_scenarios([scenario], path) if scenario is not None else ()
    if out is not None:
        check_destination(out)
    with watching(quiet) as watch:
        seen, catalogue = gather(path, watch)
        for file in changed_by:
            seen = apply(read_scenario(file), seen, catalogue)
        outcome = make_plan(_under(seen, gap, time_limit), backend=backend.value, watch=watch)
        if out is not None and isinstance(outcome, Plan):
            with watch.stage("write the results"):
                write_folder(out, plan_files(outcome))
    if form is Format.JSON:
        say(json_text(outcome_document(outcome)))
    elif not quiet:
        screen = stdout_screen()
        say(outcome_text(outcome, screen.width, screen.colour))
        if out is not None and isinstance(outcome, Plan):
            say(f"Written to {out}: report.html, plan.json and CSV files.")
        elif out is not None:
            say(f"Nothing was written to {out}.")
    raise typer.Exit(_end_of(outcome, strict))


def whatif(
    world: WorldName,
    scenario: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENARIO...",
            help="Scenario files, folders of them, or their names among the world's whatifs.",
            show_default=False,
        ),
    ],
    out: OutOption = None,
    backend: BackendOption = Backend.ORTOOLS,
    gap: GapOption = None,
    time_limit: TimeLimitOption = None,
    form: Annotated[
        Format, typer.Option("--format", help="What is printed; json is comparison.json.")
    ] = Format.TABLE,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Exit with 3, 4 or 5 when a scenario has no plan or misses the gap."
        ),
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Plan the world as it is and under each scenario, and compare."""
    from models.plan import Plan
    from optimizer.gather import gather
    from optimizer.output.comparison import compare, comparison_document, comparison_text
    from optimizer.output.files import comparison_files
    from optimizer.output.json_values import json_text
    from optimizer.output.plan_text import outcome_text
    from optimizer.output.writing import check_destination, write_folder
    from optimizer.plan import make_plan
    from scenarios.whatif import apply, read_scenario

    path = find_world(world)
    files = find_scenarios(scenario, path)
    if out is not None:
        check_destination(out)
    screen = stdout_screen()
    with watching(quiet) as watch:
        seen, catalogue = gather(path, watch)
        whatifs = [read_scenario(file) for file in files]
        worlds = [apply(one, seen, catalogue) for one in whatifs]
        base = make_plan(_under(seen, gap, time_limit), backend=backend.value, watch=watch)
        if not isinstance(base, Plan):
            say(outcome_text(base, screen.width, screen.colour))
            raise typer.Exit(_end_of(base, strict))
        others: list[tuple[str, Outcome]] = []
        with watch.stage("scenarios", len(worlds)) as progress:
            for one, changed in zip(whatifs, worlds, strict=True):
                limited = _under(changed, gap, time_limit)
                others.append((one.name, make_plan(limited, backend=backend.value, watch=watch)))
                progress.advance()
        if out is not None:
            with watch.stage("write the results"):
                changes = {one.name: one.in_words for one in whatifs}
                write_folder(out, comparison_files(base, others, changes))
    alternatives = compare([("base", base), *others])
    if form is Format.JSON:
        say(json_text(comparison_document(alternatives)))
    elif not quiet:
        say(comparison_text(alternatives, screen.width, screen.colour))
        if out is not None:
            say(f"Written to {out}: comparison.html, comparison.json and comparison.csv.")
    if strict:
        ends = {_end_of(outcome, strict) for _, outcome in [("base", base), *others]}
        raise typer.Exit(min(ends - {ExitCode.FINE}, default=ExitCode.FINE))


def why_not(
    world: WorldName,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="Name of a service.")],
    region: Annotated[
        str, typer.Argument(metavar="REGION", help="Candidate place, such as aws/eu-west-1.")
    ],
) -> None:
    """Say why a service may not run in a region, or that it may and how much dearer that is."""
    from optimizer.exclusions import serves
    from optimizer.exclusions import why_not as reasons_against
    from optimizer.gather import gather
    from optimizer.output.why_not_text import why_not_text
    from optimizer.unit_prices import unit_prices

    seen, _ = gather(find_world(world))
    reasons = reasons_against(seen, service, region)
    served = serves(seen, service, region)
    prices = None
    if served:
        by_price = unit_prices(seen, service)
        here = next(price for price in by_price if price.place == region)
        cheapest = next(price for price in by_price if serves(seen, service, price.place))
        prices = here, cheapest
    width = stdout_screen().width
    say(why_not_text(seen, (service, region), reasons, served, prices, width))


def validate(world: WorldName) -> None:
    """Read a world with everything that it refers to, and list every fault."""
    from optimizer.gather import gather

    seen, _ = gather(find_world(world))
    say(_counted(seen))


def _under(world: World, gap: float | None, time_limit: float | None) -> World:
    """The world with the limits of the command line in its policy."""
    policy = world.policy
    if gap is not None:
        policy = replace(policy, gap_target=gap)
    if time_limit is not None:
        policy = replace(policy, time_limit_s=time_limit)
    return replace(world, policy=policy)


def _end_of(outcome: Outcome, strict: bool) -> ExitCode:
    from models.placement import Proof
    from models.plan import Infeasible, Unfinished

    match outcome:
        case Infeasible():
            return ExitCode.INFEASIBLE
        case Unfinished():
            return ExitCode.UNFINISHED
    missed = outcome.placement.certificate.proof is Proof.TIME_LIMIT
    return ExitCode.GAP_MISSED if strict and missed else ExitCode.FINE


def _counted(world: World) -> str:
    return (
        f"{world.name}: no faults in {len(world.services):,} services, "
        f"{len(world.rules):,} rules and {len(world.fleet.groups):,} groups of instances; "
        f"{len(world.regions):,} candidate places, {len(world.book):,} offerings"
    )
