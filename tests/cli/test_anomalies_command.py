"""``trimtab anomalies`` over a folder of telemetry."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from models.errors import UnusableData
from models.signals import SignalKey, Signals
from optimizer.cli.main import app
from providers.telemetry.writing import StoreWriter

STARTS = datetime(2026, 3, 1, tzinfo=UTC)
STEPS = 4 * 1440
STRUCK = STEPS - 300
KEYS = (SignalKey("requests_rps", "[red]shop"), SignalKey("requests_rps", "web"))


def trimtab(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["anomalies", *map(str, arguments)])


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days, minute by minute; both services are struck at the same time."""
    out = tmp_path_factory.mktemp("anomalies") / "telemetry"
    values = np.random.default_rng(1).normal(100, 5, (2, STEPS))
    values[:, STRUCK : STRUCK + 5] = 400
    with StoreWriter(out, "made up", 60) as writer:
        writer.write(Signals(STARTS, 60, KEYS, values))
    return out


def struck(ended: Result) -> list[str]:
    """Services whose blow is listed."""
    assert ended.exit_code == 0, ended.output
    at = (STARTS + timedelta(minutes=STRUCK)).strftime("%Y-%m-%dT%H:%M")
    found = json.loads(ended.output)["anomalies"]
    return [one["service"] for one in found if one["starts"].startswith(at)]


def test_what_strays_is_listed_with_why(telemetry: Path) -> None:
    assert struck(trimtab(telemetry, "--format", "json")) == [key.service for key in KEYS]
    shown = " ".join(trimtab(telemetry, "--quiet").output.split())
    assert "requests_rps of web" in shown
    assert "[red]shop" in shown
    assert "usually" in shown


def test_only_the_window_is_shown(telemetry: Path) -> None:
    assert struck(trimtab(telemetry, "--last", "2h", "--format", "json")) == []


def test_what_is_known_is_not_listed(telemetry: Path) -> None:
    since, until = (STARTS + timedelta(minutes=STRUCK + shift) for shift in (-5, 30))
    stretch = f"{since.isoformat()}/{until.isoformat()}"
    json_of_known = ("--format", "json", "--known", f"{stretch}@web")
    assert struck(trimtab(telemetry, *json_of_known)) == ["[red]shop"]
    assert struck(trimtab(telemetry, "--format", "json", "--known", stretch)) == []


def test_fewer_steps_list_more(telemetry: Path) -> None:
    many, few = (
        json.loads(trimtab(telemetry, "--last", "4d", "--once-in", n, "--format", "json").output)
        for n in (200, 100_000)
    )
    assert len(many["anomalies"]) > len(few["anomalies"]) >= 2


@pytest.mark.parametrize(
    ("stretch", "said"),
    [
        ("tomorrow", "write FROM/TO"),
        ("2026-03-02/2026-03-01", "ends before it starts"),
        ("2026-03-01/soon", "is no moment"),
    ],
)
def test_stretches_that_are_none_are_refused(telemetry: Path, stretch: str, said: str) -> None:
    ended = trimtab(telemetry, "--known", stretch)
    assert ended.exit_code == 2
    assert said in " ".join(ended.output.split())


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "t", "made up", 60):
        pass
    assert isinstance(trimtab(tmp_path / "t").exception, UnusableData)
