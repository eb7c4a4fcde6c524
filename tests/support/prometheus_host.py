"""A real Prometheus on this machine: history backfilled, targets scraped, nothing left behind."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Found = TypeVar("Found")

PARTS = ("prometheus", "promtool", "haproxy", "prometheus-node-exporter")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=PATH)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(look: Callable[[], Found | None], what: str, most_s: float = 60.0) -> Found:
    """What ``look`` finds, as soon as it finds anything."""
    ends = time.monotonic() + most_s
    nothing = threading.Event()
    while time.monotonic() < ends:
        if found := look():
            return found
        nothing.wait(0.05)
    raise AssertionError(f"waited {most_s:g} s in vain: {what}")


@contextmanager
def running(command: Sequence[str], ready: Callable[[], bool], log: Path) -> Iterator[int]:
    """A program while it is needed: its process id."""
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:

            def look() -> bool:
                assert process.poll() is None, log.read_text()
                return ready()

            wait_for(look, f"{command[0]} is ready: {log}")
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass(frozen=True)
class Prometheus:
    url: str

    def asked(self, query: str) -> list[dict[str, Any]]:
        """The answer to an instant query, now: independent of our adapter."""
        text = urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{text}", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found


@contextmanager
def prometheus(
    folder: Path, history: str, targets: Mapping[str, int], most_samples: int = 50_000_000
) -> Iterator[Prometheus]:
    """``history`` in OpenMetrics; ``targets``: ports of this machine that are scraped each second,
    by job.
    """
    data, port = folder / "data", free_port()
    if history:
        text = folder / "history.om"
        text.write_text(history, encoding="utf-8")
        subprocess.run(
            [program("promtool") or "", "tsdb", "create-blocks-from", "openmetrics",
             "--max-block-duration=24h", str(text), str(data)],
            check=True, capture_output=True,
        )  # fmt: skip
    jobs = [
        {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{at}"]}]}
        for job, at in targets.items()
    ]
    config = folder / "prometheus.yml"
    config.write_text(
        json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}), encoding="utf-8"
    )
    url = f"http://127.0.0.1:{port}"
    command = [
        program("prometheus") or "", f"--config.file={config}", f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{port}",
        f"--query.max-samples={most_samples}", "--log.level=warn",
    ]  # fmt: skip
    with running(command, lambda: answers(f"{url}/-/ready"), folder / "log.txt"):
        yield Prometheus(url)
