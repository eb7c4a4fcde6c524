"""All sources of a telemetry file read, laid on the grid, and kept."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from models.errors import FaultyInput, SourceFailed, TrimtabError
from models.measured import Grid, Notice, gridded, notices_together
from models.secrets import without_secrets
from models.signals import SignalKey, Signals
from optimizer.watch import SILENT, Watch
from providers.telemetry.seam import Listener, Part
from providers.telemetry.writing import StoreWriter, Written

_WAIT_S: Final = 0.2
"""How often it is looked whether to stop."""
_AHEAD: Final = 8
"""Pieces of a part that wait to be kept: they bound what is in memory."""


@dataclass(frozen=True, slots=True)
class Request:
    """``starts`` None: where each part was left, or as far back as it looks at first. ``late``: so
    much before that is read again. ``keep_days`` bounds it all.
    """

    now: datetime
    ends: datetime
    step_s: int
    keep_days: int
    late: timedelta = timedelta()
    starts: datetime | None = None

    @property
    def oldest(self) -> datetime:
        return self.now - timedelta(days=self.keep_days)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is known of a signal of a service, in all its series.

    ``gaps``: steps without value after the first one of a series, until the last one of any.
    ``newest``: the end of the last step that was measured.
    """

    signal: str
    service: str
    series: int
    steps: int
    gaps: int
    newest: datetime


def coverage(signals: Signals) -> tuple[Coverage, ...]:
    """One entry per signal and service of which anything is measured."""
    seen = ~np.isnan(signals.values)
    last = int(np.flatnonzero(seen.any(axis=0))[-1]) if seen.any() else -1
    begun = np.logical_or.accumulate(seen[:, : last + 1], axis=1)
    gaps = (begun & ~seen[:, : last + 1]).sum(axis=1)
    rows: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(signals.keys):
        if seen[row].any():
            rows.setdefault((key.signal, key.service), []).append(row)
    found = []
    for (signal, service), own in rows.items():
        newest = int(np.flatnonzero(seen[own].any(axis=0))[-1])
        steps = int(seen[own].sum())
        found.append(
            Coverage(signal, service, len(own), steps, int(gaps[own].sum()), signals.at(newest + 1))
        )
    return tuple(found)


@dataclass(frozen=True, eq=False)
class PartRead:
    """What came of a part.

    ``steps`` were measured of its series, ``gaps`` are missing between them (see ``Coverage``);
    ``changed`` are new in the store. ``why``: why it was not read, or not to its end; empty when
    it was.
    """

    source: str
    name: str
    samples: int = 0
    steps: int = 0
    gaps: int = 0
    changed: int = 0
    too_late: int = 0
    newest: datetime | None = None
    took_s: float = 0.0
    why: str = ""
    notices: tuple[Notice, ...] = ()
    notes: tuple[str, ...] = ()
    keys: frozenset[SignalKey] = frozenset()

    @property
    def title(self) -> str:
        return f"{self.source}/{self.name}"


@dataclass(frozen=True, eq=False)
class Observed:
    """A round over all parts, in their order.

    ``stopped``: it was broken off. ``cut``: why less was read than was asked for; empty when it
    was not.
    """

    parts: tuple[PartRead, ...]
    took_s: float
    retired: int = 0
    stopped: bool = False
    cut: str = ""

    @property
    def whole(self) -> bool:
        return not self.stopped and not any(part.why for part in self.parts)


def observe(
    parts: Sequence[Part], writer: StoreWriter, request: Request, hours_after_days: int | None,
    stop: threading.Event | None = None, watch: Watch = SILENT,
) -> Observed:  # fmt: skip
    """Read every part, each source in a thread of its own, and keep what is measured.

    A part that fails spoils no other; what came before its failure is kept, and it is read again
    from where it was left. Where two sources give the same, that of the later part counts.
    """
    stop = stop or threading.Event()
    began = time.monotonic()
    until = writer.store.progress()
    found: list[PartRead] = []
    whole: dict[str, datetime] = {}
    with watch.stage("reading telemetry", len(parts)) as stage:
        for part, way in _all_read(parts, until, request, stop):
            done = _kept(part, way, writer, stop)
            if stop.is_set():
                break
            found.append(done)
            ends = way.grid.ends
            if not done.why and ends > until.get(part.id, _EVER):
                whole[part.id] = ends
            stage.advance()
    if whole:
        writer.note_progress(whole)
    writer.flush()
    retired = 0
    if not stop.is_set():
        retired = writer.retire(request.now, request.keep_days, hours_after_days)
    took_s = time.monotonic() - began
    return Observed(tuple(found), took_s, retired, stop.is_set(), _cut(request))


_EVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class _Piece:
    """What a chunk came to."""

    signals: Signals
    samples: int
    notices: tuple[Notice, ...]


@dataclass(frozen=True, eq=False)
class _End:
    """``why``: why a part was not read to its end; empty when it was."""

    why: str
    notes: tuple[str, ...]
    took_s: float


@dataclass(frozen=True, eq=False)
class _Way:
    """A part on its way from the thread of its source: pieces, then an end."""

    grid: Grid
    pieces: queue.Queue[_Piece | _End]

    def put(self, piece: _Piece | _End, stop: threading.Event) -> None:
        """Wait until somebody has room for it, or wants no more."""
        while not stop.is_set():
            with suppress(queue.Full):
                self.pieces.put(piece, timeout=_WAIT_S)
                return

    def come(self, stop: threading.Event) -> Iterator[_Piece | _End]:
        while not stop.is_set():
            with suppress(queue.Empty):
                piece = self.pieces.get(timeout=_WAIT_S)
                yield piece
                if isinstance(piece, _End):
                    return


def _all_read(
    parts: Sequence[Part], until: Mapping[str, datetime], request: Request, stop: threading.Event
) -> Iterator[tuple[Part, _Way]]:
    """Parts in their order, each source in a thread of its own, a few pieces ahead."""
    ways = [_Way(_grid(part, until.get(part.id), request), queue.Queue(_AHEAD)) for part in parts]

    def work(source: str) -> None:
        hopeless = ""
        for part, way in zip(parts, ways, strict=True):
            if part.source != source or stop.is_set():
                continue
            if hopeless:  # a server that is down is not waited for once per question
                way.put(_End(hopeless, (), 0.0), stop)
            else:
                hopeless = _read(part, way, request, stop)

    for source in dict.fromkeys(part.source for part in parts):
        threading.Thread(target=work, args=(source,), daemon=True).start()
    for part, way in zip(parts, ways, strict=True):
        if stop.is_set():
            return
        yield part, way


def _cut(request: Request) -> str:
    oldest = request.oldest
    if request.starts is None or request.starts >= oldest:
        return ""
    at = f"{oldest.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"before {at} nothing is read or kept: keep_days is {request.keep_days}"


def _grid(part: Part, until: datetime | None, request: Request) -> Grid:
    oldest = request.oldest
    if request.starts is not None:
        starts = request.starts
    elif part.backfill is None:
        starts = oldest
    else:
        first = request.ends - part.backfill
        starts = first if until is None else min(until, request.ends) - request.late
    return Grid.over(max(starts, oldest), request.ends, request.step_s)


def _read(part: Part, way: _Way, request: Request, stop: threading.Event) -> str:
    """Puts all of a part on its way, or what comes before it fails; why all other parts of its
    source will fail now, too, or nothing.
    """
    began, why, notes, altogether = time.monotonic(), "", list[str](), False
    try:
        for chunk in part.read(way.grid, Listener(notes.append, stop.is_set)):
            signals, notices = gridded(chunk.samples, chunk.grid, request.now)
            way.put(_Piece(signals, len(chunk.samples.value), notices), stop)
    except SourceFailed as error:
        why, altogether = f"{error.why}: {error.next_step}", error.altogether
    except FaultyInput as error:
        why = "; ".join(map(str, error.faults[:3]))
    except TrimtabError as error:
        why = str(error)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not end all the others
        said = without_secrets(str(error))
        why = f"a fault of trimtab's own: {type(error).__name__}: {said}"
    way.put(_End(why, tuple(notes), time.monotonic() - began), stop)
    return why if altogether else ""


def _kept(part: Part, way: _Way, writer: StoreWriter, stop: threading.Event) -> PartRead:
    done = PartRead(part.source, part.name)
    for piece in way.come(stop):
        if isinstance(piece, _End):
            done = replace(done, why=piece.why, notes=piece.notes, took_s=piece.took_s)
        else:
            done = _with(done, piece, writer.write(piece.signals))
    return done


def _with(done: PartRead, piece: _Piece, written: Written) -> PartRead:
    signals = piece.signals
    measured = coverage(signals)
    newest = max(filter(None, (done.newest, *(one.newest for one in measured))), default=None)
    return replace(
        done, samples=done.samples + piece.samples,
        steps=done.steps + sum(one.steps for one in measured),
        gaps=done.gaps + sum(one.gaps for one in measured), changed=done.changed + written.changed,
        too_late=done.too_late + written.too_late, newest=newest,
        notices=notices_together((*done.notices, *piece.notices)),
        keys=done.keys.union(signals.keys),
    )  # fmt: skip


def follow(
    one_round: Callable[[datetime], Observed], every_s: float, stop: threading.Event,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:  # fmt: skip
    """Rounds at whole multiples of ``every_s`` until ``stop`` is set; the first at once.

    A round that takes longer than that is followed by the next at once; what was missed meanwhile
    is read by it, and nothing twice.
    """
    while not stop.is_set():
        began = now()
        one_round(began)
        due = (began.timestamp() // every_s + 1) * every_s
        stop.wait(max(due - now().timestamp(), 0.0))
