"""Worlds that replay a public trace: ``python -m benchmarks.traced_worlds DATA OUT``.

Each, of one service, is a folder for ``trimtab simulate``: a replica serves a fortieth of the 99th
percentile of a minute, and takes three minutes to boot.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from benchmarks.frontier import BOOT_STEPS, NEEDS, REPLICAS_AT_P99, TRACES

WORLD = """\
trimtab: 1
world: {name}
description: Requests of a public log, minute by minute, to one service.
places: {{places: [aws/us-east-1]}}
prices: {{book: embedded}}
policy: {{purchases: [on_demand]}}
demand:
  history: hours.csv
  trace: minutes.parquet
  gaps: fill
  note: {note}
origins:
  - {{name: users, near: aws/us-east-1}}
services:
  - name: web
    replica:
      {{vcpus: 0.9, memory_gib: 1.8, throughput_rps: {rps}, service_time_ms: 20, boot_s: {boot}}}
"""


def write_world(data: Path, series: str, folder: Path) -> None:
    """A world that replays ``series`` of the folder with public data sets."""
    rows = pd.read_parquet(data / NEEDS, filters=[("series_id", "==", series)])
    ts = pd.to_datetime(rows["ts"], utc=True)
    minutes = (rows["value"] / 60.0).set_axis(ts).resample("1min").mean()
    folder.mkdir(parents=True, exist_ok=True)
    known = minutes.dropna()
    trace = pd.DataFrame({"ts": known.index, "rps": known.to_numpy()})
    trace.to_parquet(folder / "minutes.parquet", index=False)
    hours = minutes.resample("1h").mean().dropna().iloc[:-1]
    columns = {"ts": hours.index, "service": "web", "origin": "users", "rps": hours.to_numpy()}
    form = "%Y-%m-%dT%H:%M:%SZ"
    pd.DataFrame(columns).to_csv(folder / "hours.csv", index=False, date_format=form)
    rps = float(minutes.quantile(0.99)) / REPLICAS_AT_P99
    text = WORLD.format(name=folder.name, note=series, rps=rps, boot=60 * BOOT_STEPS)
    (folder / "world.yaml").write_text(text)


if __name__ == "__main__":
    for name in TRACES.values():
        write_world(Path(sys.argv[1]), name, Path(sys.argv[2]) / name.rpartition("/")[2])
