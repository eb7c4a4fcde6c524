"""Commands that prove something about what is there: verify and grade."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.options import (
    Backend,
    BackendOption,
    Format,
    GapOption,
    OutOption,
    QuietOption,
    TableFormat,
    TimeLimitOption,
    WorldName,
)


def verify(
    plan: Annotated[
        Path,
        typer.Argument(
            metavar="PLAN", help="A plan.json, or a folder that holds one.", show_default=False
        ),
    ],
    world: WorldName,
    scenario: Annotated[
        str | None,
        typer.Option(
            "--scenario",
            metavar="FILE",
            help="Check it in the world as this what-if changes it.",
            show_default=False,
        ),
    ] = None,
    no_bound: Annotated[
        bool, typer.Option("--no-bound", help="Do not derive the bound anew: nothing is solved.")
    ] = False,
    backend: BackendOption = Backend.ORTOOLS,
    time_limit: TimeLimitOption = None,
    form: Annotated[Format, typer.Option("--format", help="What is printed.")] = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Check a plan against every rule, recompute its bill and derive its bound anew.

    The plan may be anybody's. Nothing that checks it is shared with what makes plans, but for the
    solver that derives the bound. Exits with 6 when something does not hold.
    """
    from optimizer.cli import certifying

    solver = None if no_bound else backend.value
    request = certifying.Request(solver, time_limit, form, quiet)
    raise typer.Exit(certifying.verify_plan(plan, world, scenario, request))


def grade(
    world: WorldName,
    out: OutOption = None,
    backend: BackendOption = Backend.ORTOOLS,
    gap: GapOption = None,
    time_limit: TimeLimitOption = None,
    form: Annotated[
        TableFormat, typer.Option("--format", help="What is printed; csv is grade.csv.")
    ] = TableFormat.TABLE,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 5 when the gap target is missed.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Grade what runs today: how much of each dollar is provably wasted, where, and why.

    A plan of the same work is the proof; DIR receives it beside the grade.
    """
    from optimizer.cli import grading, solving

    request = solving.Request(
        backend.value, gap, time_limit, out, Format.TABLE, strict=strict, quiet=quiet
    )
    raise typer.Exit(grading.grade_world(world, request, form))
