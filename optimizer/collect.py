"""Ask every cloud, account and region at once, and keep what they said as a snapshot.

A part that fails is marked with the reason, and spoils no other; so does a fault of our own in the
reading of one. What changes rarely is taken over from the former snapshot while it is young enough.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from queue import Empty, Queue
from time import monotonic
from typing import Final

from models.cloud_errors import reason
from models.errors import OutputFailed
from models.inventory import (
    CommittedRate,
    Instance,
    InstanceGroup,
    Price,
    RejectedPrice,
)
from models.offerings import Purchase
from optimizer.watch import SILENT, Watch
from providers.seam import Provider, Reading, Scope, Scopes, Window
from providers.snapshots.labelling import ServiceOf
from providers.snapshots.manifest import Part, Status
from providers.snapshots.reading import Snapshot
from providers.snapshots.tables import Row
from providers.snapshots.writing import Finished, PartWriter, SnapshotWriter

KEPT_HOURS: Final[Mapping[Reading, float]] = {Reading.INSTANCE_TYPES: 168.0, Reading.PRICES: 6.0}
"""How old a part of a former snapshot may be to be taken over, in hours; others: never."""

GRACE_S: Final = 2.0
"""After the deadline, readers between two rows have so long to hand over what they have."""


def _nobody_says(_: Instance | InstanceGroup, group: InstanceGroup | None) -> str:
    del group
    return ""


@dataclass(frozen=True, slots=True)
class Limits:
    """``at_once``: calls under way per cloud. ``deadline_s``: what is not there by then is left."""

    at_once: int = 16
    deadline_s: float = 600.0
    kept_hours: Mapping[Reading, float] = field(default_factory=lambda: dict(KEPT_HOURS))


@dataclass(frozen=True, slots=True)
class Request:
    """What a collection is about. ``window``: of measurements; None: none are read.

    ``source`` tells apart which clouds, accounts and addresses are asked: facts are taken over
    from former snapshots of the same source only.
    """

    name: str
    out: Path
    limits: Limits = Limits()
    window: Window | None = None
    service_of: ServiceOf = _nobody_says
    source: str = ""


@dataclass(frozen=True, eq=False)
class _Task:
    number: int
    provider: Provider
    scope: Scope
    reading: Reading


def collect(
    providers: Sequence[Provider],
    request: Request,
    former: Snapshot | None = None,
    watch: Watch = SILENT,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Snapshot:
    """A new snapshot of all that ``providers`` say; also when some of them say nothing.

    Raises ``OutputFailed`` when it cannot be written.
    """
    began, taken_at = monotonic(), clock()
    ends = began + request.limits.deadline_s
    with SnapshotWriter(request.out, request.name, taken_at, request.source) as writer:
        with watch.stage("ask which regions there are"):
            tasks, finished = _tasks(providers, request, taken_at, ends)
        if former is not None and former.manifest.source == request.source:
            tasks = _without_kept(tasks, finished, former, request.limits, taken_at)
        with watch.stage("collect", float(len(tasks))) as stage:
            run = _Run(request, writer, ends, clock)
            for number, one in run.all(tasks):
                finished[number] = one
                stage.advance()
                watch.note(f"{one.part.scope}: {one.part.reading}")
        in_order = [finished[number] for number in sorted(finished)]
        return writer.finish(in_order, monotonic() - began, request.service_of)


def _tasks(
    providers: Sequence[Provider], request: Request, taken_at: datetime, ends: float
) -> tuple[list[_Task], dict[int, Finished]]:
    """All that there is to read, and parts for clouds that do not even say where they are."""
    tasks: list[_Task] = []
    finished: dict[int, Finished] = {}
    readings = [reading for reading in Reading if reading is not Reading.PRICES]
    if request.window is None:
        readings.remove(Reading.SAMPLES)
    answers = _scopes(providers, ends)
    number = 0
    for i, provider in enumerate(providers):
        for kinds, answer in (
            (readings, answers.get((i, "inventory"))),
            ([Reading.PRICES], answers.get((i, "prices"))),
        ):
            whys: dict[Scope, str] = {}
            if isinstance(answer, Scopes):
                whys = dict.fromkeys(answer.found, "")
                whys |= {one.scope: reason(one.failure) for one in answer.unreached}
            else:
                whys = {Scope(provider.cloud, "", ""): reason(answer) if answer else _TOO_LATE}
            for scope in sorted(whys):
                for reading in kinds:
                    if whys[scope]:
                        failed = _part(scope, reading, Status.FAILED, taken_at, 0.0, whys[scope])
                        finished[number] = Finished(failed)
                    else:
                        tasks.append(_Task(number, provider, scope, reading))
                    number += 1
    return tasks, finished


_TOO_LATE: Final = "the deadline passed before the cloud had answered"


def _scopes(
    providers: Sequence[Provider], ends: float
) -> dict[tuple[int, str], Scopes | Exception]:
    """Where each provider can be asked, or why that is not known; nothing when it is too late."""
    answers: Queue[tuple[tuple[int, str], Scopes | BaseException]] = Queue()

    def ask(key: tuple[int, str], where: Callable[[], Scopes]) -> None:
        try:
            answers.put((key, where()))
        except BaseException as error:  # noqa: BLE001  kept, or raised where answers are waited for
            answers.put((key, error))

    for i, provider in enumerate(providers):
        for what, where in (
            ("inventory", provider.inventory.scopes),
            ("prices", provider.price_list.markets),
        ):
            threading.Thread(target=ask, args=((i, what), where), daemon=True).start()
    found: dict[tuple[int, str], Scopes | Exception] = {}
    while len(found) < 2 * len(providers):
        try:
            key, answer = answers.get(timeout=max(ends - monotonic(), 0.0))
        except Empty:
            break
        if isinstance(answer, BaseException) and not isinstance(answer, Exception):
            raise answer
        found[key] = answer
    return found


def _without_kept(
    tasks: list[_Task],
    finished: dict[int, Finished],
    former: Snapshot,
    limits: Limits,
    now: datetime,
) -> list[_Task]:
    """Tasks that must be done; those that a former snapshot answers are ``finished``."""
    known = {(part.scope, part.reading): part for part in former.manifest.parts}
    left: list[_Task] = []
    for task in tasks:
        part = known.get((task.scope, task.reading))
        young = timedelta(hours=limits.kept_hours.get(task.reading, 0.0))
        if part is None or part.status is not Status.COMPLETE or now - part.read_at >= young:
            left.append(task)
        else:
            kept = part.model_copy(update={"reused": True, "took_s": 0.0})
            finished[task.number] = Finished(kept, former=former)
    return left


_Results = Queue[tuple[int, Finished | BaseException]]


@dataclass(eq=False)
class _Run:
    """Tasks under way: threads per cloud take them one after the other, until the deadline."""

    request: Request
    writer: SnapshotWriter
    ends: float
    clock: Callable[[], datetime]

    def all(self, tasks: Sequence[_Task]) -> Iterator[tuple[int, Finished]]:
        """Every task with what came of it, as soon as it is done or too late."""
        results: _Results = Queue()
        waiting: dict[str, Queue[_Task]] = {}
        for task in tasks:
            waiting.setdefault(task.scope.cloud, Queue()).put(task)
        for queue in waiting.values():
            for _ in range(min(self.request.limits.at_once, queue.qsize())):
                # Daemons: a cloud that never answers must not keep the process alive.
                threading.Thread(target=self._work, args=(queue, results), daemon=True).start()
        left = {task.number: task for task in tasks}
        while left:
            try:
                number, one = results.get(timeout=max(self.ends + GRACE_S - monotonic(), 0.0))
            except Empty:
                break
            if isinstance(one, BaseException):
                raise one
            del left[number]
            yield number, one
        for number, task in left.items():
            late = _part(task.scope, task.reading, Status.FAILED, self.clock(), 0.0, _TOO_LATE)
            yield number, Finished(late)

    def _work(self, queue: Queue[_Task], results: _Results) -> None:
        while monotonic() < self.ends:
            try:
                task = queue.get_nowait()
            except Empty:
                return
            try:
                results.put((task.number, self._read(task)))
            except BaseException as error:  # noqa: BLE001  raised where results are waited for
                results.put((task.number, error))
                return

    def _read(self, task: _Task) -> Finished:
        read_at, began, why = self.clock(), monotonic(), ""
        part = self.writer.part(task.number)
        try:
            with part:
                why = self._copy(_rows(task, self.request.window), part)
        except OutputFailed:
            raise
        except Exception as error:  # noqa: BLE001  one part is spoilt: the others are kept
            why = reason(error)
        rows = sum(part.rows.values())
        status = Status.COMPLETE if not why else Status.PARTIAL if rows else Status.FAILED
        took_s = round(monotonic() - began, 3)
        return Finished(_part(task.scope, task.reading, status, read_at, took_s, why), part.folder)

    def _copy(self, rows: Iterator[Row], part: PartWriter) -> str:
        """Write rows until they end; says why when that is too early."""
        for row in rows:
            part.add(self._labelled(row))
            if monotonic() >= self.ends:
                return "the deadline passed before all had been read"
        return ""

    def _labelled(self, row: Row) -> Row:
        # Instances follow when all groups are known.
        if isinstance(row, InstanceGroup):
            return replace(row, service=self.request.service_of(row, None))
        if isinstance(row, Price | CommittedRate) and not 0.0 < row.price_usd_per_hour < inf:
            return _rejected(row)
        return row


def _rejected(row: Price | CommittedRate) -> RejectedPrice:
    """What no price can be, and would spoil the whole snapshot."""
    if isinstance(row, Price):
        purchase, zone = row.purchase, row.zone
    else:
        purchase, zone = _COMMITTED.get(row.term_years, Purchase.RESERVED_3Y), ""
    return RejectedPrice(
        row.place, row.instance_type, purchase, zone, f"{row.price_usd_per_hour:g}",
        "it is zero, negative, or no number", row.source,
    )  # fmt: skip


_COMMITTED: Final = {1: Purchase.RESERVED_1Y, 3: Purchase.RESERVED_3Y}


def _rows(task: _Task, window: Window | None) -> Iterator[Row]:
    provider, scope = task.provider, task.scope
    match task.reading:
        case Reading.INSTANCES:
            return provider.inventory.instances(scope)
        case Reading.GROUPS:
            return provider.inventory.groups(scope)
        case Reading.INSTANCE_TYPES:
            return provider.inventory.instance_types(scope)
        case Reading.QUOTAS:
            return provider.inventory.quotas(scope)
        case Reading.COMMITMENTS:
            return provider.inventory.commitments(scope)
        case Reading.PRICES:
            return provider.price_list.prices(scope)
        case Reading.SAMPLES:
            if window is None:
                raise ValueError("samples need a window")
            return provider.metrics.samples(scope, window)


def _part(
    scope: Scope, reading: Reading, status: Status, read_at: datetime, took_s: float, why: str
) -> Part:
    return Part(
        cloud=scope.cloud, account=scope.account, region=scope.region, reading=reading,
        status=status, read_at=read_at, took_s=took_s, why=why,
    )  # fmt: skip
