"""HAProxy and a machine's exporter, scraped by Prometheus, followed by trimtab, scraped itself."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from prometheus_host import (
    Prometheus,
    answers,
    free_port,
    program,
    prometheus,
    running,
    wait_for,
)

from models.errors import UnusableData
from models.signals import SignalKey, Signals
from providers.telemetry.store import Store

TRIMTAB = [sys.executable, "-c", "from optimizer.cli.main import run; run()"]

HAPROXY = """\
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend users
  bind 127.0.0.1:{front}
  default_backend shop
backend shop
  server one 127.0.0.1:{behind}
  server two 127.0.0.1:{behind}
frontend exporter
  bind 127.0.0.1:{metrics}
  http-request use-service prometheus-exporter
"""

TELEMETRY = """\
trimtab: 1
telemetry: live
step_s: 1
sources:
  - name: main
    prometheus:
      url: {url}
      scrape_s: 1
      presets:
        - {{preset: haproxy, match: 'proxy!="MASTER"'}}
        - {{preset: node_exporter}}
"""


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503 if self.path == "/sold-out" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def shop() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def customers(port: int) -> Iterator[None]:
    """Five of a hundred milliseconds each; every fifth request is for what is sold out."""
    gone = threading.Event()

    def buy() -> None:
        count = 0
        while not gone.wait(0.02):
            count += 1
            path = "sold-out" if count % 5 == 0 else ""
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5).close()

    thread = threading.Thread(target=buy)
    thread.start()
    try:
        yield
    finally:
        gone.set()
        thread.join()


@dataclass(frozen=True)
class Live:
    server: Prometheus
    follower: subprocess.Popen[str]
    store: Store
    telemetry: Path


@pytest.fixture(scope="module")
def live(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    front, metrics, node, own = (free_port() for _ in range(4))
    with ExitStack() as stack:
        behind = stack.enter_context(shop())
        config = folder / "haproxy.cfg"
        config.write_text(HAPROXY.format(front=front, behind=behind, metrics=metrics))
        haproxy = [program("haproxy") or "", "-db", "-f", str(config)]
        ready = f"http://127.0.0.1:{metrics}/metrics"
        stack.enter_context(running(haproxy, lambda: answers(ready), folder / "haproxy.txt"))
        exporter = [program("prometheus-node-exporter") or "",
                    f"--web.listen-address=127.0.0.1:{node}"]  # fmt: skip
        page = f"http://127.0.0.1:{node}/"
        stack.enter_context(running(exporter, lambda: answers(page), folder / "node.txt"))
        targets = {"haproxy": metrics, "node": node, "trimtab": own}
        server = stack.enter_context(prometheus(folder, "", targets))
        stack.enter_context(customers(front))
        (folder / "telemetry.yaml").write_text(TELEMETRY.format(url=server.url))
        with following(folder / "telemetry.yaml", folder / "kept", own) as follower:
            yield Live(server, follower, Store(folder / "kept"), folder / "telemetry.yaml")


@contextmanager
def following(telemetry: Path, out: Path, metrics: int) -> Iterator[subprocess.Popen[str]]:
    follower = subprocess.Popen(
        [*TRIMTAB, "observe", str(telemetry), "--out", str(out), "--follow", "--every", "1s",
         "--last", "5m", "--metrics", f"127.0.0.1:{metrics}"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        yield follower
    finally:
        follower.kill()
        follower.communicate()


def known(live: Live) -> Signals | None:
    assert live.follower.poll() is None, live.follower.communicate()
    now = datetime.now(UTC)
    try:
        return live.store.read(now - timedelta(minutes=5), now)
    except UnusableData:
        return None


def highest(live: Live, key: SignalKey) -> float | None:
    """The highest value that is kept; None while there is none above zero."""
    signals = known(live)
    if signals is None or key not in signals.keys:
        return None
    return float(np.nanmax(signals.of(key))) or None


def test_requests_of_a_real_load_balancer(live: Live) -> None:
    for key in (
        SignalKey("requests_rps", "shop"),
        SignalKey("errors_rps", "shop"),
        SignalKey("requests_rps", "shop", instance="one"),
        SignalKey("requests_rps", "shop", instance="two"),
    ):
        found = wait_for(lambda key=key: highest(live, key), key.in_words)  # type: ignore[misc]
        assert 0.0 < found < 51.0
    assert wait_for(lambda: highest(live, SignalKey("replicas", "shop")), "servers") == 2.0
    signals = known(live)
    assert signals is not None
    latency = signals.of(SignalKey("latency_mean_ms", "shop"))
    assert np.nanmax(latency) < 10_000.0


def test_a_real_machine(live: Live) -> None:
    def shares() -> dict[str, float] | None:
        signals = known(live)
        if signals is None:
            return None
        found = {
            key.signal: float(np.nanmax(signals.of(key)))
            for key in signals.keys
            if key.service == "node" and key.instance
        }
        return found if {"cpu_share", "memory_share"} <= found.keys() else None

    found = wait_for(shares, "shares of the machine")
    assert all(0.0 <= share <= 1.0 for share in found.values())


def test_our_own_metrics_are_scraped(live: Live) -> None:
    of = 'source="main",part="haproxy: requests_rps"'
    for query in (
        'up{job="trimtab"} == 1',
        f"trimtab_telemetry_samples_total{{{of}}} > 0",
        f"rate(trimtab_telemetry_samples_total{{{of}}}[5s]) > 0",
        f"time() - trimtab_telemetry_last_success_timestamp_seconds{{{of}}} < 300",
        "trimtab_telemetry_round_seconds_count > 1",
        "sum(trimtab_telemetry_failures_total) == 0",
    ):
        assert wait_for(lambda query=query: live.server.asked(query), query)  # type: ignore[misc]


def test_sigterm_ends_it_well(live: Live, tmp_path: Path) -> None:
    metrics = free_port()
    page = f"http://127.0.0.1:{metrics}/metrics"
    with following(live.telemetry, tmp_path / "kept", metrics) as follower:
        mine = Live(live.server, follower, Store(tmp_path / "kept"), live.telemetry)
        wait_for(lambda: answers(page), "metrics")
        wait_for(lambda: highest(mine, SignalKey("requests_rps", "shop")), "requests")
        follower.send_signal(signal.SIGTERM)
        out, err = follower.communicate(timeout=60)
    assert follower.returncode == 0, err
    assert err == f"metrics: {page}\n"
    assert " steps new, 0 parts failed, " in out
    assert mine.store.progress()
    assert not answers(page)
