"""What every executor promises, and the one that works right here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import starmap
from typing import Final, Generic, Protocol, Self, TypeVar, TypeVarTuple

Result = TypeVar("Result")
Value = TypeVar("Value")
Value_co = TypeVar("Value_co", covariant=True)
Arguments = TypeVarTuple("Arguments")


class Shared(Protocol[Value_co]):
    """A value that pieces of work look at and never change, wherever they run.

    It travels at most once to whoever works with it, however many pieces of work name it: make one
    of everything that is large and outlives a single call of ``Executor.map``.
    """

    @property
    def value(self) -> Value_co: ...


class Executor(AbstractContextManager["Executor"], Protocol):
    """Runs independent pieces of work.

    All executors give the same results in the same order: which pieces there are may not depend
    on who runs them. Work and arguments must be picklable, work a function of a module, without
    side effects: a piece whose worker dies is run again. Leaving the context stops what still runs.
    """

    @property
    def workers(self) -> int:
        """How many pieces run at the same time."""

    def share(self, value: Value) -> Shared[Value]:
        """Prepare a value for many pieces of work. Its arrays must not be written to."""

    def map(
        self, work: Callable[[*Arguments], Result], pieces: Iterable[tuple[*Arguments]]
    ) -> Iterator[Result]:
        """``work(*piece)`` of every piece, in order, as soon as it and those before it are done.

        Arguments that are ``Shared`` arrive as such. Errors that ``work`` raises are raised here.
        Pieces are run again when their worker dies; ``WorkersLost`` is raised when that happens
        again and again, or when nobody is left to work.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Held(Generic[Value]):
    """A shared value that is already here."""

    value: Value


class InProcess:
    """One piece after the other, in this process, as results are asked for."""

    workers = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def share(self, value: Value) -> Shared[Value]:
        return Held(value)

    def map(
        self, work: Callable[[*Arguments], Result], pieces: Iterable[tuple[*Arguments]]
    ) -> Iterator[Result]:
        return starmap(work, pieces)


IN_PROCESS: Final[Executor] = InProcess()
"""The executor of whoever asks for none."""
