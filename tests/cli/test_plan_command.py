"""``trimtab plan`` and ``trimtab whatif``: what is printed, what is written, how it ends."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from models.placement import Proof
from models.plan import Infeasible, Plan, Unfinished
from optimizer.cli.exits import ExitCode
from optimizer.cli.options import Format
from optimizer.cli.solving import Request
from optimizer.gather import gather
from optimizer.output.plan_schema import plan_schema
from optimizer.plan import make_plan

COMPARISON_FILES = {"comparison.csv", "comparison.html", "comparison.json"}
PLAN_FILES = {
    "plan.json",
    "report.html",
    "counts.csv",
    "routes.csv",
    "bill.csv",
    "commitments.csv",
    "demand.csv",
    "binding.csv",
    "exclusions.csv",
    "forecast.csv",
}
Trimtab = Callable[..., Any]


def test_a_plan_is_shown_and_written(trimtab: Trimtab, tiny: Path) -> None:
    out = tiny.parent / "out"
    done = trimtab("plan", tiny, "--out", out)
    assert (done.code, done.err) == (0, "")
    assert "tiny  2 h from 2026-03-04 00:00 UTC, prices of 2026-02-01" in done.out
    assert "755.55 → " in done.out  # nine m5.large on demand, 730 h a month
    assert "Proven: no plan that keeps every rule costs less" in done.out
    assert f"Written to {out}" in done.out
    assert {path.name for path in out.iterdir()} == PLAN_FILES


def test_json_on_stdout_is_the_file_and_nothing_else(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("plan", tiny, "--format", "json", "--out", tiny.parent / "out")
    assert done.err == ""
    document = json.loads(done.out)
    Draft202012Validator(plan_schema()).validate(document)
    assert (document["outcome"], document["world"]["name"]) == ("plan", "tiny")
    assert (tiny.parent / "out" / "plan.json").read_text() == done.out


def test_the_other_solver_agrees(trimtab: Trimtab, tiny: Path) -> None:
    costs = {
        json.loads(trimtab("plan", tiny, "--format", "json", "--backend", name).out)["cost"][
            "usd_per_month"
        ]
        for name in ("ortools", "cbc")
    }
    assert len(costs) == 1


def test_quiet_says_nothing(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("plan", tiny, "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_infeasible_names_the_clash_and_keeps_the_last_plan(trimtab: Trimtab, tiny: Path) -> None:
    out = tiny.parent / "out"
    trimtab("plan", tiny, "--out", out, "--quiet")
    before = (out / "plan.json").read_bytes()
    done = trimtab("plan", tiny, "--scenario", "poor", "--out", out)
    assert done.code == ExitCode.INFEASIBLE
    assert "No plan keeps every rule." in done.out
    assert "total" in done.out
    assert "Nothing was written" in done.out
    assert (out / "plan.json").read_bytes() == before


def test_infeasible_in_json_is_valid_too(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("plan", tiny, "--scenario", tiny / "whatifs" / "poor.yaml", "--format", "json")
    assert done.code == ExitCode.INFEASIBLE
    document = json.loads(done.out)
    Draft202012Validator(plan_schema()).validate(document)
    assert [rule["rule"] for rule in document["clash"]] == ["total"]


def test_limits_of_the_command_line_stand_in_the_policy(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("plan", tiny, "--gap", "0.5", "--time-limit", "12", "--format", "json")
    policy = json.loads(done.out)["policy"]
    assert (policy["gap_target"], policy["time_limit_s"]) == (0.5, 12)


def test_a_foreign_folder_is_refused_before_any_work(trimtab: Trimtab, tiny: Path) -> None:
    (tiny / "world.yaml").write_text("not even a world")
    done = trimtab("plan", tiny, "--out", tiny)
    assert done.code == ExitCode.BAD_INPUT
    assert "holds files that trimtab did not write" in done.err
    assert "→ choose a new or an empty folder" in done.err


def test_whatifs_are_compared_and_written(trimtab: Trimtab, tiny: Path) -> None:
    out = tiny.parent / "out"
    done = trimtab("whatif", tiny, "lost", "poor", "--out", out)
    assert (done.code, done.err) == (0, "")
    assert "lost" in done.out
    assert "poor: infeasible (total)" in done.out
    assert {path.name for path in out.iterdir()} == COMPARISON_FILES
    with (out / "comparison.csv").open() as file:
        assert [row["scenario"] for row in csv.DictReader(file)] == ["base", "lost", "poor"]


def test_whatifs_may_be_a_folder_and_json(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("whatif", tiny, tiny / "whatifs", "--format", "json", "--strict")
    assert done.code == ExitCode.INFEASIBLE  # poor, and --strict
    base, lost, poor = json.loads(done.out)["alternatives"]
    assert float(lost["change_usd_per_month"]) > 0
    assert lost["by_cloud_usd_per_month"].keys() == {"gcp"}
    assert (base["change_usd_per_month"], poor["usd_per_month"]) == ("0.00", None)


def test_without_a_plan_of_the_base_nothing_is_compared(trimtab: Trimtab, tiny: Path) -> None:
    world = tiny / "world.yaml"
    world.write_text(world.read_text().replace("usd_per_month: 5000", "usd_per_month: 1"))
    done = trimtab("whatif", tiny, "lost")
    assert done.code == ExitCode.INFEASIBLE
    assert "No plan keeps every rule." in done.out


def test_faults_of_all_scenarios_come_at_once(trimtab: Trimtab, tiny: Path) -> None:
    for name in ("a", "b"):
        (tiny / f"{name}.yaml").write_text(
            f"trimtab: 1\nscenario: {name}\nchanges: [{{drop_rules: [{name}x]}}]\n"
        )
    done = trimtab("whatif", tiny, "a", "b")
    assert done.code == ExitCode.BAD_INPUT
    assert "a.yaml:3: " in done.err
    assert "b.yaml:3: " in done.err


def test_two_scenarios_of_one_name_are_told_apart_by_nobody(trimtab: Trimtab, tiny: Path) -> None:
    (tiny / "again.yaml").write_text((tiny / "whatifs" / "lost.yaml").read_text())
    done = trimtab("whatif", tiny, "lost", "again")
    assert done.code == ExitCode.BAD_INPUT
    assert "another scenario is called lost too" in done.err


def test_no_scenario_takes_the_name_of_the_world_itself(trimtab: Trimtab, tiny: Path) -> None:
    lost = (tiny / "whatifs" / "lost.yaml").read_text()
    (tiny / "mine.yaml").write_text(lost.replace("scenario: lost", "scenario: base"))
    done = trimtab("whatif", tiny, "mine")
    assert done.code == ExitCode.BAD_INPUT
    assert "a scenario may not be called base" in done.err


@pytest.mark.parametrize(("strict", "missed"), [(False, 0), (True, ExitCode.GAP_MISSED)])
def test_how_outcomes_end(tiny: Path, strict: bool, missed: int) -> None:
    world, _ = gather(tiny)
    request = Request("ortools", None, None, None, Format.TABLE, strict, True)
    plan = make_plan(world)
    assert isinstance(plan, Plan)
    late = replace(plan.placement.certificate, proof=Proof.TIME_LIMIT)
    too_late = replace(plan, placement=replace(plan.placement, certificate=late))
    assert request.end_of(plan) == ExitCode.FINE
    assert request.end_of(too_late) == missed
    assert request.end_of(Infeasible(world, (), smallest=False)) == ExitCode.INFEASIBLE
    assert request.end_of(Unfinished(world, 0.0, 60.0)) == ExitCode.UNFINISHED
