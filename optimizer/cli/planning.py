"""Commands that solve or check worlds: plan, whatif, why-not, validate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.options import (
    Backend,
    BackendOption,
    DaskOption,
    Format,
    GapOption,
    Method,
    MethodOption,
    OutOption,
    QuietOption,
    TimeLimitOption,
    WorkersOption,
    WorldName,
    one_of,
)


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
    method: MethodOption = Method.AUTO,
    backend: BackendOption = Backend.ORTOOLS,
    gap: GapOption = None,
    time_limit: TimeLimitOption = None,
    form: Annotated[
        Format, typer.Option("--format", help="What is printed; json is the text of plan.json.")
    ] = Format.TABLE,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 5 when the gap target is missed.")
    ] = False,
    after: Annotated[
        Path | None,
        typer.Option(
            "--after",
            metavar="DIR",
            help="Start from the plan in this folder: what asks for the same as then stays as it "
            "is, and prices are taken up. For large worlds; much faster after a small change.",
            show_default=False,
        ),
    ] = None,
    workers: WorkersOption = 1,
    dask: DaskOption = None,
    quiet: QuietOption = False,
) -> None:
    """Find the cheapest fleet that keeps every rule, and prove it.

    Results are written to DIR only when there is a plan; else what is there stays.
    """
    from optimizer.cli import solving

    one_of(workers, dask)
    request = solving.Request(
        backend.value, gap, time_limit, out, form, strict, quiet, workers, dask, method.value, after
    )
    raise typer.Exit(solving.plan(world, scenario, request))


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
    method: MethodOption = Method.AUTO,
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
    workers: WorkersOption = 1,
    dask: DaskOption = None,
    quiet: QuietOption = False,
) -> None:
    """Plan the world as it is and under each scenario, and compare."""
    from optimizer.cli import solving

    one_of(workers, dask)
    request = solving.Request(
        backend.value, gap, time_limit, out, form, strict, quiet, workers, dask, method.value
    )
    raise typer.Exit(solving.whatif(world, scenario, request))


def why_not(
    world: WorldName,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="Name of a service.")],
    region: Annotated[
        str, typer.Argument(metavar="REGION", help="Candidate place, such as aws/eu-west-1.")
    ],
) -> None:
    """Say why a service may not run in a region, or that it may and how much dearer that is."""
    from optimizer.cli import solving

    solving.explain_why_not(world, service, region)


def validate(world: WorldName) -> None:
    """Read a world with everything that it refers to, and list every fault."""
    from optimizer.cli import solving

    solving.validate(world)
