"""What has changed from one snapshot to the next.

Only what both snapshots have whole is compared: where a cloud did not answer, nothing is said to
be gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from providers.seam import Reading
from providers.snapshots.manifest import Part, Status
from providers.snapshots.reading import Snapshot
from providers.snapshots.tables import TABLES_OF_READING

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "instances": ("account", "place", "id"),
    "groups": ("account", "place", "id"),
    "instance_types": ("account", "place", "instance_type"),
    "quotas": ("account", "place", "name"),
    "owned_commitments": ("account", "place", "id"),
    "prices": ("place", "instance_type", "purchase", "zone"),
    "committed_rates": ("product", "term_years", "upfront_share", "place", "instance_type"),
}
"""What tells rows of a table apart."""

_PASSING: Final = {"as_of", "source", "used", "used_share", "healthy", "trouble"}
"""Columns that change by themselves."""


@dataclass(frozen=True, slots=True)
class Change:
    """A row that came, went or changed. ``fields``: name, before and after, where it changed."""

    table: str
    key: tuple[str, ...]
    what: str  # added, removed or changed
    fields: tuple[tuple[str, Any, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Differences:
    """All changes, by table and key; ``unknown``: what could not be compared."""

    changes: tuple[Change, ...]
    unknown: tuple[Part, ...]

    def count(self, table: str, what: str) -> int:
        return sum(change.table == table and change.what == what for change in self.changes)


def differences(before: Snapshot, after: Snapshot) -> Differences:
    """What is other in ``after``; raises ``UnusableData`` when a snapshot is damaged."""
    old, new = (_parts(snapshot) for snapshot in (before, after))
    whole = {
        key for key in old.keys() & new.keys()
        if old[key].status is Status.COMPLETE and new[key].status is Status.COMPLETE
    }  # fmt: skip
    unknown = tuple(part for key, part in sorted({**old, **new}.items()) if key not in whole)
    changes: list[Change] = []
    for reading, tables in TABLES_OF_READING.items():
        for table in tables:
            if table in KEYS:
                changes += _changes(
                    table, _rows(before, old, whole, reading, table),
                    _rows(after, new, whole, reading, table),
                )  # fmt: skip
    return Differences(tuple(changes), unknown)


_Key = tuple[str, str, str, str]


def _parts(snapshot: Snapshot) -> dict[_Key, Part]:
    return {
        (part.cloud, part.account, part.region, part.reading.value): part
        for part in snapshot.manifest.parts
    }


def _rows(
    snapshot: Snapshot, parts: dict[_Key, Part], whole: set[_Key], reading: Reading, table: str
) -> pd.DataFrame:
    """Rows of the parts that are whole in both snapshots."""
    frame = snapshot.frame(table)
    keep = pd.Series(False, index=frame.index)
    at = 0
    for key, part in parts.items():
        if part.reading is not reading:
            continue
        rows = sum(held.rows for held in part.held if held.table == table)
        keep.iloc[at : at + rows] = key in whole
        at += rows
    return frame[keep]


def _changes(table: str, before: pd.DataFrame, after: pd.DataFrame) -> list[Change]:
    keys = list(KEYS[table])
    old, new = (_indexed(frame, keys) for frame in (before, after))
    found = [Change(table, _key(key), "removed") for key in old.index.difference(new.index)]
    found += [Change(table, _key(key), "added") for key in new.index.difference(old.index)]
    both = old.index.intersection(new.index)
    left, right = old.loc[both], new.loc[both]
    other = (left != right) & ~(left.isna() & right.isna())
    for key in both[other.any(axis=1).to_numpy()]:
        fields = tuple(
            (name, left.at[key, name], right.at[key, name])
            for name in left.columns
            if other.at[key, name]
        )
        found.append(Change(table, _key(key), "changed", fields))
    return sorted(found, key=lambda change: (change.key, change.what))


def _key(key: Any) -> tuple[str, ...]:
    return tuple(str(part) for part in key)


def _indexed(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The values that count, as plain text where they are lists, by key."""
    kept = frame.drop(columns=[name for name in frame.columns if name in _PASSING])
    if "upfront_share" in keys:  # clouds divide for it: what differs by a hair is the same
        kept["upfront_share"] = kept["upfront_share"].map("{:.4g}".format)
    for name in kept.columns:
        if kept[name].dtype == object:
            kept[name] = kept[name].map(_text)
    return kept.drop_duplicates(keys).set_index(keys).sort_index()


def _text(value: Any) -> Any:
    """Lists and labels as text that can be compared."""
    if value is None or isinstance(value, str):
        return value
    return ", ".join(
        "=".join(map(str, item)) if isinstance(item, tuple) else str(item) for item in value
    )
