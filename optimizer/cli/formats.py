"""Commands about files: schema, generate."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.screen import say


class Kind(StrEnum):
    """A file format that trimtab reads or writes."""

    WORLD = "world"
    SCENARIO = "scenario"
    PODS = "pods"
    PLAN = "plan"
    VERIFICATION = "verification"
    GRADE = "grade"


def schema(
    kind: Annotated[
        Kind,
        typer.Argument(
            help="world, scenario and pods files are read, the others are written.",
            show_default=False,
        ),
    ],
) -> None:
    """Print the JSON Schema of a file format."""
    from optimizer.output.grade_json import grade_schema
    from optimizer.output.plan_schema import plan_schema
    from optimizer.output.verify_json import verification_schema
    from scenarios.pods import pods_schema
    from scenarios.schema import scenario_schema, world_schema

    documents = {
        Kind.WORLD: world_schema,
        Kind.SCENARIO: scenario_schema,
        Kind.PODS: pods_schema,
        Kind.PLAN: plan_schema,
        Kind.VERIFICATION: verification_schema,
        Kind.GRADE: grade_schema,
    }
    say(json.dumps(documents[kind](), indent=2))


def generate(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="New or empty folder for the world.",
            show_default=False,
        ),
    ],
    services: Annotated[
        int, typer.Option("--services", metavar="N", help="Number of services.")
    ] = 100,
    hours: Annotated[int, typer.Option("--hours", metavar="H", help="Hours to plan.")] = 24,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", help="The same seed gives the same world.")
    ] = 1,
) -> None:
    """Make up a world of any size, to try things on."""
    from scenarios.generator import generate_world

    generate_world(services, hours, seed, out)
    say(f"Written to {out}. Plan it with: trimtab plan {out}")
