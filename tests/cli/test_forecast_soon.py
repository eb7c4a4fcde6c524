"""``trimtab forecast --telemetry``: the next minutes, from what is measured."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from models.signals import SignalKey, Signals
from optimizer.cli.exits import ExitCode
from providers.telemetry.writing import StoreWriter

Trimtab = Callable[..., Any]
STARTS = datetime(2026, 3, 2, tzinfo=UTC)
MINUTES = 3 * 1440 + 30


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of a daily wave, from two origins, and a service that no world knows."""
    chance = np.random.default_rng(3)
    wave = 100 + 60 * np.sin(2 * np.pi * np.arange(MINUTES) / 1440)
    rows = {
        SignalKey("latency_p95_ms", "web"): np.full(MINUTES, 20.0),
        SignalKey("requests_rps", "other"): wave,
        SignalKey("requests_rps", "web", "africa"): 0.1 * wave,
        SignalKey("requests_rps", "web", "europe"): wave * chance.gamma(400, 1 / 400, MINUTES),
    }
    folder = tmp_path_factory.mktemp("telemetry")
    with StoreWriter(folder, "live", 60) as writer:
        writer.write(Signals(STARTS, 60, tuple(sorted(rows)), np.stack([*rows.values()])))
    return folder


def test_the_next_minutes_are_shown_and_written(
    trimtab: Trimtab, tiny: Path, telemetry: Path
) -> None:
    out = tiny.parent / "soon"
    done = trimtab("forecast", tiny, "--telemetry", telemetry, "--ahead", "90m", "--out", out)
    assert (done.code, done.err) == (ExitCode.FINE, "")
    assert "90 min from 2026-03-05 00:30 UTC" in done.out
    assert "telemetry 'live'" in done.out
    page = (out / "forecast.html").read_text()
    assert "minute by minute" in page
    document = json.loads((out / "forecast.json").read_text())
    Draft202012Validator(json.loads(trimtab("schema", "forecast").out)).validate(document)
    assert (document["hours"], document["step_s"], document["telemetry"]) == (1.5, 60, "live")
    assert [s["origin"] for s in document["series"]] == ["africa", "europe"]
    minute = MINUTES + np.arange(90)
    comes = 100 + 60 * np.sin(2 * np.pi * minute / 1440)
    europe = document["series"][1]
    assert np.abs(np.array(europe["mean_rps"]) / comes - 1).max() < 0.08
    low, high = np.array(europe["quantiles_rps"])[:, [0, -1]].T
    assert ((low < comes) & (comes < high)).all()
    rows = list(csv.DictReader((out / "quantiles.csv").read_text().splitlines()))
    assert (rows[0]["starts"], len(rows)) == ("2026-03-05T00:30:00Z", 180)


def test_periods_may_be_longer_and_workers_do_the_same(
    trimtab: Trimtab, tiny: Path, telemetry: Path
) -> None:
    command = ("forecast", tiny, "--telemetry", telemetry, "--step", "5m", "--format", "json")
    document = json.loads(trimtab(*command).out)
    assert (document["hours"], len(document["series"][0]["mean_rps"])) == (3, 36)
    assert json.loads(trimtab(*command, "--workers", "2").out) == document


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--step", "7m"), "--step 420s: a minute at least, whole steps of the telemetry (60 s)"),
        (("--step", "30s"), "a minute at least"),
        (("--ahead", "13h"), "between 1 and 720 periods of 1 min"),
        (("--ahead", "30s"), "between 1 and 720 periods"),
        (("--hours", "3"), "--hours does not go with --telemetry"),
        (("--track", "3"), "--track does not go with --telemetry"),
    ],
)
def test_what_cannot_be_foreseen_is_said(
    trimtab: Trimtab, tiny: Path, telemetry: Path, words: tuple[str, ...], fault: str
) -> None:
    done = trimtab("forecast", tiny, "--telemetry", telemetry, *words)
    assert done.code == ExitCode.BAD_INPUT
    assert fault in " ".join(done.err.split())


def test_periods_without_telemetry_are_hours(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("forecast", tiny, "--step", "5m")
    assert done.code == ExitCode.BAD_INPUT
    assert "--step and --ahead go with --telemetry" in done.err


def test_telemetry_of_other_services_is_refused(
    trimtab: Trimtab, tiny: Path, tmp_path: Path
) -> None:
    with StoreWriter(tmp_path / "other", "other", 60) as writer:
        keys = (SignalKey("requests_rps", "other"),)
        writer.write(Signals(STARTS, 60, keys, np.ones((1, 100))))
    done = trimtab("forecast", tiny, "--telemetry", tmp_path / "other")
    assert done.code != ExitCode.FINE
    assert "has no requests of tiny's services" in done.err
