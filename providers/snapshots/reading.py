"""Snapshots that are there already."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from models.errors import UnusableData
from providers.snapshots.manifest import MANIFEST, Held, Manifest, read_manifest
from providers.snapshots.tables import TABLE_OF, rows_of, schema_of

Kind = TypeVar("Kind")


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
        with self._open(held.table) as file:
            return file.read_row_groups(range(held.first, held.first + held.groups))

    def check(self) -> None:
        """Raise ``UnusableData`` when a file is missing or not what was written."""
        for name, digest in self.manifest.files.items():
            try:
                with (self.folder / name).open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise UnusableData(f"{self.folder / name}: {error.strerror}") from error
            if found != digest:
                raise UnusableData(f"{self.folder / name} has been changed since it was written")

    def _table(self, name: str) -> pa.Table:
        if f"{name}.parquet" not in self.manifest.files:
            return schema_of(name).empty_table()
        with self._open(name) as file:
            return file.read()

    def _open(self, name: str) -> pq.ParquetFile:
        path = self.folder / f"{name}.parquet"
        try:
            file = pq.ParquetFile(path)
        except (OSError, pa.ArrowException) as error:
            raise UnusableData(f"{path} is not readable Parquet: {str(error)[:200]}") from error
        if not file.schema_arrow.equals(schema_of(name)):
            raise UnusableData(f"{path} has other columns than this version of trimtab writes")
        return file


def snapshots_in(folder: Path) -> list[Snapshot]:
    """The snapshots in a folder of snapshots, the oldest first.

    A snapshot itself is its only one.
    """
    if (folder / MANIFEST).is_file():
        return [Snapshot(folder)]
    if not folder.is_dir():
        return []
    found = (Snapshot(entry) for entry in sorted(folder.iterdir()) if (entry / MANIFEST).is_file())
    return sorted(found, key=lambda one: (one.manifest.taken_at, one.folder.name))
