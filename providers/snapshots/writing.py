"""Snapshots that appear all at once or not at all.

Every part goes to files of its own, batch by batch, from whatever thread reads it. In the end they
are joined table by table, in the order of the parts: the same answers make the same files, whoever
was faster, and never is more than a batch in memory. The folder gets its name last; until then it
is hidden and locked, so that what a dead process left is told from what is being written.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from models.errors import OutputFailed
from models.inventory import InstanceGroup
from providers.snapshots.labelling import Labels, ServiceOf
from providers.snapshots.manifest import MANIFEST, Held, Manifest, Part
from providers.snapshots.reading import Snapshot
from providers.snapshots.tables import TABLE_OF, TABLES, Row, batch_of, rows_of, schema_of

BATCH_ROWS: Final = 5_000
_COMPRESSION: Final = "zstd"
_STAGING: Final = ".snapshot.trimtab-"
_LOCK: Final = "lock"
_NEW_S: Final = 60.0
"""What nobody has locked is left alone for so long: its writer may be about to."""

_UNDER_WAY: Final[set[Path]] = set()
"""What this process is writing."""


@dataclass(eq=False)
class PartWriter(AbstractContextManager["PartWriter"]):
    """Takes the rows of one part. Used by one thread."""

    folder: Path
    rows: dict[str, int] = field(default_factory=dict)
    _waiting: dict[str, list[Row]] = field(default_factory=dict)
    _open: dict[str, pq.ParquetWriter] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        waiting = self._waiting.setdefault(TABLE_OF[type(row)], [])
        waiting.append(row)
        if len(waiting) >= BATCH_ROWS:
            self._flush(TABLE_OF[type(row)])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        try:
            for table in list(self._waiting):
                self._flush(table)
        finally:
            for writer in self._open.values():
                writer.close()

    def _flush(self, table: str) -> None:
        rows = self._waiting.pop(table, [])
        if not rows:
            return
        try:
            self._write(table, rows)
        except OSError as error:
            raise OutputFailed(f"cannot write {self.folder}: {error.strerror}") from error

    def _write(self, table: str, rows: list[Row]) -> None:
        if table not in self._open:
            self.folder.mkdir(exist_ok=True)
            self._open[table] = pq.ParquetWriter(
                self.folder / f"{table}.parquet", schema_of(table),
                compression=_COMPRESSION,
            )  # fmt: skip
        self._open[table].write_batch(batch_of(rows))
        self.rows[table] = self.rows.get(table, 0) + len(rows)


@dataclass(frozen=True, eq=False)
class Finished:
    """A part whose rows lie in ``folder``, or in a ``former`` snapshot that is taken over."""

    part: Part
    folder: Path | None = None
    former: Snapshot | None = None


class SnapshotWriter(AbstractContextManager["SnapshotWriter"]):
    """Writes one snapshot into a folder of snapshots."""

    def __init__(self, out: Path, name: str, taken_at: datetime, source: str = "") -> None:
        self.out, self.name, self.taken_at, self.source = out, name, taken_at, source
        try:
            out.mkdir(parents=True, exist_ok=True)
            _sweep(out)
            self.work = Path(tempfile.mkdtemp(prefix=_STAGING, dir=out))
            _UNDER_WAY.add(self.work)
            self._lock = os.open(self.work / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            (self.work / "parts").mkdir()
        except OSError as error:
            raise OutputFailed(f"cannot write snapshots to {out}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _remove(self.work)
        os.close(self._lock)

    def part(self, number: int) -> PartWriter:
        """A writer for part ``number``; each number once."""
        return PartWriter(self.work / "parts" / str(number))

    def finish(
        self, finished: Iterable[Finished], took_s: float, service_of: ServiceOf | None = None
    ) -> Snapshot:
        """Join all parts and give the snapshot its name. ``service_of`` says what instances run;
        None: what their rows say.
        """
        final = self.out / self.taken_at.strftime("%Y-%m-%dT%H-%M-%S.%fZ")
        ready = self.work / "snapshot"
        try:
            ready.mkdir()
            parts = self._joined(ready, list(finished), service_of)
            manifest = Manifest(
                name=self.name, source=self.source, taken_at=self.taken_at,
                took_s=round(took_s, 3), parts=parts, files=_digests(ready),
            )  # fmt: skip
            (ready / MANIFEST).write_text(manifest.text(), encoding="utf-8")
            _to_disk(ready)
            ready.rename(final)
            _sync(self.out)
        except OSError as error:
            raise OutputFailed(f"cannot write {final}: {error.strerror}") from error
        return Snapshot(final)

    def _joined(
        self, ready: Path, finished: list[Finished], service_of: ServiceOf | None
    ) -> tuple[Part, ...]:
        held: dict[int, list[Held]] = {}
        labels = None if service_of is None else Labels(_groups(finished), service_of)
        for table in TABLES:
            writer: pq.ParquetWriter | None = None
            count = 0
            try:
                for i, one in enumerate(finished):
                    first, rows = count, 0
                    for read in _pieces(one, table):
                        piece = read if labels is None or table != "instances" else labels.on(read)
                        if writer is None:
                            path = ready / f"{table}.parquet"
                            writer = pq.ParquetWriter(
                                path, schema_of(table), compression=_COMPRESSION
                            )
                        writer.write_table(piece, row_group_size=max(piece.num_rows, 1))
                        count, rows = count + 1, rows + piece.num_rows
                    if rows:
                        entry = Held(table=table, first=first, groups=count - first, rows=rows)
                        held.setdefault(i, []).append(entry)
            finally:
                if writer is not None:
                    writer.close()
        return tuple(
            one.part.model_copy(update={"held": tuple(held.get(i, ()))})
            for i, one in enumerate(finished)
        )


def _groups(finished: Iterable[Finished]) -> Iterable[InstanceGroup]:
    for one in finished:
        for piece in _pieces(one, "groups"):
            yield from rows_of(piece, InstanceGroup)


def _pieces(one: Finished, table: str) -> Iterable[pa.Table]:
    """The row groups of a part in one table."""
    if one.former is not None:
        for held in one.part.held:
            if held.table == table:
                for i in range(held.groups):
                    single = Held(table=table, first=held.first + i, groups=1, rows=0)
                    yield one.former.groups_of(single)
    elif one.folder is not None and (path := one.folder / f"{table}.parquet").exists():
        with pq.ParquetFile(path) as file:
            for i in range(file.num_row_groups):
                yield file.read_row_group(i)


def _digests(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _to_disk(folder: Path) -> None:
    for path in folder.iterdir():
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def counts_of(parts: Iterable[Part]) -> Mapping[str, int]:
    """Rows per table."""
    found: dict[str, int] = {}
    for part in parts:
        for held in part.held:
            found[held.table] = found.get(held.table, 0) + held.rows
    return found


def abandon() -> None:
    """Remove what this process has not finished: it is about to end."""
    for work in list(_UNDER_WAY):
        _remove(work)


def _remove(work: Path) -> None:
    # Threads that are too late still know the old name: they find nothing there.
    gone = work.with_name(f"{work.name}-gone")
    with suppress(FileNotFoundError):
        work.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
    _UNDER_WAY.discard(work)


def _sweep(out: Path) -> None:
    """Remove what writers left that died: nobody holds its lock any more."""
    for work in out.glob(f"{_STAGING}*"):
        with suppress(OSError):
            if time.time() - work.stat().st_mtime >= _NEW_S and not _is_locked(work):
                shutil.rmtree(work, ignore_errors=True)


def _is_locked(work: Path) -> bool:
    try:
        handle = os.open(work / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
