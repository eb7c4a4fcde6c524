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
    COLLECTION = "collection"
    TELEMETRY = "telemetry"
    PLAN = "plan"
    VERIFICATION = "verification"
    GRADE = "grade"
    FORECAST = "forecast"
    FORESIGHT = "foresight"
    SIMULATION = "simulation"


def schema(
    kind: Annotated[
        Kind,
        typer.Argument(
            help="world, scenario, pods, collection and telemetry files are read, the others are "
            "written.",
            show_default=False,
        ),
    ],
) -> None:
    """Print the JSON Schema of a file format."""
    from optimizer.output.forecast_json import forecast_schema
    from optimizer.output.foresight_json import foresight_schema
    from optimizer.output.grade_json import grade_schema
    from optimizer.output.plan_schema import plan_schema
    from optimizer.output.simulation_json import simulation_schema
    from optimizer.output.verify_json import verification_schema
    from scenarios.collecting import collection_schema
    from scenarios.observing import telemetry_schema
    from scenarios.pods import pods_schema
    from scenarios.schema import scenario_schema, world_schema

    documents = {
        Kind.WORLD: world_schema,
        Kind.SCENARIO: scenario_schema,
        Kind.PODS: pods_schema,
        Kind.COLLECTION: collection_schema,
        Kind.TELEMETRY: telemetry_schema,
        Kind.PLAN: plan_schema,
        Kind.VERIFICATION: verification_schema,
        Kind.GRADE: grade_schema,
        Kind.FORECAST: forecast_schema,
        Kind.FORESIGHT: foresight_schema,
        Kind.SIMULATION: simulation_schema,
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
    rules: Annotated[
        str | None,
        typer.Option(
            "--rules",
            metavar="KINDS",
            help="Rules that bind, with commitments and demand scenarios: all, none, or kinds "
            "separated by commas. Default: easy rules, without these two.",
            show_default=False,
        ),
    ] = None,
    without: Annotated[
        str, typer.Option("--without", metavar="KINDS", help="Leave these kinds out of --rules.")
    ] = "",
    hourly: Annotated[
        bool, typer.Option("--hourly", help="Let sizes and routes change every hour, not two.")
    ] = False,
) -> None:
    """Make up a world of any size, to try things on."""
    from providers.geography.regions import load_regions
    from providers.pricebook.embedded import load_embedded_book
    from scenarios.generate.kinds import Strict, kinds_named
    from scenarios.generator import generate_world

    strict = None
    if (kinds := kinds_named(rules, without)) is not None:
        strict = Strict(load_embedded_book(load_regions()).offerings, kinds)
    generate_world(services, hours, seed, out, strict, hourly=hourly)
    say(f"Written to {out}. Plan it with: trimtab plan {out}")
