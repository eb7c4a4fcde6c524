"""What-ifs stand beside the base in the same figures, also those that have no plan."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from decimal import Decimal

import pytest

from models.plan import Infeasible, Outcome, Plan, Unfinished
from optimizer.output.comparison import compare, comparison_document, comparison_text
from optimizer.output.files import comparison_files


def cheaper(plan: Plan) -> Plan:
    """The same plan without its last line of compute."""
    bill = plan.placement.bill
    lines = tuple(line for line in bill.lines if line.service != "cart")
    return replace(plan, placement=replace(plan.placement, bill=replace(bill, lines=lines)))


@pytest.fixture
def named(plan: Plan) -> list[tuple[str, Outcome]]:
    return [
        ("base", plan),
        ("=less cart", cheaper(plan)),
        ("[red]no azure", Infeasible(plan.world, plan.world.rules, smallest=True)),
        ("hard", Unfinished(plan.world, 1.0, 60.0)),
        ("too big", Infeasible(plan.world, (), smallest=True, reasons=("nothing holds cart",))),
    ]


def test_changes_are_against_the_base(named: list[tuple[str, Outcome]]) -> None:
    base, less, clash, hard, _ = compare(named)
    assert base.change_usd_per_month == 0
    assert str(base.change_share) == "0.0"
    assert less.usd_per_month == Decimal("78.52")
    assert less.change_usd_per_month == Decimal("-110.96")
    assert less.change_share == pytest.approx(-110.96 / 189.48)
    assert (clash.outcome, clash.clash) == ("infeasible", ("total", "no-azure"))
    assert (hard.outcome, hard.usd_per_month) == ("unfinished", None)


def test_without_a_plan_of_the_base_there_is_no_comparison(
    named: list[tuple[str, Outcome]],
) -> None:
    with pytest.raises(TypeError, match="nothing to compare with"):
        compare(named[2:])


def test_json_keeps_order_and_exact_money(named: list[tuple[str, Outcome]]) -> None:
    rows = comparison_document(compare(named))["alternatives"]
    assert [row["scenario"] for row in rows] == [name for name, _ in named]
    assert rows[1]["change_usd_per_month"] == "-110.96"
    assert rows[2]["usd_per_month"] is None


def test_files_agree(plan: Plan, named: list[tuple[str, Outcome]]) -> None:
    files = comparison_files(plan, named[1:], {})
    assert sorted(files) == ["comparison.csv", "comparison.html", "comparison.json"]
    rows = list(csv.DictReader(io.StringIO(files["comparison.csv"].decode())))
    assert [row["scenario"] for row in rows] == [
        "base",
        "'=less cart",
        "[red]no azure",
        "hard",
        "too big",
    ]
    assert [row["change_usd_per_month"] for row in rows] == ["0.00", "-110.96", "", "", ""]
    assert [row["peak_instances"] for row in rows] == ["5", "5", "", "", ""]
    assert rows[0]["gcp_usd_per_month"] == "17.03"
    assert rows[2]["clash"] == "total no-azure"
    assert json.loads(files["comparison.json"])["format"] == "trimtab-comparison"


@pytest.mark.parametrize("width", [60, 80, 160])
def test_a_terminal_shows_every_scenario(named: list[tuple[str, Outcome]], width: int) -> None:
    text = comparison_text(compare(named), width, colour=False)
    assert max(map(len, text.splitlines())) <= width
    flat = " ".join(text.split())
    for part in (
        "−110.96", "−58.6 %", "[red]no azure: infeasible (total, no-azure)", "hard: unfinished",
        "too big: infeasible, whatever the rules",
    ):  # fmt: skip
        assert part in flat
    assert ("Peak instances" in text) == (width == 160)
