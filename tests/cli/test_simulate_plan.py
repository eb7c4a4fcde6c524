"""``trimtab simulate --policy plan``: a plan that is made again every hour, beside others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from optimizer.cli.exits import ExitCode

Trimtab = Callable[..., Any]
SPAN = ("--from", "2026-03-03T19:30Z", "--to", "2026-03-03T22:00Z")


def test_a_plan_is_a_policy_among_others(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("simulate", tiny, "--policy", "static,plan", *SPAN, "--format", "json")
    assert done.code == ExitCode.FINE
    document = json.loads(done.out)
    Draft202012Validator(json.loads(trimtab("schema", "simulation").out)).validate(document)
    static, plan = document["policies"]
    assert (static["policy"], plan["policy"]) == ("static", "plan")
    assert plan["unserved_share"] < 0.01
    assert 0 < float(plan["usd"]) < 10 * float(static["usd"])


def test_a_plan_needs_a_day_to_learn_from(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("simulate", tiny, "--policy", "plan", "--from", "2026-03-01T06:00Z")
    assert done.code != ExitCode.FINE
    assert "a day of demand before its figures begin" in done.err


def test_a_misspelt_plan_is_suggested(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("simulate", tiny, "--policy", "plam")
    assert "plan" in done.err
