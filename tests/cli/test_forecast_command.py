"""``trimtab forecast``: what is printed and written, and how it ends."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from optimizer.cli.exits import ExitCode

Trimtab = Callable[..., Any]


def test_what_is_expected_is_shown_and_written(trimtab: Trimtab, tiny: Path) -> None:
    out = tiny.parent / "out"
    done = trimtab("forecast", tiny, "--out", out)
    assert (done.code, done.err) == (ExitCode.FINE, "")
    assert "2 h from 2026-03-04 00:00 UTC" in done.out
    assert "Written to" in done.out
    names = {"forecast.html", "forecast.json", "quantiles.csv"}
    assert {path.name for path in out.iterdir()} == names
    assert trimtab("forecast", tiny, "--out", out, "--quiet").out == ""  # replaces its own


def test_a_plot_goes_to_a_folder_named_after_the_world(
    trimtab: Trimtab, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.parent)
    trimtab("forecast", tiny, "--plot")
    page = (tiny.parent / "tiny-forecast" / "forecast.html").read_text()
    assert "<svg" in page
    assert "web" in page


def test_json_keeps_to_its_schema_and_quantiles_do_not_cross(trimtab: Trimtab, tiny: Path) -> None:
    schema = json.loads(trimtab("schema", "forecast").out)
    Draft202012Validator.check_schema(schema)
    document = json.loads(trimtab("forecast", tiny, "--hours", 30, "--format", "json").out)
    Draft202012Validator(schema).validate(document)
    (series,) = document["series"]
    assert (series["service"], series["origin"]) == ("web", "europe")
    assert len(series["mean_rps"]) == len(series["quantiles_rps"]) == document["hours"] == 30
    assert all(row == sorted(row) for row in series["quantiles_rps"])
    # Every day of this world is alike: 200 to 430 rps by the hour of the day.
    assert series["mean_rps"][5] == pytest.approx(250, rel=0.02)


def test_csv_says_the_same_as_json(trimtab: Trimtab, tiny: Path) -> None:
    rows = list(csv.DictReader(trimtab("forecast", tiny, "--format", "csv").out.splitlines()))
    document = json.loads(trimtab("forecast", tiny, "--format", "json").out)
    assert [row["hour"] for row in rows] == ["2026-03-04T00:00:00Z", "2026-03-04T01:00:00Z"]
    levels = [f"q{level:g}_rps" for level in document["levels"]]
    found = [[float(row[level]) for level in levels] for row in rows]
    assert found == document["series"][0]["quantiles_rps"]


def test_totals_add_up_in_every_form(trimtab: Trimtab, tiny: Path) -> None:
    out = tiny.parent / "out"
    text = (tiny / "world.yaml").read_text()
    origins = "- {name: europe, near: aws/eu-central-1}"
    more = "\n  - {name: america, near: aws/us-east-1}"
    assert origins in text
    (tiny / "world.yaml").write_text(text.replace(origins, origins + more))
    rows = (tiny / "demand.csv").read_text().splitlines()
    other = [row.replace(",europe,", ",america,") for row in rows[1:]]
    (tiny / "demand.csv").write_text("\n".join([*rows, *other, ""]))
    done = trimtab("forecast", tiny, "--out", out)
    assert "everything" in done.out
    document = json.loads((out / "forecast.json").read_text())
    Draft202012Validator(json.loads(trimtab("schema", "forecast").out)).validate(document)
    (total,) = document["totals"]
    assert (total["service"], total["origin"]) == (None, None)
    parts = [series["mean_rps"] for series in document["series"]]
    assert total["mean_rps"] == pytest.approx([sum(hour) for hour in zip(*parts, strict=True)])
    table = list(csv.DictReader((out / "totals.csv").read_text().splitlines()))
    assert [float(row["mean_rps"]) for row in table] == total["mean_rps"]
    assert 'id="total-1"' in (out / "forecast.html").read_text()


def test_the_last_days_are_foretold_again(trimtab: Trimtab, tiny: Path) -> None:
    first = datetime(2026, 2, 1, tzinfo=UTC)
    rows = ["ts,service,origin,rps"]
    for h in range(31 * 24):
        ts = (first + timedelta(hours=h)).strftime("%Y-%m-%dT%H:%M:%SZ")
        rows.append(f"{ts},web,europe,{200 + 10 * (h % 24) + (h * 7919 % 13)}")
    (tiny / "demand.csv").write_text("\n".join([*rows, ""]))
    out = tiny.parent / "out"
    done = trimtab("forecast", tiny, "--track", 3, "--out", out)
    assert "The last 3 days, foretold day by day" in done.out
    assert "0 switches of models" in done.out
    document = json.loads((out / "forecast.json").read_text())
    Draft202012Validator(json.loads(trimtab("schema", "forecast").out)).validate(document)
    tracked = document["tracked"]
    assert (tracked["starts"], tracked["hours"]) == ("2026-03-01T00:00:00Z", 72)
    assert 0 < tracked["series"][0]["error"] < 1.2
    table = list(csv.DictReader((out / "tracked.csv").read_text().splitlines()))
    came = [row.split(",")[3] for row in rows[1 + 28 * 24 :]]
    assert [float(row["came_rps"]) for row in table] == [float(rps) for rps in came]
    page = (out / "forecast.html").read_text()
    assert 'id="told"' in page
    assert page.count('class="line told"') == 2  # in the legend and on the chart
    assert trimtab("forecast", tiny, "--track", 28).code == ExitCode.FINE
    refused = trimtab("forecast", tiny.parent / "tiny", "--track", 29)
    assert refused.code != ExitCode.FINE


def test_a_what_if_scales_what_is_expected(trimtab: Trimtab, tiny: Path) -> None:
    text = "trimtab: 1\nscenario: more\nchanges: [{scale_demand: {by: 3}}]\n"
    (tiny / "whatifs" / "more.yaml").write_text(text)
    before = json.loads(trimtab("forecast", tiny, "--format", "json").out)
    after = json.loads(trimtab("forecast", tiny, "--scenario", "more", "--format", "json").out)
    was, now = (document["series"][0]["mean_rps"] for document in (before, after))
    assert now == pytest.approx([3 * rps for rps in was])


def test_what_strays_in_the_history_is_told(trimtab: Trimtab, tiny: Path) -> None:
    first = datetime(2026, 2, 1, tzinfo=UTC)
    rows = ["ts,service,origin,rps"]
    for h in range(28 * 24):
        ts = (first + timedelta(hours=h)).strftime("%Y-%m-%dT%H:%M:%SZ")
        wobble = (h * 7919 % 13) / 10  # a little noise that is the same every time
        rps = 200 + 10 * (h % 24) + wobble + (2000 if h == 26 * 24 + 3 else 0)
        rows.append(f"{ts},web,europe,{rps:g}")
    (tiny / "demand.csv").write_text("\n".join([*rows, ""]))
    done = trimtab("forecast", tiny)
    assert "requests_rps of web (europe), 2026-02-27 03:00" in done.out
    document = json.loads(trimtab("forecast", tiny, "--format", "json").out)
    (anomaly,) = document["anomalies"]
    assert (anomaly["starts"], anomaly["service"]) == ("2026-02-27T03:00:00Z", "web")
    assert anomaly["value"] > anomaly["expected"]


def test_events_are_shown_and_do_not_stray(trimtab: Trimtab, tiny: Path) -> None:
    first = datetime(2026, 2, 1, tzinfo=UTC)
    rows = ["ts,service,origin,rps"]
    for h in range(28 * 24):
        ts = (first + timedelta(hours=h)).strftime("%Y-%m-%dT%H:%M:%SZ")
        sale = 26 * 24 <= h < 26 * 24 + 6
        rows.append(f"{ts},web,europe,{(200 + 10 * (h % 24)) * (4 if sale else 1)}")
    (tiny / "demand.csv").write_text("\n".join([*rows, ""]))
    text = (tiny / "world.yaml").read_text()
    events = """demand:
  history: demand.csv
  events:
    - {name: sale, starts: 2026-02-27T00:00Z, ends: 2026-02-27T06:00Z}
    - {name: next sale, like: sale, starts: 2026-03-01T00:00Z, ends: 2026-03-01T06:00Z}"""
    (tiny / "world.yaml").write_text(text.replace("demand: {history: demand.csv}", events))
    document = json.loads(trimtab("forecast", tiny, "--format", "json", "--hours", 8).out)
    assert [event["name"] for event in document["events"]] == ["sale", "next sale"]
    assert document["anomalies"] == []
    mean = document["series"][0]["mean_rps"]
    assert mean[0] > 2 * 200 > mean[6]  # the sale is expected, and its end
    schema = json.loads(trimtab("schema", "forecast").out)
    Draft202012Validator(schema).validate(document)
    said = trimtab("forecast", tiny).out
    assert "Event: next sale (sale), 2026-03-01 00:00 to 2026-03-01 06:00" in said
    assert trimtab("plan", tiny, "--out", tiny.parent / "plan").code == ExitCode.FINE
    assert trimtab("verify", tiny.parent / "plan", tiny).code == ExitCode.FINE


def test_a_folder_of_something_else_is_left_alone(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("forecast", tiny, "--out", tiny)
    assert done.code == ExitCode.BAD_INPUT
    assert "it holds files that trimtab did not write" in done.err
    assert (tiny / "world.yaml").exists()


def test_hostile_names_stay_harmless(trimtab: Trimtab, tiny: Path) -> None:
    bad = "=cmd|<script>alert(1)</script>"
    text = (tiny / "world.yaml").read_text().replace("name: web", f"name: '{bad}'")
    text = text.replace("services: [web]", f"services: ['{bad}']")
    text = text.replace("service: web", f"service: '{bad}'")
    (tiny / "world.yaml").write_text(text)
    demand = (tiny / "demand.csv").read_text().replace(",web,", f",{bad},")
    (tiny / "demand.csv").write_text(demand)
    out = tiny.parent / "out"
    done = trimtab("forecast", tiny, "--out", out)
    assert done.code == ExitCode.FINE
    assert "<script>alert" not in (out / "forecast.html").read_text()
    rows = list(csv.DictReader((out / "quantiles.csv").read_text().splitlines()))
    assert all(row["service"].startswith("'=") for row in rows)
