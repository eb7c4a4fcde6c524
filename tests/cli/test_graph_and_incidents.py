"""``trimtab graph`` and ``trimtab incidents`` over telemetry that came by OTLP."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from otlp_spans import T0, Seen, called, request_of
from typer.testing import CliRunner, Result

from models.errors import FaultyInput, UnusableData
from models.signals import Signals
from optimizer.cli.main import app
from providers.otlp.intake import Intake
from providers.otlp.lines import append_lines
from providers.otlp.logs import ErrorLines
from providers.telemetry.writing import StoreWriter

MINUTES = 280
BROKEN = range(255, 270)
WORLD = """
trimtab: 1
world: small
places: {clouds: [aws]}
demand: {history: demand.csv}
origins: [{name: europe, near: aws/eu-west-1}]
services:
  - {name: web, replica: {vcpus: 1, memory_gib: 2, throughput_rps: 100}}
  - {name: cart, replica: {vcpus: 1, memory_gib: 2, throughput_rps: 100}}
dependencies:
  - {caller: web, callee: cart, calls_per_request: 5}
"""


class Folder:
    def __init__(self, writer: StoreWriter) -> None:
        self.writer = writer

    def add(self, signals: Signals) -> None:
        self.writer.write(signals)

    def tell(self, lines: Sequence[ErrorLines]) -> None:
        append_lines(self.writer.folder, lines)


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hours of web calling cart, which slows down for a quarter of an hour."""
    out = tmp_path_factory.mktemp("traces") / "telemetry"
    chance = np.random.default_rng(2)
    with StoreWriter(out, "otlp", 60) as writer:
        intake = Intake(Folder(writer), T0)
        for minute in range(MINUTES):
            spans: list[Seen] = []
            slow = 20.0 if minute in BROKEN else 1.0
            for _ in range(6):
                at = 60 * minute + chance.uniform(1, 59)
                web = Seen("web", at=at, ms=slow * chance.uniform(90, 110))
                for _ in range(2):
                    server_ms = slow * float(chance.uniform(50, 60))
                    client, server = called(web, "cart", at=at, ms=server_ms)
                    spans += [client, server]
                spans.append(web)
            intake.take_spans(request_of(spans), T0 + 60 * minute + 60)
            intake.close(T0 + 60 * minute + 60)
        intake.finish(T0 + 60 * MINUTES)
    return out


def trimtab(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_the_graph_is_what_was_called(telemetry: Path) -> None:
    ended = trimtab("graph", telemetry, "--format", "json")
    assert ended.exit_code == 0
    (call,) = json.loads(ended.output)["calls"]
    assert (call["caller"], call["callee"], call["calls"]) == ("web", "cart", 12 * MINUTES)
    assert call["per_request"] == pytest.approx(2)
    (row,) = csv.DictReader(trimtab("graph", telemetry, "--format", "csv").output.splitlines())
    assert float(row["requests"]) == pytest.approx(6 * MINUTES)


def test_the_graph_is_compared_with_a_world(telemetry: Path, tmp_path: Path) -> None:
    (tmp_path / "world.yaml").write_text(WORLD)
    hours = [f"2026-03-0{1 + h // 24}T{h % 24:02d}:00:00Z,web,europe,10" for h in range(48)]
    (tmp_path / "demand.csv").write_text("\n".join(["ts,service,origin,rps", *hours]) + "\n")
    ended = trimtab("graph", telemetry, tmp_path)
    assert ended.exit_code == 0, ended.exception
    assert "another number of calls" in ended.output
    pasted = yaml.safe_load(trimtab("graph", telemetry, tmp_path, "--format", "yaml").output)
    assert pasted == {
        "dependencies": [{"caller": "web", "callee": "cart", "calls_per_request": 2.0}]
    }


def test_incidents_have_roots(telemetry: Path) -> None:
    ended = trimtab("incidents", telemetry, "--last", "1h", "--format", "json")
    assert ended.exit_code == 0, ended.exception
    incident = json.loads(ended.output)["incidents"][0]  # the gravest
    assert incident["root"]["service"] == "cart"
    assert {one["service"] for one in incident["anomalies"]} == {"web", "cart"}
    assert "cart" in trimtab("incidents", telemetry, "--last", "1h").output


def test_before_the_failure_nothing_strays(telemetry: Path, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "t", "otlp", 60) as writer:
        intake = Intake(Folder(writer), T0)
        for minute in range(30):
            spans = [Seen("web", at=60 * minute + i, ms=100) for i in range(10)]
            intake.take_spans(request_of(spans), T0 + 60 * minute + 60)
        intake.finish(T0 + 60 * 30)
    assert "Nothing strays." in trimtab("incidents", tmp_path / "t").output


@pytest.mark.parametrize("command", ["graph", "incidents"])
def test_what_is_no_telemetry_is_told(tmp_path: Path, command: str) -> None:
    ended = trimtab(command, tmp_path)
    assert isinstance(ended.exception, UnusableData | FaultyInput)
    assert trimtab(command, tmp_path, "--last", "soon").exit_code == 2
