"""Snapshots of rows that a test makes up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from providers.seam import Reading
from providers.snapshots.manifest import Part, Status
from providers.snapshots.reading import Snapshot
from providers.snapshots.tables import Row
from providers.snapshots.writing import Finished, SnapshotWriter

AT = datetime(2026, 11, 20, tzinfo=UTC)


def part_of(reading: Reading, status: Status = Status.COMPLETE, why: str = "") -> Part:
    """A part of an account of AWS."""
    return Part(
        cloud="aws", account="1", region="", reading=reading, status=status, read_at=AT,
        took_s=0.0, why=why,
    )  # fmt: skip


def written(
    folder: Path, rows: Iterable[Row] = (), part: Part | None = None, name: str = "x",
    at: datetime = AT,
) -> Snapshot:  # fmt: skip
    """A snapshot of one part."""
    with SnapshotWriter(folder, name, at) as writer:
        with writer.part(0) as taker:
            for row in rows:
                taker.add(row)
        one = part_of(Reading.PRICES) if part is None else part
        return writer.finish([Finished(one, taker.folder)], 0.0)
