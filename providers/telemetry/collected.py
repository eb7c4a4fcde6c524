"""Signals from what ``trimtab collect`` has measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from models.inventory import Instance, InstanceGroup
from models.measured import Grid, Samples
from models.signals import SIGNALS, SignalKey
from providers.snapshots.reading import Snapshot, is_snapshot, newest_of, snapshots_in
from providers.telemetry.seam import Chunk, Listener, Part
from scenarios.observing import Telemetry
from scenarios.telemetry_entries import SnapshotsEntry

_SUBJECT = ["account", "place", "subject"]


def parts_of(telemetry: Telemetry, name: str, entry: SnapshotsEntry) -> list[Part]:
    """The folder of snapshots is read as a whole."""
    reading = _Reading(telemetry.folder / entry.folder)
    return [Part(name, "samples", "1", reading.chunks)]


@dataclass(frozen=True, eq=False)
class _Reading:
    folder: Path
    _known: set[Path] = field(default_factory=set)
    """Snapshots that were read to their end: they do not change."""

    def chunks(self, grid: Grid, listener: Listener) -> Iterator[Chunk]:
        """The oldest snapshot first, so that what was measured anew counts."""
        if is_snapshot(self.folder):
            found = [Snapshot(self.folder)]
            found[0].check()
        else:
            known = snapshots_in(self.folder, listener.note)
            found = newest_of(known, len(known), listener.note)
        if not found:
            listener.note(f"{self.folder} holds no snapshot that can be used")
        for snapshot in found:
            if listener.stopping():
                return
            if snapshot.folder in self._known:
                continue
            for samples in samples_of(snapshot, listener):
                yield Chunk(grid, samples)
            self._known.add(snapshot.folder)


def samples_of(snapshot: Snapshot, listener: Listener) -> Iterator[Samples]:
    """The samples of a snapshot whose subjects run a service, by what a sample covers.

    The subject is the instance; what a group counts stands for all its instances.
    """
    rows: list[Instance | InstanceGroup] = []
    rows += snapshot.rows(Instance)
    rows += snapshot.rows(InstanceGroup)
    services = {(one.account, one.place, one.id): one.service for one in rows}
    frame = snapshot.frame("samples")
    frame = frame[frame["signal"].isin(list(SIGNALS))]
    runs = [services.get(key, "") for key in frame[_SUBJECT].itertuples(index=False, name=None)]
    frame = frame.assign(service=pd.Series(runs, frame.index, dtype=object))
    nameless = frame[frame["service"] == ""]["subject"].nunique()
    if nameless:
        listener.note(f"{nameless:,} subjects of {snapshot.folder.name} run no known service")
    frame = frame[frame["service"] != ""]
    for step_s in sorted(set(frame["step_s"].tolist())):
        own = frame[frame["step_s"] == step_s]
        named = list(own[["signal", "service", "subject"]].itertuples(index=False, name=None))
        series, distinct = pd.factorize(pd.Series(named, dtype=object))
        keys = tuple(SignalKey(str(s), str(of), instance=str(one)) for s, of, one in distinct)
        at_ms = own["at"].dt.as_unit("ms").astype(np.int64).to_numpy()
        value = own["value"].to_numpy(np.float64)
        yield Samples(keys, series.astype(np.int64), at_ms, value, int(step_s) * 1000)
