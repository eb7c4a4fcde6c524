"""The command simulate."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.options import OutOption, QuietOption, TableFormat, WorldName, finite


class Bills(StrEnum):
    """How the simulated cloud bills."""

    SECOND = "second"
    HOUR = "hour"


PoliciesOption = Annotated[
    str,
    typer.Option(
        "--policy",
        metavar="LIST",
        help="Policies with commas between them: ours, reactive, hpa, tracking, scheduled, "
        "yesterday, static, foresight, plan (planned again every hour, slow). With parameters: "
        "reactive:0.7:5m, hpa:0.6; what is not given is chosen on earlier demand.",
    ),
]
TraceOption = Annotated[
    Path | None,
    typer.Option(
        "--trace",
        metavar="FILE",
        help="Demand to replay: CSV or Parquet with ts and rps, and service and origin where "
        "there are several. Default: the world's trace, else its history.",
        show_default=False,
    ),
]
TelemetryOption = Annotated[
    Path | None,
    typer.Option(
        "--telemetry",
        metavar="DIR",
        help="Replay the requests that were measured into this folder (trimtab observe).",
        show_default=False,
    ),
]
PricesOption = Annotated[
    Path | None,
    typer.Option(
        "--plan",
        metavar="PLAN",
        help="Replicas cost what they cost in this plan: plan.json, or a folder that holds "
        "one. Default: the cheapest lawful offering.",
        show_default=False,
    ),
]
ServicesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--service",
        metavar="NAME",
        help="Only this service; may be repeated. A trace without services is of this one.",
        show_default=False,
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="TIME",
        help="Figures count from here on, such as 2026-03-01T00:00Z; parameters are chosen on "
        "what comes before. Default: the middle.",
        show_default=False,
    ),
]
ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="TIME", help="And until here.", show_default=False),
]
UnservedOption = Annotated[
    float | None,
    typer.Option(
        "--unserved",
        metavar="SHARE",
        min=1e-9,
        max=0.5,
        callback=finite,
        help="Share of requests that may go unserved when parameters are chosen. Default: the "
        "world's unmet_at_most, else its unserved_share.",
        show_default=False,
    ),
]
WorthOption = Annotated[
    float | None,
    typer.Option(
        "--worth",
        metavar="W",
        min=1,
        max=1e6,
        callback=finite,
        help="Choose parameters by price instead: a request that goes unserved counts as W "
        "times the rent of the replica's time that it takes.",
        show_default=False,
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of what is random.")]
BillingOption = Annotated[
    Bills,
    typer.Option("--billing", help="By the second, a minute at least; or by the hour."),
]
BootSpreadOption = Annotated[
    float,
    typer.Option(
        "--boot-spread",
        metavar="S",
        min=0,
        max=2,
        callback=finite,
        help="Standard deviation of the logarithm of boot times.",
    ),
]
FailuresOption = Annotated[
    float,
    typer.Option(
        "--failures",
        metavar="N",
        min=0,
        max=1e5,
        callback=finite,
        help="Failures a month of a replica that serves; it is back after a minute.",
    ),
]
InterruptionOption = Annotated[
    float | None,
    typer.Option(
        "--interruption",
        metavar="CHANCE",
        min=0,
        max=0.999,
        callback=finite,
        help="Chance of a month that a spot pool is taken away. Default: the price book's, "
        "else 0.05.",
        show_default=False,
    ),
]
PatienceOption = Annotated[
    int,
    typer.Option(
        "--patience", metavar="SECONDS", min=0, max=3600, help="How long a request waits."
    ),
]
LagOption = Annotated[
    int,
    typer.Option("--lag", metavar="SECONDS", min=0, max=3600, help="How late metrics are known."),
]
CooldownOption = Annotated[
    int,
    typer.Option(
        "--cooldown",
        metavar="SECONDS",
        min=0,
        max=86_400,
        help="Nothing is stopped so soon after a start.",
    ),
]
MostReplicasOption = Annotated[
    int | None,
    typer.Option(
        "--max-replicas",
        metavar="N",
        min=1,
        max=10**5,
        help="Of each service.",
        show_default=False,
    ),
]
FrontierOption = Annotated[
    bool,
    typer.Option(
        "--frontier",
        help="Play all settings of all policies, too, and draw what they cost against what "
        "they leave unserved.",
    ),
]
EachServiceOption = Annotated[
    bool, typer.Option("--services", help="Show every service for itself.")
]
FormatOption = Annotated[
    TableFormat,
    typer.Option("--format", help="What is printed; csv has a row per policy and service."),
]


def simulate(
    world: WorldName,
    policy: PoliciesOption = "ours,reactive,hpa,scheduled,static,foresight:1h,foresight",
    trace: TraceOption = None,
    telemetry: TelemetryOption = None,
    plan: PricesOption = None,
    service: ServicesOption = None,
    starts: FromOption = None,
    ends: ToOption = None,
    unserved: UnservedOption = None,
    worth: WorthOption = None,
    seed: SeedOption = 0,
    bills: BillingOption = Bills.SECOND,
    boot_spread: BootSpreadOption = 0.0,
    failures: FailuresOption = 0.0,
    interruption: InterruptionOption = None,
    patience: PatienceOption = 10,
    lag: LagOption = 15,
    cooldown: CooldownOption = 0,
    most: MostReplicasOption = None,
    frontier: FrontierOption = False,
    services: EachServiceOption = False,
    out: OutOption = None,
    form: FormatOption = TableFormat.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Replay demand against policies of scaling in a simulated cloud, and compare them.

    Cost is that of replicas at list prices, beside that of perfect foresight, which nobody beats
    without letting requests go or wait.
    """
    from optimizer.cli import replaying
    from optimizer.simulate.cloud import PER_HOUR, PER_SECOND
    from optimizer.simulate.machines import Settings
    from optimizer.simulate.study import Choose

    if unserved is not None and worth is not None:
        raise typer.BadParameter("give --unserved or --worth, not both")
    if trace is not None and telemetry is not None:
        raise typer.BadParameter("give --trace or --telemetry, not both")
    settings = Settings(
        billing=PER_SECOND if bills is Bills.SECOND else PER_HOUR, boot_spread=boot_spread,
        failures_per_month=failures, monthly_interruption=interruption, cooldown_s=cooldown,
        patience_s=patience, max_replicas=most,
    )  # fmt: skip
    request = replaying.Request(
        policy, trace, telemetry, plan, tuple(service or ()), starts, ends, Choose(unserved, worth),
        seed, lag, settings, frontier, services, out, form, quiet,
    )  # fmt: skip
    raise typer.Exit(replaying.simulate_world(world, request))
