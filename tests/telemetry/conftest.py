"""Real servers for the tests of telemetry: Prometheus, HAProxy and an exporter."""

from __future__ import annotations

from collections.abc import Iterator

import planted_metrics
import pytest
from prometheus_host import PARTS, Prometheus, program, prometheus


@pytest.fixture(scope="session")
def servers() -> None:
    missing = [name for name in PARTS if program(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; `make test` installs them")


@pytest.fixture(scope="session")
def planted(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that knows three hours of planted metrics, and lets no query be large."""
    folder = tmp_path_factory.mktemp("prometheus")
    with prometheus(folder, planted_metrics.history(), {}, most_samples=3_000) as server:
        yield server
