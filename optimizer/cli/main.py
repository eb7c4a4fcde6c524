"""``trimtab``: the console script.

This module and the modules of the commands import nothing heavy, so that ``--help`` and shell
completion answer at once.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Annotated, Final

import typer

from optimizer.cli import (
    facts,
    forecasting,
    foreseeing,
    formats,
    listening,
    looking,
    observing,
    packing,
    planning,
    proving,
    simulating,
    straying,
)
from optimizer.cli.exits import EXIT_CODES_IN_WORDS, ExitCode, end_of
from optimizer.cli.interrupting import leave_at_once
from optimizer.cli.screen import say


@dataclass(frozen=True, slots=True)
class Command:
    """A command, what it does in a few words, and an example of its use."""

    function: Callable[..., None]
    gist: str
    example: str


COMMANDS: Final = {
    "plan": Command(
        planning.plan,
        "Find and prove the cheapest lawful fleet.",
        "trimtab plan shop --out out/shop",
    ),
    "whatif": Command(
        planning.whatif,
        "Compare a world with what-ifs of it.",
        "trimtab whatif shop flash-sale loss-of-region --out out/whatif",
    ),
    "why-not": Command(
        planning.why_not,
        "Say why a service may not run in a region.",
        "trimtab why-not shop payments gcp/us-central1",
    ),
    "grade": Command(
        proving.grade,
        "Say how much of today's spending is provably wasted.",
        "trimtab grade shop --out out/grade",
    ),
    "forecast": Command(
        forecasting.forecast,
        "Say what users will ask for, with quantiles.",
        "trimtab forecast shop --hours 336 --plot",
    ),
    "foresee": Command(
        foreseeing.foresee,
        "Say what is going to go wrong, with probabilities.",
        "trimtab foresee shop --telemetry telemetry --horizon 7d",
    ),
    "simulate": Command(
        simulating.simulate,
        "Replay demand against policies of scaling.",
        "trimtab simulate shop --policy ours,hpa:0.6,static",
    ),
    "verify": Command(
        proving.verify,
        "Check anybody's plan, its bill and its proof.",
        "trimtab verify out/shop/plan.json shop",
    ),
    "validate": Command(
        planning.validate,
        "Read a world and list its faults.",
        "trimtab validate my-world.yaml",
    ),
    "pack": Command(
        packing.pack,
        "Find the cheapest nodes for pods that share them.",
        "trimtab pack pods.csv --place aws/us-east-1 --place gcp/europe-west1",
    ),
    "collect": Command(
        looking.collect,
        "Ask clouds what runs, and keep it as a snapshot.",
        "trimtab collect clouds.yaml --out snapshots",
    ),
    "diff": Command(
        looking.diff,
        "Say what changed between snapshots.",
        "trimtab diff snapshots",
    ),
    "doctor": Command(
        looking.doctor,
        "Check that clouds can be looked at.",
        "trimtab doctor clouds.yaml",
    ),
    "listen": Command(
        listening.listen,
        "Receive traces and logs, and keep what they say.",
        "trimtab listen --out traces",
    ),
    "graph": Command(
        listening.graph,
        "Show who calls whom, as traces saw it.",
        "trimtab graph traces shop --last 7d",
    ),
    "incidents": Command(
        listening.incidents,
        "Show what strays, grouped by cause.",
        "trimtab incidents traces --last 24h",
    ),
    "anomalies": Command(
        straying.anomalies,
        "Show what strays from the usual, and why.",
        "trimtab anomalies telemetry --last 7d",
    ),
    "observe": Command(
        observing.observe,
        "Read telemetry, and keep the signals.",
        "trimtab observe telemetry.yaml --last 6h",
    ),
    "prices": Command(
        facts.prices,
        "Look prices up, with date and source.",
        "trimtab prices --region eu-central-1 --vcpus-min 4 --memory-min 16 --cheapest 5",
    ),
    "regions": Command(
        facts.regions,
        "List the known places.",
        "trimtab regions --cloud gcp --near aws/eu-central-1",
    ),
    "schema": Command(
        formats.schema,
        "Print the JSON Schema of a file format.",
        "trimtab schema world > world.schema.json",
    ),
    "generate": Command(
        formats.generate,
        "Make up a world of any size.",
        "trimtab generate --services 1000 --seed 7 --out worlds/big",
    ),
}
"""The commands, in the order of ``--help``."""

_EXIT_CODES: Final = "\n".join(
    f"  {code.value:<3}  {said}" for code, said in EXIT_CODES_IN_WORDS.items()
)

app = typer.Typer(
    name="trimtab",
    help="Prove the cheapest fleet across AWS, Google Cloud and Azure that keeps every rule.",
    epilog=f"\b\nExit codes:\n{_EXIT_CODES}",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: a third of the time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for _name, _command in COMMANDS.items():
    app.command(_name, short_help=_command.gist, epilog=f"\b\nExample:\n  {_command.example}")(
        _command.function
    )


def run() -> None:
    """Run the command line and exit with one of ``ExitCode``."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments or os.environ.get("TRIMTAB_DEBUG", "") not in ("", "0")
    if not (debug or sys.warnoptions):
        warnings.simplefilter("ignore")  # users can do nothing about what libraries deprecate
    # What libraries log would go to stderr, and may hold what was asked of whom.
    logging.getLogger().addHandler(logging.NullHandler())
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # the same of a library that is not Python
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # not when a test has put something else there
            stream.reconfigure(errors="replace")
    try:
        app(args=[a for a in arguments if a != "--debug"], prog_name="trimtab")
    except KeyboardInterrupt:
        leave_at_once()
    except SystemExit as end:
        if end.code == ExitCode.INTERRUPTED:  # what typer makes of KeyboardInterrupt
            leave_at_once()
        raise
    except Exception as error:  # noqa: BLE001 - the last border: nobody else shows it to the user
        sys.exit(end_of(error, debug))


@app.command("version")
def show_version() -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    say(f"trimtab {version_of('trimtab')}")


def _version_option(asked: bool) -> None:
    if asked:
        show_version()
        raise typer.Exit


@app.callback()
def trimtab(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version_option, is_eager=True, help="Print the version."
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", help="Show tracebacks of failures; also TRIMTAB_DEBUG=1. May stand anywhere."
        ),
    ] = False,
) -> None:
    """Prove the cheapest fleet across AWS, Google Cloud and Azure that keeps every rule."""
    del version, debug  # --version has ended the run; run() looks for --debug
