"""``trimtab foresee``: from a folder of signals to what is going to happen."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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
HOURS = 25 * 24


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk that fills, one that does not, load that grows to the knee, errors and restarts."""
    chance = np.random.default_rng(7)
    hour = np.arange(HOURS)
    grows = np.exp(np.maximum(hour - 400, 0) * np.log(2.0) / 240)
    load = 20 * (0.6 + 0.4 * np.sin(2 * np.pi * hour / 24)) * grows
    load *= np.exp(0.03 * chance.normal(size=HOURS))
    load = np.minimum(load, 57.0)
    latency = (8 + 8 * (load / 60) / (1 - load / 60)) * np.exp(0.05 * chance.normal(size=HOURS))
    errors = chance.poisson(load * 5 * 3600 * np.where(hour > 590, 0.01, 0.001)) / 3600
    noise = chance.normal(0, 0.004, HOURS)
    rows = {
        SignalKey("requests_rps", "web"): 5 * load,
        SignalKey("replicas", "web"): np.full(HOURS, 5.0),
        SignalKey("latency_p95_ms", "web"): latency,
        SignalKey("errors_rps", "web"): errors,
        SignalKey("disk_share", "web", instance="i-\x1b[31m=1"): (
            0.3 + 0.0035 * np.maximum(hour - 430, 0) + noise
        ),
        SignalKey("disk_share", "web", instance="i-2"): 0.9 + noise,
        SignalKey("restarts_per_hour", "web", instance="i-2"): (hour > HOURS - 8) * 1.0,
    }
    keys = tuple(sorted(rows))
    folder = tmp_path_factory.mktemp("telemetry")
    with StoreWriter(folder, "tiny", 3600) as writer:
        writer.write(Signals(STARTS, 3600, keys, np.stack([rows[key] for key in keys])))
    return folder


def test_what_happens_is_told_with_evidence(trimtab: Trimtab, tiny: Path, telemetry: Path) -> None:
    schema = json.loads(trimtab("schema", "foresight").out)
    Draft202012Validator.check_schema(schema)
    done = trimtab("foresee", tiny, "--telemetry", telemetry, "--least", 0, "--format", "json")
    assert done.code == ExitCode.FINE
    document = json.loads(done.out)
    Draft202012Validator(schema).validate(document)
    ends = STARTS + timedelta(hours=HOURS)
    assert document["made_at"] == ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    found = {one["what"]: one for one in document["predictions"]}
    fills = next(one for what, one in found.items() if "=1" in what)
    assert fills["probability"] > 0.7  # 0.895 now, full in 30 hours
    full_at = datetime.fromisoformat(fills["expected_at"])
    assert full_at == pytest.approx(ends + timedelta(hours=30), abs=timedelta(hours=8))
    assert found["disk_share (i-2)"]["probability"] < 0.2
    assert found["latency_p95_ms"]["probability"] > 0.8
    (failure,) = [one for one in document["predictions"] if one["kind"] == "failure"]
    assert "restart of i-2" in failure["what"]
    assert failure["probability"] > 0.7
    assert failure["since"] is None
    assert "7 restarts in the last two days" in failure["evidence"]
    assert all(one["earliest_at"] <= one["expected_at"] for one in found.values())
    (curve,) = document["curves"]
    assert curve["known"]
    assert curve["breaks_at"] == pytest.approx(
        36, rel=0.06
    )  # 20 ms is 8 + 8 · ρ / (1 − ρ), ρ = 0.6
    assert curve["wrong"]  # the world says 50
    assert "the world says 50" in curve["says"]


def test_tables_hold_no_escape_sequences_and_csv_no_formulas(
    trimtab: Trimtab, tiny: Path, telemetry: Path
) -> None:
    done = trimtab("foresee", tiny, "--telemetry", telemetry)
    assert (done.code, done.err) == (ExitCode.FINE, "")
    assert "\x1b" not in done.out
    assert "exhaustion" in done.out
    assert "bottleneck" in done.out
    text = trimtab("foresee", tiny, "--telemetry", telemetry, "--format", "csv").out
    rows = list(csv.DictReader(text.splitlines()))
    assert rows
    assert all(float(row["probability"]) >= 0.5 for row in rows)
    assert "\x1b" not in text


def test_the_past_is_seen_as_it_was(trimtab: Trimtab, tiny: Path, telemetry: Path) -> None:
    asked = ("foresee", tiny, "--telemetry", telemetry, "--format", "json", "--least", 0)
    early = json.loads(trimtab(*asked, "--at", "2026-03-18T00:00:00Z").out)  # before all that
    assert max(one["probability"] for one in early["predictions"]) < 0.5
    assert early["made_at"] == "2026-03-18T00:00:00Z"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--horizon", "60d"), "between 1h and 28d"),
        (("--horizon", "soon"), "is no duration"),
        (("--at", "2026-03-18T00:00"), "has no time zone"),
        (("--at", "2020-01-01"), "holds nothing of"),
        (("--at", "2031-01-01"), "holds nothing after 2026-03-27 00:00 UTC"),
    ],
)
def test_bad_input_is_told(
    trimtab: Trimtab, tiny: Path, telemetry: Path, options: tuple[str, str], said: str
) -> None:
    done = trimtab("foresee", tiny, "--telemetry", telemetry, *options)
    assert done.code == ExitCode.BAD_INPUT
    assert said in done.err


def test_a_folder_without_signals_is_told(trimtab: Trimtab, tiny: Path, tmp_path: Path) -> None:
    done = trimtab("foresee", tiny, "--telemetry", tmp_path)
    assert done.code == ExitCode.BAD_INPUT
    assert "trimtab observe" in done.err
