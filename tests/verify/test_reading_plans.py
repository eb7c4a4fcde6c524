"""Files that are no plans, or were made to do harm: faults with a JSON pointer, never a crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import FaultyInput
from optimizer.verify import reading
from optimizer.verify.reading import read_plan

Document = dict[str, Any]


def faults(path: Path) -> list[str]:
    with pytest.raises(FaultyInput) as refused:
        read_plan(path)
    return [str(fault) for fault in refused.value.faults]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[object], Path]:
    def written(content: object) -> Path:
        path = tmp_path / "plan.json"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return written


def test_a_folder_stands_for_its_plan(write: Callable[[object], Path], document: Document) -> None:
    path = write(document)
    plan, unknown = read_plan(path.parent)
    assert plan.world.name == "small"
    assert unknown == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe{}", "is not UTF-8"),
        ("{]", "is not JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"a": ' * 100_000, "is nested too deeply"),
        ('{"format": "trimtab-plan", "hours": NaN}', "NaN is not a number in JSON"),
        ('{"format": "trimtab-plan", "hours": -Infinity}', "-Infinity is not a number"),
        (f'{{"hours": {"9" * 5000}}}', "too many digits"),
        ('{"format": "trimtab-plan", "hours": 1, "hours": 2}', '"hours" stands twice'),
        ("[]", "/format: is not a plan"),
        ("7", "/format: is not a plan"),
        ('{"format": "trimtab-comparison"}', "/format: is not a plan"),
        ('{"format": "trimtab-plan", "outcome": "infeasible"}', "/outcome: is infeasible"),
    ],
)
def test_what_is_no_plan_is_told_in_one_line(
    write: Callable[[object], Path], content: object, said: str
) -> None:
    (fault,) = faults(write(content))
    assert said in fault
    assert "\n    → " in fault
    assert len(fault) < 400


def test_a_missing_file_and_one_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (fault,) = faults(tmp_path / "none.json")
    assert "there is no such file" in fault
    monkeypatch.setattr(reading, "MOST_BYTES", 10)
    (tmp_path / "plan.json").write_text(" " * 11)
    (fault,) = faults(tmp_path)
    assert "is larger than" in fault


def test_all_faults_are_told_at_once_each_with_its_pointer(
    write: Callable[[object], Path], document: Document
) -> None:
    document["version"] = 2
    document["instances"][0]["count_per_hour"][1] = -1
    document["instances"][1]["price_usd_per_hour"] = 0.2
    document["instances"][2]["count_per_hour"] = document["instances"][2].pop("count_per_hour")[:2]
    document["instances"][3]["count_per_hours"] = document["instances"][3].pop("count_per_hour")
    document["routes"][0]["share"] = 1.5
    document["routes"][1]["hours"] = True
    document["bill"]["total_usd"] = "1e3"
    document["starts"] = "yesterday"
    document["world"] = "small"
    told = "\n".join(faults(write(document)))
    for said in (
        "/version: must be 1, not 2",
        "/instances/0/count_per_hour/1: must be at least 0, not -1",
        "/instances/1/price_usd_per_hour: must be text, not 0.2",
        'write dollars as text, such as "0.0361"',
        "/instances/3/count_per_hour: is missing",
        'is "count_per_hours" meant to be it?',
        "/routes/0/share: must be at most 1",
        "/routes/1/hours: must be a whole number, not true",
        "/bill/total_usd: must be an amount or a time as text",
        '/starts: must be an amount or a time as text, not "yesterday"',
        'write UTC, such as "2026-03-01T00:00:00Z"',
        "/world: must be an object",
    ):
        assert said in told


def test_hours_that_the_plan_does_not_have(
    write: Callable[[object], Path], document: Document
) -> None:
    document["instances"][0]["count_per_hour"].append(1)
    document["routes"][0]["hours"] = 9
    document["demand"][1]["planned_rps"] = [1.0]
    document["starts"] = "2026-02-30T00:00:00Z"
    told = "\n".join(faults(write(document)))
    for said in (
        "/instances/0/count_per_hour: has 5 numbers, the plan 4 hours",
        "/routes/0: holds until hour 9 of 4",
        "/demand/1/planned_rps: has 1 numbers, the plan 4 hours",
        "/starts: no calendar has 2026-02-30T00:00:00Z",
    ):
        assert said in told


def test_thousands_of_faults_are_counted(
    write: Callable[[object], Path], document: Document
) -> None:
    document["routes"] = [{} for _ in range(1000)]
    told = faults(write(document))
    assert len(told) == reading.MOST_FAULTS + 1
    assert any("more faults are not listed" in fault for fault in told)


def test_keys_that_nobody_knows_are_not_checked(
    write: Callable[[object], Path], document: Document
) -> None:
    document["obligations"] = [1]
    for row in document["routes"]:
        row["shares"] = 2
    _, unknown = read_plan(write(document))
    assert [one.what for one in unknown] == ["/obligations", "/routes/shares"]
    assert "did you mean share?" in unknown[1].why


def outcome_of(path: Path) -> str:
    try:
        read_plan(path)
    except FaultyInput as refused:
        return refused.faults[0].message
    return "a plan"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(data=st.data())
def test_whatever_stands_anywhere_is_a_plan_or_a_fault(
    data: st.DataObject, write: Callable[[object], Path], pristine: Document
) -> None:
    document: Any = json.loads(json.dumps(pristine))
    held, key = document, data.draw(st.sampled_from(sorted(document)))
    while isinstance(held[key], dict | list) and held[key] and data.draw(st.booleans()):
        held = held[key]
        keys = sorted(held) if isinstance(held, dict) else range(len(held))
        key = data.draw(st.sampled_from(list(keys)))
    held[key] = data.draw(VALUES)
    said = outcome_of(write(json.dumps(document)))
    assert said == "a plan" or "/" in said or "number" in said
