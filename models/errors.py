"""The one tree of exceptions that trimtab raises.

::

    TrimtabError
    ├── FaultyInput        what a person wrote cannot be used; carries every fault at once
    ├── UnusableData       a file of facts (prices, demand) is damaged or missing
    ├── SolverFailed       a solver broke down; says nothing about the problem
    ├── SourceFailed       a source of telemetry did not answer, or not so that it can be used
    ├── WorkersLost        the processes or machines that did the work are gone
    └── OutputFailed       results could not be written; what was there before is untouched

Foreign exceptions are translated into one of these where they enter. An infeasible or
unfinished optimisation is an *answer*, not an exception (see ``optimizer.outcomes``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """Where a person wrote something: file as given and 1-based line (0 when unknown)."""

    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        if not self.file:
            return ""
        return f"{self.file}:{self.line}" if self.line else self.file


NOWHERE = Location()


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong with the input, and what to do about it."""

    at: Location
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        where = f"{self.at}: " if self.at.file else ""
        hint = f"\n    → {self.suggestion}" if self.suggestion else ""
        return f"{where}{self.message}{hint}"


class TrimtabError(Exception):
    """Base of every exception that trimtab raises on purpose."""


class FaultyInput(TrimtabError):
    """Input that a person wrote cannot be used. Holds all faults, sorted by place."""

    def __init__(self, faults: list[Fault] | tuple[Fault, ...]) -> None:
        self.faults: tuple[Fault, ...] = tuple(sorted(set(faults)))
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type[FaultyInput], tuple[tuple[Fault, ...]]]:
        return type(self), (self.faults,)


class UnusableData(TrimtabError):
    """A file of facts is missing, damaged or not what it claims to be."""


class SolverFailed(TrimtabError):
    """A solver broke down or was misused; nothing is known about the problem."""


class SourceFailed(TrimtabError):
    """A source of telemetry did not answer, or not so that it can be used.

    ``why`` holds no secret: it is cleared by whoever translates the source's own words.
    ``altogether``: whatever else is asked of it now will fail, too.
    """

    def __init__(self, source: str, why: str, next_step: str, *, altogether: bool = False) -> None:
        self.source, self.why, self.next_step = source, why, next_step
        self.altogether = altogether
        super().__init__(f"{source}: {why}\n    → {next_step}")

    def __reduce__(
        self,
    ) -> tuple[type[SourceFailed], tuple[str, str, str], dict[str, object]]:
        return type(self), (self.source, self.why, self.next_step), self.__dict__


class WorkersLost(TrimtabError):
    """The processes or machines that did the work are gone, and so is what they were doing."""


class OutputFailed(TrimtabError):
    """Results could not be written. Whatever was there before is untouched."""


def raise_alone(error: TrimtabError) -> NoReturn:
    """Raise ``error`` without a trace of the one that is being handled, which may hold secrets.

    ``raise ... from None`` only hides that one: it stays reachable as ``__context__``.
    """
    try:
        raise error from None
    finally:
        error.__context__ = None
