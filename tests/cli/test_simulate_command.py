"""``trimtab simulate``: what is replayed, shown and written, and how it ends."""

from __future__ import annotations

import csv
import io
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
STARTS = datetime(2026, 3, 1, tzinfo=UTC)
FEW = "reactive:0.7:5m,static,foresight"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Six hours at steps of 30 s: 200 to 400 rps of web."""
    path = tmp_path / "trace.csv"
    rows = [
        f"{(STARTS + timedelta(seconds=30 * i)).isoformat()},{300 + 100 * np.sin(i / 60):.3f}"
        for i in range(720)
    ]
    path.write_text("\n".join(["ts,rps", *rows, ""]))
    return path


def test_history_is_replayed_with_a_warning(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("simulate", tiny, "--policy", FEW, "--services")
    assert done.code == ExitCode.FINE
    assert done.err.startswith("warning: demand is known in steps longer than a minute")
    assert "2026-03-02 12:00 to 2026-03-04 00:00 UTC" in done.out
    assert "reactive:0.7:5m" in done.out
    assert "target 70%, 5 min" in done.out


def test_json_keeps_to_its_schema(trimtab: Trimtab, tiny: Path, trace: Path) -> None:
    schema = json.loads(trimtab("schema", "simulation").out)
    Draft202012Validator.check_schema(schema)
    given = ("simulate", tiny, "--trace", trace, "--format", "json", "--policy", FEW)
    done = trimtab(*given)
    document = json.loads(done.out)
    Draft202012Validator(schema).validate(document)
    assert done.err == ""
    assert (document["smooth"], document["step_s"]) == (False, 30)
    assert (document["learnt_from"], document["starts"], document["ends"]) == (
        "2026-03-01T00:00:00Z", "2026-03-01T03:00:00Z", "2026-03-01T06:00:00Z",
    )  # fmt: skip
    by_policy = {one["policy"]: one for one in document["policies"]}
    assert by_policy["foresight"]["over_foresight"] == 1.0
    assert by_policy["static"]["unserved_share"] == 0.0
    # The highest of the first half is 400 rps: eight replicas of 50 rps, three hours.
    (held,) = document["held"]
    assert float(by_policy["static"]["usd"]) == pytest.approx(
        8 * 3 * float(held["usd_per_replica_hour"]), rel=1e-4
    )
    later = json.loads(trimtab(*given, "--from", "2026-03-01T05:00Z").out)
    assert later["starts"] == "2026-03-01T05:00:00Z"


def test_all_is_written_and_replaced(trimtab: Trimtab, tiny: Path, trace: Path) -> None:
    out = tiny.parent / "out"
    given = ("simulate", tiny, "--trace", trace, "--policy", FEW, "--out", out)
    assert "Written to" in trimtab(*given, "--frontier").out
    names = {"simulation.html", "simulation.json", "simulation.csv", "frontier.csv"}
    assert {path.name for path in out.iterdir()} == names
    rows = list(csv.DictReader(io.StringIO((out / "frontier.csv").read_text())))
    assert {row["family"] for row in rows} >= {"ours", "reactive", "hpa", "static"}
    page = (out / "simulation.html").read_text()
    assert page.count('class="line family-line') == 8
    assert trimtab(*given, "--quiet").out == ""
    assert not (out / "frontier.csv").exists()


def test_a_world_may_name_its_trace(trimtab: Trimtab, tiny: Path, trace: Path) -> None:
    trace.rename(tiny / "minutes.csv")
    world = tiny / "world.yaml"
    world.write_text(world.read_text().replace("demand.csv}", "demand.csv, trace: minutes.csv}"))
    done = trimtab("simulate", tiny, "--policy", "static", "--format", "csv")
    assert (done.code, done.err) == (ExitCode.FINE, "")
    (row,) = csv.DictReader(io.StringIO(done.out))
    assert (row["policy"], row["service"], row["chosen"]) == ("static", "web", "8 always")
    (tiny / "minutes.csv").unlink()
    missing = trimtab("simulate", tiny)
    assert missing.code == ExitCode.BAD_INPUT
    assert "'minutes.csv' does not exist" in missing.err


def test_telemetry_is_replayed(trimtab: Trimtab, tiny: Path, tmp_path: Path) -> None:
    rps = np.full((2, 240), 100.0)
    rps[:, 200:] = 400.0
    keys = tuple(SignalKey("requests_rps", "web", "", name) for name in ("a", "b"))
    with StoreWriter(tmp_path / "seen", "seen", 60) as writer:
        writer.write(Signals(STARTS, 60, keys, rps))
    done = trimtab(
        "simulate", tiny, "--telemetry", tmp_path / "seen", "--policy", "static", "--format", "json"
    )
    document = json.loads(done.out)
    assert document["policies"][0]["requests"] == 60 * (80 * 200 + 40 * 800)
    assert document["services"][0]["chosen"] == "4 always"
    assert document["policies"][0]["unserved_share"] > 0.3


def test_replicas_may_cost_what_they_cost_in_a_plan(
    trimtab: Trimtab, tiny: Path, trace: Path, tmp_path: Path
) -> None:
    trimtab("plan", tiny, "--out", tmp_path / "plan", "--quiet")
    plan = json.loads((tmp_path / "plan" / "plan.json").read_text())
    paid = sum(sum(g["count_per_hour"]) * float(g["price_usd_per_hour"]) for g in plan["instances"])
    held = sum(sum(g["count_per_hour"]) * g["replicas_per_instance"] for g in plan["instances"])
    given = ("simulate", tiny, "--trace", trace, "--policy", "static:8", "--format", "json")
    document = json.loads(trimtab(*given, "--plan", tmp_path / "plan").out)
    usd = float(document["policies"][0]["usd"])
    assert usd == pytest.approx(8 * 3 * paid / held, rel=1e-6)
    plan["instances"][0]["instance_type"] = "m9.large"
    (tmp_path / "other.json").write_text(json.dumps(plan))
    refused = trimtab(*given, "--plan", tmp_path / "other.json")
    assert refused.code == ExitCode.BAD_INPUT
    assert "m9.large in aws/eu-central-1" in refused.err


def test_chance_is_seeded(trimtab: Trimtab, tiny: Path, trace: Path) -> None:
    given = (
        "simulate", tiny, "--trace", trace, "--policy", "hpa:0.6", "--failures", 500,
        "--boot-spread", 0.5, "--interruption", 0.99, "--format", "json",
    )  # fmt: skip
    one, same, other = (json.loads(trimtab(*given, "--seed", n).out) for n in (1, 1, 2))
    assert one == same
    assert one["policies"] != other["policies"]
    assert one["policies"][0]["failures"] > 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--policy", "hpa:0.6,ourz"), "unknown policy 'ourz'"),
        (("--service", "wep"), "no service is called 'wep'"),
        (("--from", "yesterday"), "--from: 'yesterday' is no moment"),
        (("--from", "2020-01-01T00:00Z"), "choose --from and --to inside"),
        (("--from", "2020-01-01"), "choose --from and --to inside"),
        (("--trace", "nowhere.csv"), "nowhere.csv: there is no such file"),
        (("--telemetry", "nowhere"), "holds no telemetry"),
    ],
)
def test_bad_input_is_told(trimtab: Trimtab, tiny: Path, given: tuple[str, ...], said: str) -> None:
    done = trimtab("simulate", tiny, *given)
    assert done.code == ExitCode.BAD_INPUT
    assert said in done.err


def test_hints_stand_on_lines_of_their_own(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("simulate", tiny, "--telemetry", "nowhere")
    assert done.err == "nowhere holds no telemetry\n    → trimtab observe writes it\n"


def test_static_never_says_fewer_replicas_than_run(
    trimtab: Trimtab, tiny: Path, trace: Path
) -> None:
    world = tiny / "world.yaml"
    text = world.read_text()
    world.write_text(text.replace("spot_tolerant: true", "min_replicas: 20", 1))
    given = ("simulate", tiny, "--trace", trace, "--policy", "static:1", "--format", "json")
    first = json.loads(trimtab(*given).out)["services"][0]
    assert first["chosen"] == "20 always"


def test_two_sources_are_too_many(trimtab: Trimtab, tiny: Path, trace: Path) -> None:
    done = trimtab("simulate", tiny, "--trace", trace, "--telemetry", tiny)
    assert "give --trace or --telemetry, not both" in done.err
