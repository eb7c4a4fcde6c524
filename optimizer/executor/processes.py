"""Work in processes of this machine."""

from __future__ import annotations

import mmap
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, starmap
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Generic, Self, cast

from models.errors import OutputFailed, WorkersLost
from optimizer.executor.seam import Arguments, Result, Shared, Value

LOSSES_BORNE: Final = 3
"""How often processes may die during one ``map`` before it is given up."""

SPAWN: Final = get_context("spawn")
"""A forked process would inherit locks that are held by threads which it does not have."""


class ProcessPool:
    """Pieces of work in ``workers`` processes, which start when there is more than one piece.

    Shared values lie in files that every process maps into its memory once, read-only.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._folder = TemporaryDirectory(prefix="trimtab-")
        self._numbers = count()
        self._pool: ProcessPoolExecutor | None = None
        # Processes end as soon as nobody holds the other side: no Ctrl-C or crash leaves any.
        self._lifeline, self._alive = SPAWN.Pipe(duplex=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._alive.close()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        self._lifeline.close()
        self._folder.cleanup()

    def share(self, value: Value) -> Shared[Value]:
        return _Stored.of(value, Path(self._folder.name, str(next(self._numbers))))

    def map(
        self, work: Callable[[*Arguments], Result], pieces: Iterable[tuple[*Arguments]]
    ) -> Iterator[Result]:
        todo = list(pieces)
        return self._results(work, todo) if len(todo) > 1 else starmap(work, todo)

    def _results(
        self, work: Callable[[*Arguments], Result], pieces: list[tuple[*Arguments]]
    ) -> Iterator[Result]:
        waiting = deque((piece, self._submit(work, piece)) for piece in pieces)
        losses = 0
        try:
            while waiting:
                try:
                    result = waiting[0][1].result()
                except BrokenProcessPool as error:
                    losses += 1
                    if losses > LOSSES_BORNE or self._alive.closed:
                        message = f"processes that worked for trimtab died {losses} times; "
                        raise WorkersLost(message + "mostly for want of memory") from error
                    waiting = deque(
                        (piece, future if _has_ended(future) else self._submit(work, piece))
                        for piece, future in waiting
                    )
                    continue
                waiting.popleft()
                yield result
        finally:
            for _, future in waiting:
                future.cancel()

    def _submit(
        self, work: Callable[[*Arguments], Result], piece: tuple[*Arguments]
    ) -> Future[Result]:
        """Hand a piece to the pool, or to a new one where there is none or it is broken."""
        if self._pool is not None:
            try:
                return self._pool.submit(work, *piece)
            except BrokenProcessPool:
                self._pool.shutdown(wait=False)
        self._pool = _Pool(self.workers, SPAWN, _begin, (self._lifeline,))
        return self._pool.submit(work, *piece)


class _Pool(ProcessPoolExecutor):
    """Starts all its processes with the first piece of work.

    Before Python 3.12 its own thread fails when it counts processes, as after one has died, while
    another is started for a piece of work: nobody is told of the loss then.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._safe_to_dynamically_spawn_children = False


def _has_ended(future: Future[Any]) -> bool:
    """Whether it holds a result or an error of the work itself."""
    return future.done() and not isinstance(future.exception(), BrokenProcessPool)


def _begin(lifeline: Connection) -> None:
    """Prepare a process: it leaves Ctrl-C to the one that it works for, and dies with it."""
    # Not SIG_IGN: programs that this process starts would inherit it.
    signal.signal(signal.SIGINT, lambda *_: None)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _end_with(lifeline: Connection) -> None:
    try:
        lifeline.recv_bytes()  # never sent: this waits for the end of the other side
    except EOFError:
        os._exit(0)


ALIGNMENT: Final = 64


@dataclass(frozen=True, slots=True)
class _Stored(Generic[Value]):
    """A value in a file: its pickle, then the arrays that the pickle refers to.

    ``parts`` are where each of them begins and how long it is, in bytes.
    """

    path: str
    parts: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, value: Value, path: Path) -> _Stored[Value]:
        arrays: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(value, protocol=5, buffer_callback=arrays.append)
        parts = []
        try:
            with path.open("wb") as file:
                for content in (memoryview(pickled), *(array.raw() for array in arrays)):
                    file.seek(-(-file.tell() // ALIGNMENT) * ALIGNMENT)
                    parts.append((file.tell(), len(content)))
                    file.write(content)
        except OSError as error:
            message = f"cannot write {path}, for processes to work with: {error.strerror}"
            raise OutputFailed(message) from error
        return cls(str(path), tuple(parts))

    @property
    def value(self) -> Value:
        return cast("Value", _mapped(self))


@lru_cache(maxsize=256)
def _mapped(stored: _Stored[Any]) -> object:
    """The value in a file; its arrays are views of the file, whose pages all processes share."""
    with Path(stored.path).open("rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    pickled, *arrays = (whole[begin : begin + length] for begin, length in stored.parts)
    return pickle.loads(pickled, buffers=arrays)  # noqa: S301 - written by this very program
