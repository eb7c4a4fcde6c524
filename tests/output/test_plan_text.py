"""What a terminal shows of an outcome: the words, at every width, whatever names hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from models.placement import Proof
from models.plan import Infeasible, Plan, Unfinished
from optimizer.output.plan_text import outcome_text
from optimizer.output.terminal import percent, plural, signed_usd, usd

NARROW = """\
corner-shop  3 h from 2026-03-01 00:00 UTC, prices of
2026-02-01
at least 503.70 → 189.48 USD/month, saves at least 314.22
(62.4 %)
Proven: no plan that keeps every rule costs less than 189.29
USD/month, 0.1 % below this one.
Today costs more than shown: 1 group without a known price.
Today's fleet breaks 1 rule:
  total: costs 503.70 USD per month

By cloud, USD/month

 Cloud         Peak instances   Today    Plan
 ────────────────────────────────────────────
 AWS                        4  503.70  172.45
 Google Cloud               1       0   17.03

 Total                      5  503.70  189.48

By service, USD/month

 Service  Places                              Peak    Plan
 ─────────────────────────────────────────────────────────
 cart     aws/eu-central-1                       1  110.96
 web      aws/eu-central-1, gcp/europe-west1     4   78.52

Rules without slack

 Rule   In words
 ─────────────────────────────────────────────────
 total  everything costs at most 400 USD per month
"""

WIDE_SERVICES = [
    "Service Team Places Peak instances Today Change Plan",
    "cart [bold]back[/bold] aws/eu-central-1 1 0 +110.96 110.96",
    "web front aws/eu-central-1, gcp/europe-west1 4 503.70 −425.18 78.52",
]


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_narrow_terminal(plan: Plan) -> None:
    assert outcome_text(plan, 60, colour=False).strip() == NARROW.strip()


def test_a_wide_terminal_shows_more(plan: Plan) -> None:
    text = outcome_text(plan, 160, colour=False)
    lines = [flat(line) for line in text.splitlines()]
    assert [line for line in lines if line in WIDE_SERVICES] == WIDE_SERVICES
    assert "world.yaml:7" in text


@pytest.mark.parametrize("width", [40, 60, 80, 160])
def test_no_line_is_wider_than_the_terminal(plan: Plan, width: int) -> None:
    assert max(map(len, outcome_text(plan, width, colour=False).splitlines())) <= width


def test_colour_changes_nothing_but_colour(plan: Plan) -> None:
    coloured = outcome_text(plan, 80, colour=True)
    assert "\x1b[" in coloured
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert flat(bare) == flat(outcome_text(plan, 80, colour=False))


def test_names_steer_nothing(plan_for: Callable[[str], Plan]) -> None:
    plan = plan_for("[red]evil[/red]\x1b[2J\x1b]0;owned\x07\r\n:smile:\u202e")
    text = outcome_text(plan, 160, colour=False)
    assert "[red]evil[/red] :smile:" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        ({"proof": Proof.OPTIMAL, "gap": 0.0}, "Proven: no plan that keeps every rule costs less."),
        ({}, "costs less than 189.29 USD/month, 0.1 % below this one."),
        (
            {"proof": Proof.TIME_LIMIT, "gap": 0.2, "bound_usd": 0.62296},
            "target of 0.1 %. Proven so far: no plan that keeps every rule costs less than 151.59",
        ),
        (
            {"proof": Proof.TIME_LIMIT, "gap": float("inf"), "bound_usd": float("-inf")},
            "Time ran out: nothing is proven about cheaper plans.",
        ),
    ],
)
def test_the_proof_in_words(
    proven: Callable[..., Plan], certificate: dict[str, object], said: str
) -> None:
    assert said in flat(outcome_text(proven(**certificate), 80, colour=False))


def test_without_a_fleet_there_is_no_today(plan: Plan) -> None:
    bare = replace(
        plan,
        world=replace(plan.world, fleet=replace(plan.world.fleet, groups=())),
        today=replace(plan.today, unpriced=(), broken=()),
    )
    text = outcome_text(bare, 120, colour=False)
    assert "\n189.48 USD/month\n" in text
    assert "Today " not in text


def test_a_plan_that_costs_more_says_so(plan: Plan) -> None:
    line = replace(plan.today.bill.lines[0], usd=Decimal("0.3"))
    today = replace(
        plan.today, bill=replace(plan.today.bill, lines=(line,)), unpriced=(), broken=()
    )
    text = outcome_text(replace(plan, today=today), 80, colour=False)
    assert "73.00 → 189.48 USD/month, costs 116.48 more (159.6 %)" in text


def test_many_services_are_cut_and_summed(plan: Plan) -> None:
    web = plan.world.services[0]
    many = tuple(replace(web, name=f"s{i:03}") for i in range(100))
    crowd = replace(plan, world=replace(plan.world, services=(*plan.world.services, *many)))
    text = outcome_text(crowd, 80, colour=False)
    assert re.search(r"^ 72 more +0$", text, re.M)
    assert text.count(" s0") == 28


def test_a_clash_reads_as_its_author_wrote_it(plan: Plan) -> None:
    text = flat(outcome_text(Infeasible(plan.world, plan.world.rules, True), 80, colour=False))
    assert "No plan keeps every rule. These 2 rules cannot be kept together" in text
    assert "no-azure: cart never runs in Azure (world.yaml:9) because: contract" in text
    assert "no smaller set clashes" in text


def test_demand_that_nothing_holds_is_explained(plan: Plan) -> None:
    reasons = ("no offering holds a replica of web",)
    text = outcome_text(Infeasible(plan.world, (), False, reasons), 80, colour=False)
    assert "even without rules" in text
    assert reasons[0] in text


def test_an_unfinished_run_offers_more_time(plan: Plan) -> None:
    text = flat(outcome_text(Unfinished(plan.world, 0.5, 60.0), 80, colour=False))
    assert "No plan was found in 60 s." in text
    assert "at least 121.67 USD/month" in text
    assert "--time-limit" in text


def test_numbers_in_words() -> None:
    assert [usd(Decimal(x)) for x in ("0", "0.4", "999.994", "1234567.8")] == [
        "0",
        "0.40",
        "999.99",
        "1,234,568",
    ]
    assert [signed_usd(Decimal(x)) for x in ("0", "5", "-1200")] == ["0", "+5.00", "−1,200"]
    assert [percent(x) for x in (0, 1e-7, 0.0005, 0.034, 0.5)] == [
        "0 %",
        "less than 0.001 %",
        "0.05 %",
        "3.4 %",
        "50.0 %",
    ]
    assert [plural(n, "rule") for n in (1, 2000)] == ["1 rule", "2,000 rules"]
