"""Worlds whose demand is what telemetry counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from corner_shop import corner_shop_catalogue

from models.errors import FaultyInput
from models.signals import SignalKey, Signals
from models.world import World
from optimizer.gather import measured_for
from providers.telemetry.demand import hourly_history, requests_in
from providers.telemetry.store import Store
from providers.telemetry.writing import StoreWriter
from scenarios.build import build_world
from scenarios.documents import read_world

START = datetime(2026, 3, 1, tzinfo=UTC)
STEPS = 3 * 24 * 12 + 5  # of five minutes: three days, and a little of an hour that is not over
WORLD = """\
trimtab: 1
world: measured
demand: {{telemetry: kept, gaps: {gaps}}}
origins:
{origins}
services:
  - name: web
    replica: {{vcpus: 1, memory_gib: 2, throughput_rps: 50}}
  - name: stock
    replica: {{vcpus: 1, memory_gib: 2, throughput_rps: 50}}
dependencies:
  - {{caller: web, callee: stock, calls_per_request: 2}}
"""
EUROPE = "  - {name: europe, near: aws/eu-west-1}"
AMERICA = "  - {name: america, near: aws/us-east-1}"


def key(service: str = "web", origin: str = "", instance: str = "", callee: str = "") -> SignalKey:
    return SignalKey("requests_rps", service, origin, instance, callee)


@pytest.fixture
def keep(tmp_path: Path) -> Callable[..., Store]:
    def make(rows: dict[SignalKey, np.ndarray]) -> Store:
        keys = tuple(sorted(rows))
        with StoreWriter(tmp_path / "kept", "production", 300) as out:
            out.write(Signals(START, 300, keys, np.array([rows[one] for one in keys])))
        return Store(tmp_path / "kept")

    return make


def ramp(level: float = 0.0) -> np.ndarray:
    return level + np.arange(STEPS, dtype=np.float64)


def world(folder: Path, origins: str = EUROPE, gaps: str = "reject") -> World:
    path = folder / "world.yaml"
    path.write_text(WORLD.format(origins=origins, gaps=gaps))
    document = read_world(path)
    return build_world(document, corner_shop_catalogue(), None, measured_for(document))


def test_hours_are_means_of_what_users_asked(keep: Callable[..., Store], tmp_path: Path) -> None:
    keep({
        key(instance="1"): ramp(), key(instance="2"): ramp(100.0), key("stock"): ramp(),
        key(callee="stock"): ramp(), key("other"): ramp(),
    })  # fmt: skip
    made = world(tmp_path)
    frame = made.history.frame
    assert set(zip(frame["service"], frame["origin"], strict=True)) == {("web", "europe")}
    expected = [100.0 + 2 * (12 * hour + 5.5) for hour in range(72)]
    assert frame["rps"].tolist() == pytest.approx(expected)
    assert made.starts == START + timedelta(days=3)
    assert made.history.note == "telemetry 'production', measured"


def test_origins_come_before_wholes(keep: Callable[..., Store], tmp_path: Path) -> None:
    store = keep({
        key(): ramp(1000.0), key(origin="europe"): ramp(), key(origin="america"): ramp(7.0),
        key("stock", "europe"): ramp(3.0), key("stock"): ramp(),
    })  # fmt: skip
    found = requests_in(store, START, START + timedelta(hours=1))
    assert found.keys == (key("stock", "europe"), key(origin="america"), key(origin="europe"))
    frame = world(tmp_path, f"{EUROPE}\n{AMERICA}").history.frame
    pairs = set(zip(frame["service"], frame["origin"], strict=True))
    assert pairs == {("web", "europe"), ("web", "america"), ("stock", "europe")}


def test_gaps_are_missing_hours(keep: Callable[..., Store], tmp_path: Path) -> None:
    row = ramp()
    row[24:31] = np.nan  # seven of the twelve steps of an hour
    row[36:42] = np.nan  # six
    store = keep({key(): row})
    hours = hourly_history(store, 42).frame["ts"]
    missing = {START + timedelta(hours=i) for i in range(72)} - set(hours)
    assert missing == {START + timedelta(hours=2)}
    with pytest.raises(FaultyInput, match="1 hour is missing of 'web' from 'europe'"):
        world(tmp_path)
    assert len(world(tmp_path, gaps="fill").history.frame) == 71


@pytest.mark.parametrize(
    ("rows", "origins", "said"),
    [
        ({key("other"): ramp()}, EUROPE, "no requests of the world's services"),
        ({key("stock"): ramp()}, EUROPE, "no requests of the world's services"),
        ({key(): ramp()}, f"{EUROPE}\n{AMERICA}", "names no origin of requests of web"),
        ({key(origin="evrope"): ramp()}, EUROPE, "unknown origin 'evrope'"),
    ],
)
def test_faults(
    keep: Callable[..., Store], tmp_path: Path, rows: dict[SignalKey, np.ndarray], origins: str,
    said: str,
) -> None:  # fmt: skip
    keep(rows)
    with pytest.raises(FaultyInput, match=said):
        world(tmp_path, origins)


def test_no_telemetry_there(tmp_path: Path) -> None:
    with pytest.raises(FaultyInput, match="holds no telemetry") as refused:
        world(tmp_path)
    assert refused.value.faults[0].at.line == 3
    with StoreWriter(tmp_path / "kept", "production", 300):
        pass
    with pytest.raises(FaultyInput, match="holds no signals"):
        world(tmp_path)
