"""Work that tests hand to executors: found by name in other processes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.errors import Fault, FaultyInput, Location
from optimizer.executor.seam import Arguments, Executor, Result, Shared, Value

FAULTS = (
    Fault(Location("world.yaml", 3), "a first fault", "mend it"),
    Fault(Location("world.yaml", 7), "another one"),
)


def double(number: int) -> int:
    return 2 * number


def scaled(numbers: Shared[NDArray[np.float64]], factor: float) -> NDArray[np.float64]:
    return factor * numbers.value


def reached(numbers: Shared[NDArray[np.float64]], call: int) -> tuple[int, int, int, bool]:
    """Who looked at a shared value in which call, where it lay, and whether it can be written."""
    address = numbers.value.__array_interface__["data"][0]
    return call, os.getpid(), address, numbers.value.flags.writeable


def refused(number: int) -> int:
    if number == 2:
        raise FaultyInput(FAULTS)
    return number


def divided(number: int) -> float:
    return 1 / number


def killed_once(flag: str, number: int) -> int:
    """The first who comes takes its process with it, in the middle of its work."""
    try:
        Path(flag).touch(exist_ok=False)
    except FileExistsError:
        return 2 * number
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def killed(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def stuck(pid_file: str, number: int) -> int:
    """Says who works, and never ends."""
    Path(pid_file, str(os.getpid())).touch()
    threading.Event().wait()
    return number


def killed_halfway(
    flag: str, call: int, work: Callable[[*Arguments], Result], *piece: *Arguments
) -> Result:
    """The first who comes in the third call of ``map`` dies, and whoever comes next does it."""
    done = work(*piece)
    if call == 3:
        try:
            Path(flag).touch(exist_ok=False)
        except FileExistsError:
            return done
        os.kill(os.getpid(), signal.SIGKILL)
    return done


class DyingOnce:
    """An executor one of whose workers dies in the third call of ``map``."""

    def __init__(self, executor: Executor, flag: Path) -> None:
        self.executor, self.flag, self.calls = executor, str(flag), 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @property
    def workers(self) -> int:
        return self.executor.workers

    def share(self, value: Value) -> Shared[Value]:
        return self.executor.share(value)

    def map(
        self, work: Callable[[*Arguments], Result], pieces: Iterable[tuple[*Arguments]]
    ) -> Iterator[Result]:
        self.calls += 1
        told = [(self.flag, self.calls, work, *piece) for piece in pieces]
        return self.executor.map(killed_halfway, told)
