"""``trimtab grade``: what is printed and written, and how it ends."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from optimizer.cli.exits import ExitCode

Trimtab = Callable[..., Any]


def test_a_grade_is_shown_and_written_with_its_proof(trimtab: Trimtab, tiny: Path) -> None:
    out = tiny.parent / "out"
    done = trimtab("grade", tiny, "--out", out)
    assert (done.code, done.err) == (ExitCode.FINE, "")
    assert "Grade F. At least" in done.out
    assert "More runs than is needed, hour by hour" in done.out
    names = {"grade.html", "grade.json", "grade.csv", "plan.json"}
    assert {path.name for path in out.iterdir()} == names
    assert trimtab("verify", out, tiny).code == ExitCode.FINE
    assert trimtab("grade", tiny, "--out", out, "--quiet").out == ""


def test_json_keeps_to_its_schema(trimtab: Trimtab, tiny: Path) -> None:
    schema = json.loads(trimtab("schema", "grade").out)
    Draft202012Validator.check_schema(schema)
    document = json.loads(trimtab("grade", tiny, "--format", "json").out)
    Draft202012Validator(schema).validate(document)
    assert (document["standing"], document["grade"]) == ("wasteful", "F")
    assert document["today_usd_per_month"] == "755.55"  # nine m5.large on demand
    assert 0 < document["wasted_at_least"] <= document["wasted_at_most"] < 1


def test_csv_has_a_row_for_all_and_for_every_part(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("grade", tiny, "--format", "csv")
    rows = list(csv.DictReader(done.out.splitlines()))
    assert [row["cut"] for row in rows] == ["all", "team", "cloud", "service"]
    assert {row["today_usd_per_month"] for row in rows} == {"755.55"}


def test_without_a_lawful_plan_there_is_no_grade(trimtab: Trimtab, tiny: Path) -> None:
    text = (tiny / "world.yaml").read_text().replace("5000", "0.01")
    (tiny / "world.yaml").write_text(text)
    done = trimtab("grade", tiny, "--out", tiny.parent / "out")
    assert done.code == ExitCode.INFEASIBLE
    assert "No plan keeps every rule." in done.out
    assert not (tiny.parent / "out").exists()


def test_without_a_fleet_there_is_nothing_to_grade(trimtab: Trimtab, tiny: Path) -> None:
    text = (tiny / "world.yaml").read_text()
    (tiny / "world.yaml").write_text(text[: text.index("fleet:")])
    done = trimtab("grade", tiny)
    assert done.code == ExitCode.BAD_INPUT
    assert "nothing runs today" in done.err
