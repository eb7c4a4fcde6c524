"""Work on a Dask cluster that somebody runs. The only module that imports ``distributed``."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Generic, Self

from distributed import Client, Future, Security
from distributed.client import FutureCancelledError
from distributed.comm import connect
from distributed.scheduler import KilledWorker

from models.errors import NOWHERE, Fault, FaultyInput, WorkersLost
from optimizer.executor.seam import Arguments, Held, Result, Shared, Value

OWN_VERSION: Final = version("trimtab")

LOSSES_BORNE: Final = 3
"""How often in a row workers may take shared values with them before work is given up."""

PATIENCE_S: Final = 15
"""Twice so long without any worker, and the cluster counts as lost. Nannies are back in one."""


class DaskCluster:
    """Pieces of work on the workers of the scheduler at ``address``, such as tcp://host:8786.

    Dask itself runs pieces again whose worker died, and brings shared values to whoever needs
    them; those that died with a worker are handed out anew. How often a piece may take its worker
    with it is up to the scheduler (``distributed.scheduler.allowed-failures``). Raises
    ``FaultyInput`` when there is no such cluster, or its workers have another trimtab.
    """

    def __init__(self, address: str) -> None:
        for name in ("distributed.client", "distributed.core", "distributed.comm"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # errors tell what failed
        self._address = address
        try:
            asyncio.run(_knock(address))
            self._client = Client(address, name="trimtab", set_as_default=False)
        except (OSError, RuntimeError, TypeError, ValueError) as error:  # TypeError: no certificate
            advice = "give the address that `dask scheduler` prints, such as tcp://10.0.0.7:8786"
            raise self._fault(f"does not answer: {_first_line(error)}", advice) from error
        try:
            self._check_workers()
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def workers(self) -> int:
        return max(sum(map(int, self._client.nthreads().values())), 1)

    def share(self, value: Value) -> Shared[Value]:
        return _Scattered(value, self._client)

    def map(
        self, work: Callable[[*Arguments], Result], pieces: Iterable[tuple[*Arguments]]
    ) -> Iterator[Result]:
        waiting = deque((piece, self._submit(work, piece)) for piece in pieces)
        losses = 0
        try:
            while waiting:
                try:
                    result = self._result(waiting[0][1])
                except FutureCancelledError as error:
                    losses += 1
                    if self._client.status != "running":
                        raise self._lost("does not answer any more") from error
                    if losses > LOSSES_BORNE:
                        raise self._lost("keeps losing what it works with") from error
                    waiting = deque(
                        (piece, self._submit(work, piece) if future.cancelled() else future)
                        for piece, future in waiting
                    )
                    continue
                waiting.popleft()
                losses = 0
                yield result
        finally:
            if waiting and self._client.status == "running":
                self._client.cancel([future for _, future in waiting])

    def _submit(self, work: Callable[..., Result], piece: tuple[Any, ...]) -> Future:
        held = tuple(i for i, argument in enumerate(piece) if isinstance(argument, _Scattered))
        try:
            arguments = [a.future if isinstance(a, _Scattered) else a for a in piece]
        except OSError as error:  # among them TimeoutError: no worker to scatter to
            raise self._lost("takes no data") from error
        return self._client.submit(_with_held, work, held, *arguments, pure=False)

    def _result(self, future: Future) -> Any:
        """What became of a piece; its own error, or one that says that nobody works on it."""
        deserted = False
        while not future.done():
            try:
                future.exception(timeout=PATIENCE_S)  # waits, and fetches nothing
            except TimeoutError:
                left = self._has_workers()
                if not left and deserted:
                    raise self._lost("has no workers left") from None
                deserted = not left
        try:
            return future.result()
        except KilledWorker as error:
            raise self._lost(_first_line(error)) from error

    def _has_workers(self) -> bool:
        try:
            return bool(self._client.nthreads())
        except OSError as error:
            raise self._lost("does not answer any more") from error

    def _check_workers(self) -> None:
        found = self._client.run(version, "trimtab", on_error="return")
        if not found:
            raise self._fault("has no workers", f"start some: dask worker {self._address}")
        faults = [
            self._fault(
                f"has a worker, {worker}, {_instead_of(theirs)}", f"install {OWN_VERSION} there"
            )
            for worker, theirs in found.items()
            if theirs != OWN_VERSION
        ]
        if faults:
            raise FaultyInput([fault for each in faults for fault in each.faults])

    def _fault(self, what: str, advice: str) -> FaultyInput:
        return FaultyInput([Fault(NOWHERE, f"the Dask scheduler {self._address} {what}", advice)])

    def _lost(self, how: str) -> WorkersLost:
        return WorkersLost(f"the Dask cluster at {self._address} {how}")


class _Scattered(Generic[Value]):
    """A value on the workers, and here, in case they lose it."""

    def __init__(self, value: Value, client: Client) -> None:
        self.value = value
        self._client = client
        self._future: Future | None = None

    @property
    def future(self) -> Future:
        if self._future is None or self._future.cancelled():
            # In a list: the elements of a tuple would be scattered one by one.
            (self._future,) = self._client.scatter([self.value], hash=False)
        return self._future


async def _knock(address: str) -> None:
    """See that somebody answers: a client that finds nobody cannot be closed."""
    comm = await connect(address, **Security().get_connection_args("client"))
    await comm.close()


def _with_held(work: Callable[..., Result], held: tuple[int, ...], *arguments: Any) -> Result:
    """Do the work, where the ``held`` arguments are the shared values themselves."""
    return work(*(Held(a) if i in held else a for i, a in enumerate(arguments)))


def _instead_of(theirs: object) -> str:
    missing = isinstance(theirs, PackageNotFoundError)
    return "without trimtab" if missing else f"with trimtab {theirs}"


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
