"""Queries against a real Prometheus whose history was planted: the figures are known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from planted_metrics import HOURS, RESET_S, SILENT_S, START, shop_rps, shop_total
from prometheus_host import Prometheus

from models.combining import of_services
from models.measured import Grid, gridded
from models.signals import SIGNALS, SignalKey, Signals
from optimizer.sources import parts_of
from providers.prometheus import source
from providers.prometheus.client import Server
from providers.prometheus.errors import TooMuch
from providers.prometheus.presets import PRESETS, window_s
from providers.telemetry.seam import Listener
from scenarios.observing import read_telemetry

ENDS = START + timedelta(hours=HOURS)
STEP_S = 60
GRID = Grid.over(START, ENDS, STEP_S)
WINDOW_S = window_s(STEP_S, 15)
_SILENT_STEPS = range(SILENT_S[0] // 60, SILENT_S[1] // 60 + 2)
_RESET_STEPS = range(RESET_S // 60 - 1, RESET_S // 60 + 2)
EDGES = {0, 1, *_SILENT_STEPS, *_RESET_STEPS}
"""Steps whose windows hold a start, a silence, or a reset (of which a scrape loses a little)."""
PLAIN = [step for step in range(GRID.steps) if step not in EDGES]
SILENT = list(range(SILENT_S[0] // 60 + 2, SILENT_S[1] // 60))

Read = Callable[..., tuple[dict[str, Signals], list[str]]]


@pytest.fixture
def read(planted: Prometheus, tmp_path: Path) -> Read:
    """Signals of everything that is asked of the server, by part, and what was noted."""

    def make(
        asked: str, grid: Grid = GRID, services: str = "{}"
    ) -> tuple[dict[str, Signals], list[str]]:
        path = tmp_path / "telemetry.yaml"
        path.write_text(
            f"trimtab: 1\ntelemetry: planted\nservices: {services}\nsources:\n"
            f"  - name: main\n    prometheus: {{url: '{planted.url}', {asked}}}\n"
        )
        notes: list[str] = []
        found = {}
        for part in parts_of(read_telemetry(path), retry_s=0.0):
            pieces = [
                gridded(chunk.samples, chunk.grid, ENDS + timedelta(days=1))[0]
                for chunk in part.read(grid, Listener(notes.append))
            ]
            found[part.name] = joined(pieces, grid)
        return found, notes

    return make


def joined(pieces: list[Signals], grid: Grid) -> Signals:
    keys = tuple(sorted({key for piece in pieces for key in piece.keys}))
    values = np.full((len(keys), grid.steps), np.nan)
    for piece in pieces:
        offset = round((piece.starts - grid.starts).total_seconds()) // grid.step_s
        for key, row in zip(piece.keys, piece.values, strict=True):
            values[keys.index(key), offset : offset + piece.steps] = row
    return Signals(grid.starts, grid.step_s, keys, values)


def trailing_rps(step: int) -> float:
    """The mean rate over the window that ends with a step."""
    ends = (step + 1) * STEP_S
    return shop_rps(ends - WINDOW_S / 2)


def shop(found: dict[str, Signals], part: str, *, instance: str = "") -> NDArray[np.float64]:
    signal = part.split(": ")[1].removesuffix(" of instances")
    row: NDArray[np.float64] = found[part].of(SignalKey(signal, "shop", instance=instance))
    return row


EXPECTED = {
    "haproxy: requests_rps": 1.0, "haproxy: errors_rps": 0.02, "envoy: requests_rps": 1.0,
    "http: requests_rps": 1.0, "http: errors_rps": 0.1,
}  # fmt: skip
LEVELS = {
    "haproxy: latency_mean_ms": 80.0, "haproxy: replicas": 4.0, "envoy: errors_rps": 0.0,
    "envoy: latency_mean_ms": 80.0, "envoy: latency_p50_ms": 50.0, "envoy: latency_p95_ms": 500.0,
    "envoy: latency_p99_ms": 900.0, "envoy: replicas": 3.0, "http: latency_mean_ms": 80.0,
    "http: latency_p50_ms": 50.0, "http: latency_p95_ms": 500.0, "http: latency_p99_ms": 900.0,
    "kubernetes: replicas": 2.0,
}  # fmt: skip


@pytest.fixture
def all_presets(read: Read) -> dict[str, Signals]:
    asked = ", ".join(f"{{preset: {name}}}" for name in PRESETS if name != "node_exporter")
    return read(f"presets: [{asked}]")[0]


def test_presets_find_what_was_planted(all_presets: dict[str, Signals]) -> None:
    expected = np.array([trailing_rps(step) for step in PLAIN])
    for part, share in EXPECTED.items():
        found = shop(all_presets, part)
        np.testing.assert_allclose(found[PLAIN], share * expected, rtol=2e-3, err_msg=part)
        assert np.isnan(found[SILENT]).all(), part
    for part, level in LEVELS.items():
        found = shop(all_presets, part)[PLAIN]
        np.testing.assert_allclose(found, level, rtol=1e-4, err_msg=part)
    for i in range(4):
        found = shop(all_presets, "haproxy: requests_rps of instances", instance=f"s{i}")
        np.testing.assert_allclose(found[PLAIN], 0.25 * expected, rtol=2e-3)
    search = all_presets["haproxy: requests_rps"].of(SignalKey("requests_rps", "search"))
    np.testing.assert_allclose(search[PLAIN], 0.5 * expected, rtol=2e-3)


def test_presets_of_containers(all_presets: dict[str, Signals]) -> None:
    expected = np.array([trailing_rps(step) for step in PLAIN]) * 0.01 / 0.5
    pod, docker = {"instance": "shop-1"}, {"instance": "d1:1"}
    cpu = shop(all_presets, "kubernetes: cpu_share of instances", **pod)
    np.testing.assert_allclose(cpu[PLAIN], expected, rtol=2e-3)
    cpu = shop(all_presets, "cadvisor: cpu_share of instances", **docker)
    np.testing.assert_allclose(cpu[PLAIN], expected, rtol=2e-3)
    for part, level, of in (
        ("kubernetes: memory_share of instances", 0.5, pod),
        ("cadvisor: memory_share of instances", 0.5, docker),
        ("cadvisor: disk_share of instances", 0.2, docker),
    ):
        np.testing.assert_allclose(shop(all_presets, part, **of)[PLAIN], level)
    restarts = shop(all_presets, "kubernetes: restarts_per_hour of instances", **pod)
    seen = sum(10 * k in PLAIN for k in range(1, 18))  # one restart every ten minutes
    assert restarts[PLAIN].mean() == pytest.approx(seen * 60 / len(PLAIN), rel=0.02)


def test_every_preset_is_proven() -> None:
    """node_exporter is asked for real in test_real_exporters."""
    proven = {*EXPECTED, *LEVELS}
    of_services_only = {
        f"{name}: {ask.name}"
        for name, preset in PRESETS.items()
        for ask in preset.asks
        if not ask.instances
    }
    assert of_services_only == proven
    assert {ask.signal for preset in PRESETS.values() for ask in preset.asks} <= {*SIGNALS}


def test_running_totals_lose_no_request(read: Read) -> None:
    """Raw samples: the reset and all odd edges included, every request lies in some step."""
    selector = 'haproxy_backend_http_requests_total{proxy="shop"}'
    asked = f"queries: [{{signal: requests_total, query: '{selector}'}}]"
    found, _ = read(asked, services="{labels: [proxy]}")
    whole = of_services(found["query: requests_total"]).of(SignalKey("requests_rps", "shop"))
    silent = slice(SILENT_S[0] // 60, SILENT_S[1] // 60)
    assert np.isnan(whole[silent]).all()
    exact = [shop_total(60 * (i + 1)) - shop_total(60 * i) for i in range(GRID.steps)]
    steps = [i for i in range(GRID.steps) if not silent.start <= i < silent.stop]
    before_reset = RESET_S // 60 - 1  # what came between the last scrape and the reset is lost
    plain = [i for i in steps if i - before_reset not in (0, 1) and i > 0]
    np.testing.assert_allclose(whole[plain] * 60, np.array(exact)[plain], rtol=2e-3)
    lost = exact[before_reset] + exact[before_reset + 1] - whole[before_reset:][:2].sum() * 60
    assert 0 < lost < 15 * shop_rps(RESET_S)


def test_origins_and_matchers(read: Read) -> None:
    asked = "presets: [{preset: http, by: [origin], match: 'code=\"200\"'}]"
    found, _ = read(asked)
    expected = np.array([trailing_rps(step) for step in PLAIN])
    for origin, share in (("europe", 0.7), ("asia", 0.2)):
        row = found["http: requests_rps"].of(SignalKey("requests_rps", "shop", origin))
        np.testing.assert_allclose(row[PLAIN], share * expected, rtol=2e-3)


def test_rules_come_before_labels(read: Read) -> None:
    services = "{rules: [{service: front, labels: {proxy: 'sh*'}}], labels: [proxy]}"
    found, _ = read("presets: [{preset: haproxy}]", services=services)
    names = {key.service for key in found["haproxy: requests_rps"].keys}
    assert names == {"front", "search"}


def test_what_has_no_service_or_no_value_is_left_out(read: Read) -> None:
    found, notes = read("queries: [{signal: replicas, query: odd_values}]")
    row = found["query: replicas"].of(SignalKey("replicas", "shop"))
    assert row[1] == 5.0  # as it was at the end of the second minute
    assert np.isnan(row[[0, 2, 4]]).all()
    assert any("1 series name no service" in note and "other=nobody" in note for note in notes)


def test_chunks_make_no_difference(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = (
        "presets: [{preset: haproxy}], queries: [{signal: requests_total, service: shop, "
        "query: 'haproxy_backend_http_requests_total{proxy=\"shop\"}'}]"
    )
    whole, _ = read(asked)
    monkeypatch.setattr(source, "STEPS_AT_ONCE", 37)
    pieces, _ = read(asked)
    for part, signals in whole.items():
        assert pieces[part].keys == signals.keys
        mine = np.ones(GRID.steps, np.bool_)
        if "total" in part:  # a sum's parts begin and end with what was asked for
            mine[[i for i in range(GRID.steps) if i in EDGES]] = False
        np.testing.assert_allclose(pieces[part].values[:, mine], signals.values[:, mine])


def test_nothing_looks_into_the_future(read: Read) -> None:
    """What is known of a step is the same, however much later it is asked for."""
    early = Grid(GRID.first, STEP_S, 50)
    asked = "presets: [{preset: haproxy}, {preset: http}]"
    late, _ = read(asked)
    for part, signals in read(asked, early)[0].items():
        np.testing.assert_array_equal(
            signals.values, late[part].values[: len(signals.keys), :50], err_msg=part
        )


def test_a_query_that_is_too_large_is_cut(planted: Prometheus, read: Read) -> None:
    """The server loads at most 3,000 samples for a query; three hours of all that are more."""
    query = 'sum({__name__=~"h.*"}) by (service)'
    first_s, last_s = int(START.timestamp()) + STEP_S, int(ENDS.timestamp())
    with pytest.raises(TooMuch, match="too many samples"):
        Server("main", planted.url, retry_s=0.0).over(query, first_s, last_s, STEP_S)
    asked = f"queries: [{{signal: replicas, service: shop, query: '{query}'}}]"
    found, _ = read(asked)
    row = found["query: replicas"].of(SignalKey("replicas", "shop"))
    assert not np.isnan(row[PLAIN]).any()
