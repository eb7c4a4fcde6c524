"""What the user's terminal is like, and writing to it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import Final

PIPED_COLUMNS: Final = 120
LEAST_COLUMNS: Final = 40


@dataclass(frozen=True, slots=True)
class Screen:
    """Columns of the text on stdout, and whether it may be coloured."""

    width: int
    colour: bool


def stdout_screen() -> Screen:
    """Colour only on a terminal that knows it, and never under ``NO_COLOR``.

    ``COLUMNS`` overrides the width; text that is piped is wider than most terminals.
    """
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size((80 if terminal else PIPED_COLUMNS, 24)).columns
    dull = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Screen(max(width, LEAST_COLUMNS), terminal and not dull)


def say(text: str) -> None:
    """Write to stdout. When its reader has gone (``| head``), what is left goes nowhere.

    The run goes on, so that its exit code still tells how it ended.
    """
    try:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
