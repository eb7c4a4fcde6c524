"""``trimtab verify``: verdicts, exit codes, and what is printed of a file that is not trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from optimizer.cli.exits import ExitCode
from optimizer.output.verify_json import verification_schema

Trimtab = Callable[..., Any]


@pytest.fixture
def planned(trimtab: Trimtab, tiny: Path) -> Path:
    """A folder with the plan of the tiny world."""
    out = tiny.parent / "out"
    assert trimtab("plan", tiny, "--out", out, "--quiet").code == ExitCode.FINE
    return out


def tampered(planned: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    document = json.loads((planned / "plan.json").read_text())
    change(document)
    path = planned.parent / "tampered.json"
    path.write_text(json.dumps(document))
    return path


def test_our_own_plan_is_verified(trimtab: Trimtab, tiny: Path, planned: Path) -> None:
    done = trimtab("verify", planned, tiny)
    assert (done.code, done.err) == (ExitCode.FINE, "")
    assert "Verified: rules, bill and bound hold." in done.out
    assert "confirmed" in done.out


def test_the_other_solver_confirms_the_bound(trimtab: Trimtab, tiny: Path, planned: Path) -> None:
    done = trimtab("verify", planned / "plan.json", tiny, "--backend", "cbc")
    assert done.code == ExitCode.FINE
    assert "cbc" in done.out


def test_without_the_bound_nothing_is_solved(trimtab: Trimtab, tiny: Path, planned: Path) -> None:
    done = trimtab("verify", planned, tiny, "--no-bound")
    assert done.code == ExitCode.FINE
    assert "The bound was not derived anew." in done.out


def test_what_does_not_hold_is_shown_and_ends_with_six(
    trimtab: Trimtab, tiny: Path, planned: Path
) -> None:
    def change(document: dict[str, Any]) -> None:
        row = document["instances"][0]
        row["count_per_hour"] = [count - 1 for count in row["count_per_hour"]]

    path = tampered(planned, change)
    done = trimtab("verify", path, tiny)
    assert (done.code, done.err) == (ExitCode.NOT_VERIFIED, "")
    assert "Not verified: 1 rule broken, bill differs, proof differs" in done.out
    assert "capacity" in done.out
    quiet = trimtab("verify", path, tiny, "--no-bound", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (ExitCode.NOT_VERIFIED, "", "")


def test_json_keeps_to_its_schema(trimtab: Trimtab, tiny: Path, planned: Path) -> None:
    published = json.loads(trimtab("schema", "verification").out)
    Draft202012Validator.check_schema(published)
    assert published == verification_schema()
    changes: list[tuple[Callable[[dict[str, Any]], None], str]] = [
        (lambda _: None, "verified"),
        (lambda d: d.update(surprise=1), "not checked"),
        (lambda d: d["world"].update(name="x"), "world differs"),
        (lambda d: d["routes"].clear(), "rules broken"),
    ]
    for change, verdict in changes:
        path = tampered(planned, change)
        document = json.loads(trimtab("verify", path, tiny, "--format", "json").out)
        Draft202012Validator(published).validate(document)
        assert verdict in document["verdicts"]


def test_a_plan_of_a_what_if_is_verified_in_its_world(trimtab: Trimtab, tiny: Path) -> None:
    out = tiny.parent / "out"
    trimtab("plan", tiny, "--scenario", "lost", "--out", out, "--quiet")
    assert trimtab("verify", out, tiny, "--scenario", "lost").code == ExitCode.FINE
    done = trimtab("verify", out, tiny, "--no-bound")
    assert done.code == ExitCode.NOT_VERIFIED
    assert "world differs" in done.out
    assert "prices: not as they were for the plan" in done.out


def test_names_of_the_file_reach_no_terminal_raw(
    trimtab: Trimtab, tiny: Path, planned: Path
) -> None:
    hostile = "\x1b[31m\u202eevil[bold]\x9b"

    def change(document: dict[str, Any]) -> None:
        document["world"]["name"] = hostile
        document["instances"][0]["service"] = hostile
        document["routes"][0]["place"] = hostile
        document["bill"]["lines"][0]["term"] = hostile
        document[hostile] = hostile

    done = trimtab("verify", tampered(planned, change), tiny, "--no-bound")
    assert done.code == ExitCode.NOT_VERIFIED
    assert "evil[bold]" in done.out
    assert not {"\x1b", "\u202e", "\x9b"} & set(done.out)


def test_a_broken_file_is_bad_input(trimtab: Trimtab, tiny: Path, planned: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["hours"] = "two"
        document["routes"][0]["share"] = "\x1b[31m"

    done = trimtab("verify", tampered(planned, change), tiny)
    assert (done.code, done.out) == (ExitCode.BAD_INPUT, "")
    assert '/hours: must be a whole number, not "two"' in done.err
    assert "/routes/0/share: must be a number" in done.err
    assert "\x1b" not in done.err


def test_a_plan_for_other_hours_is_bad_input(trimtab: Trimtab, tiny: Path, planned: Path) -> None:
    path = tampered(planned, lambda d: d.update(starts="2026-01-01T00:00:00Z"))
    done = trimtab("verify", path, tiny)
    assert done.code == ExitCode.BAD_INPUT
    assert "/starts: the plan starts at 2026-01-01T00:00:00Z" in done.err
