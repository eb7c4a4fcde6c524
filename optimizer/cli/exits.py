"""Exit codes, and how failures end a run: a few lines on stderr, a traceback only for debugging."""

from __future__ import annotations

import sys
import traceback
from dataclasses import replace
from enum import IntEnum

from models.cloud_errors import CloudFailed
from models.errors import Fault, FaultyInput, SourceFailed, TrimtabError, UnusableData
from optimizer.output.plain import plain


class ExitCode(IntEnum):
    """What a run of ``trimtab`` ends with."""

    FINE = 0
    FAILED = 1  # internal failure: the solver broke down, results could not be written
    BAD_INPUT = 2  # what a person wrote, or a file of facts, cannot be used
    INFEASIBLE = 3  # proven: no plan keeps every rule
    UNFINISHED = 4  # no plan was found in the time given
    GAP_MISSED = 5  # only with --strict: a plan was found, but its gap is above the target
    NOT_VERIFIED = 6  # verify: something that the plan states, or must keep, does not hold
    PARTLY = 7  # collect, doctor, observe: a cloud or source did not answer, or not whole
    INTERRUPTED = 130  # Ctrl-C, as shells count it


EXIT_CODES_IN_WORDS = {
    ExitCode.FINE: "fine",
    ExitCode.FAILED: "internal failure",
    ExitCode.BAD_INPUT: "bad input",
    ExitCode.INFEASIBLE: "infeasible: no plan keeps every rule",
    ExitCode.UNFINISHED: "no plan was found in the time given",
    ExitCode.GAP_MISSED: "the gap target was missed (with --strict only)",
    ExitCode.NOT_VERIFIED: "a plan did not pass verification",
    ExitCode.PARTLY: "a cloud or a source did not answer, or only in part",
    ExitCode.INTERRUPTED: "interrupted",
}


def end_of(error: Exception, debug: bool) -> ExitCode:
    """Say on stderr what went wrong, and how the run ends."""
    if debug:
        traceback.print_exception(error)
    sys.stderr.write(f"{_complaint(error)}\n")
    if isinstance(error, FaultyInput | UnusableData):
        return ExitCode.BAD_INPUT
    partly = isinstance(error, CloudFailed | SourceFailed)
    return ExitCode.PARTLY if partly else ExitCode.FAILED


def _complaint(error: Exception) -> str:
    if isinstance(error, FaultyInput):
        count = len(error.faults)
        heading = [f"{count:,} faults in the input:"] if count > 1 else []
        return "\n".join([*heading, *map(_told, error.faults)])
    if isinstance(error, TrimtabError):
        said, arrow, hint = str(error).partition("\n    → ")
        return f"{plain(said)}{arrow}{plain(hint)}"
    kind = type(error).__name__
    return f"trimtab failed: {kind}: {plain(str(error))}\n    → run again with --debug to see where"


def _told(fault: Fault) -> str:
    """The fault as it prints itself, each of its parts on one line."""
    at = replace(fault.at, file=plain(fault.at.file))
    return str(Fault(at, plain(fault.message), plain(fault.suggestion)))
