"""CSV files read back as what was planned, and no cell runs as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from decimal import Decimal

import pandas as pd
import pytest

from models.plan import Plan
from optimizer.output.commitments import COMMITMENT_COLUMNS
from optimizer.output.plain import plain, spreadsheet_cell
from optimizer.output.sheets import csv_bytes, sheets


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_every_sheet_has_its_columns(plan: Plan) -> None:
    heads = {name: content.decode().splitlines()[0] for name, content in sheets(plan).items()}
    assert heads == {
        "counts.csv": "service,cloud,region,instance_type,purchase,hour,period,count,"
        "price_usd_per_hour,replicas_per_instance,capacity_rps,price_source,price_date",
        "routes.csv": "service,origin,cloud,region,first_hour,first_period,periods,share,rtt_ms",
        "bill.csv": "term,cloud,place,service,purchase,commitment,usd",
        "commitments.csv": ",".join(COMMITMENT_COLUMNS),
        "demand.csv": "service,hour,mean_rps,planned_rps,q0.5_rps,q0.9_rps,capacity_rps",
        "binding.csv": "rule,in_words,where,rows,binding_rows",
        "exclusions.csv": "service,place,rule,reason",
        "forecast.csv": "service,origin,model,score,chosen,why",
    }


def test_counts_carry_the_hour_they_are_for(plan: Plan) -> None:
    first, *_, last = rows(sheets(plan)["counts.csv"])
    assert (first["service"], first["hour"]) == ("cart", "2026-03-01T00:00:00Z")
    assert (last["service"], last["hour"], last["count"]) == ("web", "2026-03-01T01:00:00Z", "1")


def test_the_bill_keeps_every_digit(plan: Plan) -> None:
    lines = rows(sheets(plan)["bill.csv"])
    assert [line["usd"] for line in lines] == ["0.2527", "0.07", "0.456", "0.0000004"]
    assert sum(Decimal(line["usd"]) for line in lines) == plan.placement.bill.total_usd


def test_demand_stands_beside_capacity_hour_by_hour(plan: Plan) -> None:
    peak = rows(sheets(plan)["demand.csv"])[1]
    assert peak == {
        "service": "web",
        "hour": "2026-03-01T01:00:00Z",
        "mean_rps": "250.125",
        "planned_rps": "300.15",
        "q0.5_rps": "250.125",
        "q0.9_rps": "300.15",
        "capacity_rps": "391.5",
    }


def test_a_score_that_could_not_be_had_is_an_empty_cell(plan: Plan) -> None:
    tried = rows(sheets(plan)["forecast.csv"])
    assert [(row["model"], row["score"], row["chosen"]) for row in tried] == [
        ("naive", "1.0", "no"),
        ("seasonal", "0.8", "yes"),
        ("fancy", "", "no"),
    ]


def test_commas_quotes_and_letters_of_the_world_survive(plan: Plan) -> None:
    table = pd.DataFrame({"name": ['a,"b"', "Zürich 東京 🚲", None], "n": [1, -2, 3]})
    content = csv_bytes(table)
    assert [row["name"] for row in rows(content)] == ['a,"b"', "Zürich 東京 🚲", ""]
    assert [row["n"] for row in rows(content)] == ["1", "-2", "3"]
    reason = rows(sheets(plan)["exclusions.csv"])[2]["reason"]
    assert reason == "nothing, not one type, holds it"


@pytest.mark.parametrize(
    "name",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1+1", "  =1+1", "\x1b[0m=1+1", "\x00=1+1"],
)
def test_no_name_becomes_a_formula(plan_for: Callable[[str], Plan], name: str) -> None:
    for file, content in sheets(plan_for(name)).items():
        for row in rows(content):
            for column, cell in row.items():
                assert not cell.lstrip().startswith(("=", "+", "-", "@")), (file, column, cell)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("web", "web"),
        ("a=b", "a=b"),
        ("=A1", "'=A1"),
        ("\tx", "' x"),
        ("a\r\nb\x00\x1b[31mc\u202e", "a bc"),
    ],
)
def test_cells(text: str, cell: str) -> None:
    assert spreadsheet_cell(text) == cell


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[2J\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07name", "name"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\nb\tc\u2028d", "a b c d"),
        ("\x9b31mx\x7f", "31mx"),
        ("\u202eexe.nalp\u2066", "exe.nalp"),
        ("\ud800x", "x"),
        ("👩\u200d💻 [red]", "👩\u200d💻 [red]"),
    ],
)
def test_plain_text_cannot_steer_a_terminal(text: str, expected: str) -> None:
    assert plain(text) == expected
