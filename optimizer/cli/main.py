"""``trimtab``: the console script.

This module and the modules of the commands import nothing heavy, so that ``--help`` and shell
completion answer at once.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version as version_of
from io import TextIOWrapper
from typing import Annotated, Final

import typer

from optimizer.cli import facts, formats, planning
from optimizer.cli.exits import EXIT_CODES_IN_WORDS, ExitCode, end_of
from optimizer.cli.screen import say

EXAMPLES: Final[dict[str, tuple[Callable[..., None], str]]] = {
    "plan": (planning.plan, "trimtab plan shop --out out/shop"),
    "whatif": (planning.whatif, "trimtab whatif shop flash-sale loss-of-region --out out/whatif"),
    "why-not": (planning.why_not, "trimtab why-not shop payments gcp/us-central1"),
    "validate": (planning.validate, "trimtab validate my-world.yaml"),
    "prices": (
        facts.prices,
        "trimtab prices --region eu-central-1 --vcpus-min 4 --memory-min 16 --cheapest 5",
    ),
    "regions": (facts.regions, "trimtab regions --cloud gcp --near aws/eu-central-1"),
    "schema": (formats.schema, "trimtab schema world > world.schema.json"),
    "generate": (formats.generate, "trimtab generate --services 1000 --seed 7 --out worlds/big"),
}
"""Every command with an example of its use, in the order of ``--help``."""

_CODES: Final = ", ".join(f"{code.value} {said}" for code, said in EXIT_CODES_IN_WORDS.items())

app = typer.Typer(
    name="trimtab",
    help="Prove the cheapest fleet across AWS, Google Cloud and Azure that keeps every rule.",
    epilog=f"Exit codes: {_CODES}.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for _name, (_command, _example) in EXAMPLES.items():
    app.command(_name, epilog=f"Example: {_example}")(_command)


def run() -> None:
    """Run the command line and exit with one of ``ExitCode``."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments or os.environ.get("TRIMTAB_DEBUG", "") not in ("", "0")
    if not (debug or sys.warnoptions):
        warnings.simplefilter("ignore")  # users can do nothing about what libraries deprecate
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # not when a test has put something else there
            stream.reconfigure(errors="replace")
    try:
        app(args=[a for a in arguments if a != "--debug"], prog_name="trimtab")
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last border: nobody else shows it to the user
        sys.exit(end_of(error, debug))


@app.command("version")
def show_version() -> None:
    """Print the version."""
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
