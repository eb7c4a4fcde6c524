"""Telemetry files and tables of samples: what is understood, and what is told of the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from written_snapshots import part_of
from written_snapshots import written as snapshot_of

from models.errors import FaultyInput
from models.inventory import GroupKind, InstanceGroup, Sample
from models.inventory import Signal as CloudSignal
from models.labels import LONGEST
from models.measured import Grid, gridded
from models.signals import SignalKey, Signals
from optimizer.sources import parts_of
from providers.seam import Reading
from providers.telemetry.files import read_samples
from providers.telemetry.seam import Listener
from scenarios.faults import Faults
from scenarios.lines import read_yaml
from scenarios.observing import named_by, read_telemetry, telemetry_schema
from scenarios.telemetry_entries import MatchedEntry, NamesEntry

GOOD = """\
trimtab: 1
telemetry: production
step_s: 60
keep_days: 90
hours_after_days: 14
services:
  labels: [service, app]
  rules:
    - {service: web, labels: {job: 'web*'}}
sources:
  - name: main
    prometheus:
      url: https://prometheus.example.com
      bearer_from: {env: PROMETHEUS_TOKEN}
      headers_from: {X-Scope-OrgID: {file: tenant}}
      presets:
        - {preset: haproxy, match: 'env="prod"', by: [region]}
      queries:
        - {signal: latency_p99_ms, query: 'max(x)', service: web}
        - {signal: requests_total, query: 'requests{path="/(a)"}'}
  - name: history
    files: {files: ['history/*.parquet'], covers_s: 3600}
  - name: clouds
    snapshots: {folder: snapshots}
"""
SECRET = "glsa_Zm9vYmFyc2VjcmV0dmFsdWU"
START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def make(changes: dict[str, str] | None = None) -> Path:
        text = GOOD
        for old, new in (changes or {}).items():
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / "telemetry.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return make


def faults_of(path: Path) -> str:
    with pytest.raises(FaultyInput) as refused:
        read_telemetry(path)
    assert all(fault.at.line for fault in refused.value.faults)
    return str(refused.value)


def test_a_good_file(written: Callable[..., Path]) -> None:
    path = written()
    telemetry = read_telemetry(path)
    assert [source.name for source in telemetry.content.sources] == ["main", "history", "clouds"]
    jsonschema.validate(read_yaml(path), telemetry_schema())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("step_s: 60", "step_s: 70", "70 s\n    → did you mean 72?"),
        ("hours_after_days: 14", "hours_after_days: 90", "after 90 days nothing is kept"),
        ("name: clouds", "name: main", "two sources are called 'main'"),
        ("    snapshots: {folder: snapshots}\n", "", "'clouds' says nothing of what it is"),
        ("{folder: snapshots}", "{folder: s}\n    files: {files: [a]}", "files and snapshots at"),
        ("https://prom", "http://prom", "would travel to prometheus.example.com unencrypted"),
        ("example.com\n", "example.com/api/v1\n", "leave out /api/v1"),
        ("example.com\n", "example.com/?x=1\n", "leave out what follows"),
        ("https://prometheus.example.com", "prometheus", "write an address: https://host:port"),
        ("latency_p99_ms", "latency_p98_ms", "did you mean 'latency_p99_ms'"),
        ("requests{path=\"/(a)\"}", "rate(requests[5m])", "requests_total is read from samples"),
        ("preset: haproxy", "preset: haprox", "did you mean 'haproxy'?"),
        ("match: 'env", "metrics: x, match: 'env", "haproxy has metrics of its own names"),
        ("by: [region]", "by: ['re gion']", "use letters, digits and _ only"),
        ("name: main", "name: a/b", "use letters, digits, dots and dashes only"),
        ("{env: PROMETHEUS_TOKEN}", "{env: A, file: b}", "bearer_from names one place"),
        ("{env: PROMETHEUS_TOKEN}", "{}", "bearer_from names one place"),
        ("{file: tenant}", "{}", "headers_from.X-Scope-OrgID names one place"),
        ("telemetry: production", "world: w", "this is not a telemetry file"),
        ("    files: {files: ['history/*.parquet'], covers_s: 3600}", "    files: {files: []}",
         "files is empty"),
    ],
)  # fmt: skip
def test_faults(written: Callable[..., Path], old: str, new: str, said: str) -> None:
    assert said in faults_of(written({old: new}))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bearer_from: {env: PROMETHEUS_TOKEN}", f"bearer_from: {SECRET}"),
        ("bearer_from: {env: PROMETHEUS_TOKEN}", f"bearer_token: {SECRET}"),
        ("bearer_from: {env: PROMETHEUS_TOKEN}", f"bearer_from: {{env: 'Bearer {SECRET}'}}"),
        ("{file: tenant}", SECRET),
        ("X-Scope-OrgID: {file: tenant}", f"Authorization: Bearer {SECRET}"),
        ("https://prometheus", f"https://me:{SECRET}@prometheus"),
        ("bearer_from: {env: PROMETHEUS_TOKEN}",
         f"basic: {{user: me, password_from: {SECRET}}}"),
        ("bearer_from: {env: PROMETHEUS_TOKEN}", f"basic: {{user: me, password: {SECRET}}}"),
    ],
)  # fmt: skip
def test_secrets_in_files_are_refused_and_not_repeated(
    written: Callable[..., Path], old: str, new: str
) -> None:
    assert SECRET not in faults_of(written({old: new}))


def test_all_faults_at_once(written: Callable[..., Path]) -> None:
    path = written({"step_s: 60": "step_s: 70", "name: clouds": "name: main",
                    "latency_p99_ms": "latency", "https://": "http://"})  # fmt: skip
    with pytest.raises(FaultyInput) as refused:
        read_telemetry(path)
    assert [fault.at.line for fault in refused.value.faults] == [3, 13, 19, 23]


def test_what_labels_name() -> None:
    rules = (MatchedEntry(service="front", labels={"job": "web*", "env": "prod"}),)
    names = NamesEntry(rules=rules, labels=("service", "app"), origin_labels=("region",))
    labels = {"job": "web-1", "env": "prod", "app": "shop", "region": "eu", "instance": "i"}
    found = named_by(names, labels)
    assert (found.service, found.origin, found.instance) == ("front", "eu", "i")
    assert named_by(names, {**labels, "env": "test"}).service == "shop"
    assert named_by(names, {"job": "x", "proxy": "p", "service": ""}, "proxy").service == "p"
    assert named_by(names, {"job": "x"}).service == ""
    assert named_by(names, {"app": "a\ud800\x1b[2J\nb"}).service == "a [2J b"
    assert named_by(names, {"service": "\x1b", "app": "x" * 10_000}).service == "x" * LONGEST


def table(**columns: Sequence[object]) -> pd.DataFrame:
    rows = len(columns["value"])
    known: dict[str, Sequence[object]] = {
        "ts": [(START + timedelta(minutes=i)).isoformat() for i in range(rows)],
        "signal": ["requests_rps"] * rows,
        "service": ["web"] * rows,
    }
    return pd.DataFrame({**known, **columns})


LATER = START + timedelta(days=2)
"""When the files are read."""


def signals_of(path: Path, covers_s: int = 0) -> list[Signals]:
    faults = Faults()
    found = read_samples(path, faults, covers_s, LATER)
    assert faults.found == []
    grid = Grid.over(START, START + timedelta(hours=2), 60)
    return [gridded(samples, grid, START + timedelta(days=1))[0] for samples in found]


@pytest.mark.parametrize("kind", ["csv", "parquet", "typed"])
def test_tables_of_samples(tmp_path: Path, kind: str) -> None:
    frame = table(
        value=[1.0, 2.0, None, 4.0, 60.0, 120.0],
        signal=["requests_rps"] * 4 + ["requests_total"] * 2,
        service=["web"] * 4 + ["api"] * 2,
        origin=["europe", "europe", "europe", None, None, None],
    )
    if kind == "typed":
        frame["ts"] = pd.to_datetime(frame["ts"]).dt.as_unit("ns")
        frame["service"] = frame["service"].astype("category")
    path = tmp_path / f"samples.{'csv' if kind == 'csv' else 'parquet'}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    rates, levels = sorted(signals_of(path), key=lambda one: one.keys[0].service)
    europe = SignalKey("requests_rps", "web", "europe")
    assert levels.of(europe)[:2].tolist() == [1.0, 2.0]
    assert np.isnan(levels.of(europe)[2:]).all()
    assert levels.of(SignalKey("requests_rps", "web"))[3] == 4.0
    assert rates.of(SignalKey("requests_rps", "api"))[4] == 1.0


def test_values_that_cover_hours(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    ts = [START.isoformat(), (START + timedelta(hours=1)).isoformat()]
    table(value=[5.0, 7.0], ts=ts).to_csv(path, index=False)
    (found,) = signals_of(path, covers_s=3600)
    assert found.values.tolist() == [[5.0] * 60 + [7.0] * 60]


@pytest.mark.parametrize(
    ("columns", "line", "said"),
    [
        (
            {"ts": ["2026-03-01T00:00:00", "2026-03-01 00:01"]},
            2,
            "without a time zone (lines 2, 3)",
        ),
        ({"ts": ["2025-10-26T02:30:00+02:00", "yesterday"]}, 3, "what is no timestamp"),
        ({"ts": ["1826-10-25T02:30:00Z", "2026-03-01T02:30:00Z"]}, 2, "1990 to 2099"),
        ({"ts": ["2026-03-01T02:30:00Z", "1969-12-31T23:59:00Z"]}, 3, "1990 to 2099 (line 3)"),
        ({"ts": ["1e300", "NaN"]}, 2, "what is no timestamp (lines 2, 3)"),
        ({"ts": [None, "2026-03-01T02:30:00Z"]}, 2, "what is no timestamp (line 2)"),
        ({"ts": ["2026-03-01T02:30:00Z", "2026-10-25T02:30:00Z"]}, 3, "beyond tomorrow (line 3)"),
        ({"signal": ["requests_rps", "request_rps"]}, 3, "did you mean 'requests_rps'"),
        ({"service": ["web", ""]}, 3, "no service"),
        ({"service": ["web", "w\x1b[2Jeb"]}, 3, "service with control characters"),
        ({"value": ["1", "one"]}, 3, "values that are no number"),
    ],
)
def test_faults_of_tables(
    tmp_path: Path, columns: dict[str, Sequence[object]], line: int, said: str
) -> None:
    path = tmp_path / "samples.csv"
    table(**{"value": (1.0, 2.0), **columns}).to_csv(path, index=False)
    faults = Faults()
    assert read_samples(path, faults, 0, LATER) == []
    assert [fault.at.line for fault in faults.found] == [line]
    assert said in str(faults.found[0])


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        (pa.array([None, 1_772_323_200_000], pa.timestamp("ms", "UTC")), "no timestamp (row 1)"),
        (pa.array([math.nan, 1e300]), "no timestamp (rows 1, 2)"),
        (pa.array([1_772_323_200_000] * 2), "no timestamp (rows 1, 2)"),
        (pa.array([1_772_323_200_000_000, -1], pa.timestamp("us", "UTC")), "1990 to 2099 (row 2)"),
        (pa.array([2**62, -(2**62)], pa.timestamp("ms", "UTC")), "1990 to 2099 (rows 1, 2)"),
        (pa.array([2**63 - 1, -(2**63)], pa.timestamp("us", "UTC")), "1990 to 2099 (row 1)"),
    ],
)
def test_moments_of_parquet_that_cannot_be(tmp_path: Path, moments: pa.Array, said: str) -> None:
    path = tmp_path / "samples.parquet"
    rest = {"signal": ["requests_rps"] * 2, "service": ["web"] * 2, "value": [1.0, 2.0]}
    pq.write_table(pa.table({"ts": moments, **rest}), path)
    faults = Faults()
    assert read_samples(path, faults, 0, LATER) == []
    assert said in " ".join(map(str, faults.found))


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    for name, content, said in (
        ("a.csv", "ts;value\n", "missing columns: ts, signal, service, value"),
        ("b.csv", "ts,signal,service,value,ts\n", "the column 'ts' stands twice"),
        ("c.parquet", "no parquet", "not readable Parquet"),
        ("d.txt", "x", "neither .csv nor .parquet"),
    ):
        path = tmp_path / name
        path.write_text(content)
        faults = Faults()
        assert read_samples(path, faults, 0, LATER) == []
        assert said in str(faults.found[0])


def test_an_empty_table_has_no_samples(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ts,signal,service,value\n")
    assert signals_of(path) == []


def test_what_was_collected_from_clouds(tmp_path: Path) -> None:
    """Samples become signals of the services that their subjects run, the newest snapshot last."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    group = InstanceGroup(
        id="g", name="g", kind=GroupKind.AUTO_SCALING_GROUP, zones=("a",), minimum=1, desired=1,
        maximum=2, healthy=1, instance_types=("m5.large",), service="web", account="1",
        place="aws/eu-west-1",
    )  # fmt: skip

    def sample(subject: str, hour: int, value: float, signal: CloudSignal) -> Sample:
        return Sample(signal, "1", "aws/eu-west-1", subject, at + hour * HOUR, 3600, value)

    requests, network = CloudSignal.REQUESTS_RPS, CloudSignal.NETWORK_OUT_BYTES
    first = [sample("g", 0, 5.0, requests), sample("g", 1, 6.0, requests)]
    again = [sample("g", 1, 7.0, requests), sample("x", 0, 1.0, requests),
             sample("g", 0, 9.0, network)]  # fmt: skip
    for day, samples in ((2, first), (3, again)):
        snapshot_of(tmp_path / "snapshots", [group, *samples], part_of(Reading.SAMPLES),
                at=at + day * 24 * HOUR)  # fmt: skip
    (tmp_path / "telemetry.yaml").write_text(
        "trimtab: 1\ntelemetry: t\nstep_s: 1800\nsources:\n"
        "  - {name: clouds, snapshots: {folder: snapshots}}\n"
    )
    (part,) = parts_of(read_telemetry(tmp_path / "telemetry.yaml"))
    notes: list[str] = []
    grid = Grid.over(at, at + 2 * HOUR, 1800)
    chunks = list(part.read(grid, Listener(notes.append)))
    found = [gridded(chunk.samples, grid, at + 99 * HOUR)[0] for chunk in chunks]
    key = SignalKey("requests_rps", "web", instance="g")
    assert [signals.keys for signals in found] == [(key,), (key,)]
    assert found[0].values.tolist() == [[5.0, 5.0, 6.0, 6.0]]
    np.testing.assert_array_equal(found[1].values, [[np.nan, np.nan, 7.0, 7.0]])
    assert any("1 subjects" in note for note in notes)
    assert list(part.read(grid, Listener(notes.append))) == []  # what was read does not change
