"""The report as a document: whole, exact, complete, and the same every time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import pandas as pd
import pytest

from models.placement import Proof
from models.plan import Infeasible, Outcome, Plan, Unfinished
from optimizer.report.page import render_comparison, render_plan

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Document(HTMLParser):
    """Elements in order, with the text of each; fails on a tag that closes what is not open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).replace("\N{NO-BREAK SPACE}", " ").split())


@pytest.fixture(scope="module")
def page(plan: Plan) -> str:
    return render_plan(plan)


@pytest.fixture(scope="module")
def words(page: str) -> str:
    return Document(page).words


def what_ifs(plan: Plan, other: Plan) -> str:
    outcomes: list[tuple[str, Outcome]] = [
        ("flash-sale", other),
        ("clash", Infeasible(plan.world, plan.world.rules[:2], smallest=True)),
        ("vague clash", Infeasible(plan.world, plan.world.rules[:3], smallest=False)),
        ("too much", Infeasible(plan.world, (), smallest=False, reasons=("nothing fits cart",))),
        ("hurried", Unfinished(plan.world, 812.0, 60.0)),
    ]
    return render_comparison(plan, outcomes, {"flash-sale": ["demand × 3"]})


def test_every_tag_is_closed_and_every_drawing_is_xml(page: str) -> None:
    Document(page)
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) > 30
    for drawing in drawings:
        ET.fromstring(drawing)


def test_anchors_lead_somewhere_and_ids_are_unique(page: str) -> None:
    attributes = [pair for _, pairs in Document(page).elements for pair in pairs]
    ids = [value for key, value in attributes if key == "id"]
    assert len(ids) == len(set(ids))
    links = {value for key, value in attributes if key == "href" and value}
    assert links
    assert {link.removeprefix("#") for link in links} <= set(ids)


@pytest.mark.parametrize("kind", ["plan", "what-ifs"])
def test_page_asks_for_nothing_from_elsewhere(kind: str, plan: Plan) -> None:
    page = render_plan(plan) if kind == "plan" else what_ifs(plan, plan)
    assert not re.search(r"http(?!-equiv)|//|@import|url\(", page)
    asking = {"src", "srcset", "style", "action", "data", "xlink:href", "background", "poster"}
    for tag, attributes in Document(page).elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form", "use"}
        assert not asking & {key for key, _ in attributes}
    assert "default-src &#39;none&#39;" in page


def test_page_is_small_and_the_same_every_time(plan_of: Callable[..., Plan], page: str) -> None:
    assert render_plan(plan_of()) == page
    assert len(render_plan(plan_of(services=20)).encode()) < 1_000_000


def test_headline_and_totals_are_the_bills(plan: Plan, words: str) -> None:
    hours = plan.placement.bill.hours
    for total in (plan.placement.bill.total_usd, plan.today.bill.total_usd):
        month = total * 730 / hours
        assert f"{total:,.2f} USD over {hours} h" in words
        assert f"{month.quantize(Decimal(1)):,} USD a month" in words
        # kinds, clouds, purchase options, teams and services each add up to it
        assert words.count(f"{month:,.2f}") >= 5
    saving = (plan.today.bill.total_usd - plan.placement.bill.total_usd) * 730 / hours
    assert f"Saving {saving.quantize(Decimal(1)):,} USD a month" in words


def test_lines_of_the_fleet_add_up_to_compute(plan: Plan, page: str) -> None:
    table = page[page.index('<table class="fleet">') :]
    rows = re.findall(r"<tr><td><svg class=\"swatch.*?</tr>", table, flags=re.DOTALL)
    months = [Decimal(re.findall(r">([\d,.]+)</td>", r)[-1].replace(",", "")) for r in rows]
    exact = plan.placement.bill.by("term")["compute"] * 730 / plan.placement.bill.hours
    assert abs(sum(months) - exact) <= Decimal("0.005") * len(months)


def test_every_service_place_and_origin_is_there(plan: Plan, words: str) -> None:
    for service in plan.world.services:
        assert words.count(service.name) >= 4
    for place in plan.placement.bill.by("place"):
        assert place in words
    for origin in plan.world.origins:
        assert f"Users of {origin.name}" in words


def test_demand_is_said_to_be_generated(words: str) -> None:
    assert "Demand is generated by a seeded model" in words
    assert "embedded, as of 2026-01-15" in words
    assert "list prices (2026-01-15)" in words


def test_today_is_told_with_its_gaps(words: str) -> None:
    assert "1 group without a price" in words
    assert "3 × m1.huge for storefront in aws/us-east-1" in words
    assert "today truly costs more than is shown" in words
    assert "1 rule broken today" in words
    assert "customers runs in the United States" in words
    assert "1 service below planned demand today" in words


@pytest.mark.parametrize(
    ("proof", "said", "unsaid"),
    [
        (Proof.OPTIMAL, "no lawful plan is cheaper", "Time limit"),
        (Proof.WITHIN_GAP, "none is more than 0.04 % cheaper than this one", "Time limit"),
        (Proof.TIME_LIMIT, "a lawful plan up to 3.17 % cheaper may exist", "Proven within"),
    ],
)
def test_proof_says_no_more_than_is_known(
    plan_of: Callable[..., Plan], proof: Proof, said: str, unsaid: str
) -> None:
    words = Document(render_plan(plan_of(proof=proof))).words
    assert said in words
    assert unsaid not in words
    assert ("time limit of 60 s was reached" in words) == (proof is Proof.TIME_LIMIT)


def test_a_dearer_plan_is_not_called_a_saving(plan_of: Callable[..., Plan]) -> None:
    words = Document(render_plan(plan_of(dearer=True))).words
    assert "Extra cost" in words
    assert "more than today" in words
    assert "Saving" not in words


def test_without_a_fleet_nothing_is_compared(plan_of: Callable[..., Plan]) -> None:
    words = Document(render_plan(plan_of(fleet=False))).words
    assert "No running fleet is described" in words
    assert "Saving" not in words


def test_empty_tables_are_said_to_be_empty(plan: Plan) -> None:
    placement = plan.placement
    nothing = {table: getattr(placement, table).iloc[:0] for table in
               ("routes", "binding", "exclusions")}  # fmt: skip
    forecast = replace(plan.forecast, choices=())
    bare = replace(plan, forecast=forecast, placement=replace(placement, **nothing))
    words = Document(render_plan(bare)).words
    assert "No rule is met without slack" in words
    assert "Options that rules shut out None." in words
    assert "No record of model choices" in words
    assert "no users directly" in words


def test_thousands_of_exclusions_are_counted_and_capped(plan_of: Callable[..., Plan]) -> None:
    page = render_plan(plan_of(exclusions=3000))
    words = Document(page).words
    assert "3,000 pairs of service and place were ruled out" in words
    assert words.count("more in exclusions.csv") == 3
    assert len(page) < 400_000


def test_many_services_stay_readable(plan_of: Callable[..., Plan]) -> None:
    plan = plan_of(services=150)
    page = render_plan(plan)
    words = Document(page).words
    assert "The 60 dearest services are drawn; 90 more are in the tables below" in words
    assert "110 more" in words  # of the bars by service
    assert all(service.name in words for service in plan.world.services)


def test_pages_of_huge_fleets_stay_small(plan_of: Callable[..., Plan]) -> None:
    few, many = plan_of(services=320), plan_of(services=1200)
    pages = [render_plan(plan) for plan in (few, many)]
    assert len(pages[1]) < 1.25 * len(pages[0])  # four times the services
    words = Document(pages[1]).words
    bill = many.placement.bill
    dearest = sorted(bill.by("service").values(), reverse=True)
    rest = sum(dearest[300:]) * 730 / bill.hours
    assert f"900 more services, in counts.csv and bill.csv {rest:,.2f} Total" in words


def test_long_lists_of_rules_end_in_a_count(plan: Plan) -> None:
    binding = plan.placement.binding
    slack = binding[binding["binding_rows"] == 0].iloc[:1]
    long = pd.concat([binding, *[slack] * 250], ignore_index=True)
    words = Document(
        render_plan(replace(plan, placement=replace(plan.placement, binding=long)))
    ).words
    assert "Rules with room to spare: 251" in words
    assert "51 more in binding.csv" in words


def test_binding_rules_come_with_their_words(plan: Plan, words: str) -> None:
    rule = plan.world.rules[0]
    assert f"{rule.name} {rule.in_words} {rule.why} world.yaml:31 21 of 24" in words
    assert "Rules with room to spare: 1" in words


def test_what_ifs_stand_beside_the_base(plan_of: Callable[..., Plan], plan: Plan) -> None:
    other = plan_of(scale=2.0, proof=Proof.TIME_LIMIT)
    words = Document(what_ifs(plan, other)).words
    base, month = (p.placement.bill.total_usd * 730 / 24 for p in (plan, other))
    assert f"{month:,.2f} USD a month , +{month - base:,.2f} USD" in words
    assert f"+{(month - base) / base * 100:.1f} %" in words
    assert "demand × 3" in words
    assert "time limit of 60 s was reached" in words
    assert "no smaller set of rules clashes" in words
    assert "A smaller set that clashes may exist" in words
    assert "Demand itself cannot be placed" in words
    assert "nothing fits cart" in words
    assert "Time ran out after 60 s before any plan was found" in words
    assert "if one does, it costs at least 24,698 USD a month" in words
    many = tuple(f"cart does not fit place {i}" for i in range(1, 31))
    crowded = Infeasible(plan.world, (), smallest=True, reasons=many)
    words = Document(render_comparison(plan, [("crowded", crowded)])).words
    assert "cart does not fit place 12 18 more are not listed." in words
    hopeless = Unfinished(plan.world, float("-inf"), 60.0)
    words = Document(render_comparison(plan, [("hopeless", hopeless)])).words
    assert "Whether a lawful plan exists is not known." in words
