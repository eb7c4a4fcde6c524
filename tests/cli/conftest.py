"""A world that is planned in no time, and the command line in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from optimizer.cli.main import run

WORLD = """\
trimtab: 1
world: tiny
description: one service, two clouds
prices: {file: prices.csv}
policy: {horizon_hours: 2, time_limit_s: 30}
demand: {history: demand.csv}
origins:
  - {name: europe, near: aws/eu-central-1}
services:
  - name: web
    replica: {vcpus: 1, memory_gib: 2, throughput_rps: 50, service_time_ms: 20}
    spot_tolerant: true
rules:
  - {kind: residency, name: stay, services: [web], within: [EU]}
  - {kind: budget, name: total, usd_per_month: 5000}
fleet:
  - {service: web, place: aws/eu-central-1, instance_type: m5.large, purchase: on_demand, count: 9}
"""

PRICES = """\
provider,region,instance_type,purchase_option,price_usd_per_hour,vcpus,memory_gib,arch,price_date
aws,eu-central-1,m5.large,on_demand,0.115,2,8,x86_64,2026-02-01
aws,eu-central-1,m5.large,spot,0.05,2,8,x86_64,2026-02-01
gcp,europe-west1,e2-standard-4,on_demand,0.147,4,16,x86_64,2026-02-01
gcp,us-central1,e2-standard-4,on_demand,0.134,4,16,x86_64,2026-02-01
"""

SCENARIOS = {
    "lost": "changes: [{lose: {clouds: [aws]}}]",
    "poor": "changes: [{scale_budget: {by: 0.0001}}]",
}


def demand() -> str:
    first = datetime(2026, 3, 1, tzinfo=UTC)
    hours = [(first + timedelta(hours=h)).strftime("%Y-%m-%dT%H:%M:%SZ") for h in range(72)]
    rows = [f"{ts},web,europe,{200 + 10 * (h % 24)}" for h, ts in enumerate(hours)]
    return "\n".join(["ts,service,origin,rps", *rows, ""])


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The folder of a world: two places in the EU, one without."""
    folder = tmp_path / "tiny"
    (folder / "whatifs").mkdir(parents=True)
    (folder / "world.yaml").write_text(WORLD)
    (folder / "prices.csv").write_text(PRICES)
    (folder / "demand.csv").write_text(demand())
    for name, changes in SCENARIOS.items():
        text = f"trimtab: 1\nscenario: {name}\n{changes}\n"
        (folder / "whatifs" / f"{name}.yaml").write_text(text)
    return folder


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def trimtab(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Runs a command line as the console script does."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("TRIMTAB_DEBUG", raising=False)

    def execute(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["trimtab", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            run()
        printed = capsys.readouterr()
        return Done(int(end.value.code or 0), printed.out, printed.err)

    return execute
