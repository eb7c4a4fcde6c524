"""Snapshots that are there already."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.errors import UnusableData
from providers.snapshots.manifest import MANIFEST, Held, Manifest, read_manifest
from providers.snapshots.tables import TABLE_OF, rows_of, schema_of

Kind = TypeVar("Kind")
Warn = Callable[[str], None]
"""Takes what somebody should know, and that is no fault."""

_PRICED: Final = ("prices", "committed_rates")
"""Tables with a price in each row."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A folder that ``SnapshotWriter`` has written."""

    folder: Path

    @cached_property
    def manifest(self) -> Manifest:
        return read_manifest(self.folder)

    def frame(self, name: str) -> pd.DataFrame:
        """A table of ``TABLES``, one row per line; empty when nobody read any."""
        frame: pd.DataFrame = self._table(name).to_pandas()
        return frame

    def rows(self, kind: type[Kind]) -> list[Kind]:
        """All rows of a kind, in the order of the parts."""
        return rows_of(self._table(TABLE_OF[kind]), kind)

    def groups_of(self, held: Held) -> pa.Table:
        """The rows of a part."""
        path = self._path(held.table)
        with _usable(path), _opened(path, held.table) as file:
            return file.read_row_groups(range(held.first, held.first + held.groups))

    def check(self) -> None:
        """Raise ``UnusableData`` when a file is missing or not what was written."""
        for name, digest in self.manifest.files.items():
            path = self.folder / name
            try:
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise UnusableData(f"{path} cannot be read: {error.strerror}") from error
            if found != digest:
                raise UnusableData(
                    f"{path} has been changed since it was written\n    → collect again"
                )

    def _table(self, name: str) -> pa.Table:
        if f"{name}.parquet" not in self.manifest.files:
            return schema_of(name).empty_table()
        path = self._path(name)
        with _usable(path), _opened(path, name) as file:
            table = file.read()
        if name in _PRICED:
            _check_prices(path, table)
        return table

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    """What reading a file raises, as ``UnusableData`` that names it."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise UnusableData(f"{path} is not readable Parquet: {str(error)[:200]}") from error


def _opened(path: Path, name: str) -> pq.ParquetFile:
    file = pq.ParquetFile(path)
    if not file.schema_arrow.equals(schema_of(name)):
        file.close()
        raise UnusableData(f"{path} has other columns than this version of trimtab writes")
    return file


def _check_prices(path: Path, table: pa.Table) -> None:
    """Refuse what no price can be: zero, negative, infinite, or no number."""
    prices = table.column("price_usd_per_hour")
    sound = pc.and_(pc.is_finite(prices), pc.greater(prices, 0.0))
    bad = table.num_rows - (pc.sum(sound).as_py() or 0)
    if bad:
        first = table.filter(pc.invert(sound)).slice(0, 1).to_pylist()[0]
        which = f"{first['instance_type']} in {first['place']}: {first['price_usd_per_hour']}"
        raise UnusableData(f"{path} holds {bad:,} prices that can be none, such as {which}")


def snapshots_in(folder: Path, warn: Warn) -> list[Snapshot]:
    """The snapshots in a folder of snapshots, the oldest first; damaged ones are passed over.

    Raises ``UnusableData`` when the folder may not be read.
    """
    found: list[Snapshot] = []
    try:
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise UnusableData(f"{folder} cannot be read: {error.strerror}") from error
    for entry in entries:
        # A link to a snapshot beside it would be that one a second time.
        if entry.name.startswith(".") or entry.is_symlink() or not _holds_snapshot(entry):
            continue
        one = Snapshot(entry)
        try:
            _ = one.manifest
        except UnusableData as error:
            warn(f"passed over: {error}")
        else:
            found.append(one)
    return sorted(found, key=lambda one: (one.manifest.taken_at, one.folder.name))


def is_snapshot(folder: Path) -> bool:
    """Whether it is a snapshot itself, and not a folder of them.

    Raises ``UnusableData`` when that cannot be told.
    """
    try:
        return folder.is_dir() and _holds_snapshot(folder)
    except OSError as error:
        raise UnusableData(f"{folder} cannot be read: {error.strerror}") from error


def _holds_snapshot(folder: Path) -> bool:
    try:
        return (folder / MANIFEST).exists()
    except PermissionError:
        return True  # whoever reads it will say what is wrong


def newest_of(snapshots: Sequence[Snapshot], count: int, warn: Warn) -> list[Snapshot]:
    """The newest ``count`` of ``snapshots`` that can be used, the oldest of them first.

    Passed over are those in which no cloud said anything, and those that are damaged.
    """
    found: list[Snapshot] = []
    for one in reversed(snapshots):
        if len(found) == count:
            break
        if one.manifest.barren:
            warn(f"passed over: {one.folder} holds nothing that a cloud said then")
            continue
        try:
            one.check()
        except UnusableData as error:
            warn(f"passed over: {error}")
        else:
            found.append(one)
    return found[::-1]


def newest_in(folder: Path, warn: Warn, count: int = 1) -> list[Snapshot]:
    """The newest snapshots in a folder that can be used; a snapshot itself is its only one.

    Raises ``UnusableData`` when a snapshot that is named itself is damaged.
    """
    if is_snapshot(folder):
        one = Snapshot(folder)
        one.check()
        return [one]
    return newest_of(snapshots_in(folder, warn), count, warn)
