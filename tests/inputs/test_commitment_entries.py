"""Commitments as written become what the optimizer covers usage with, or faults with lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from models.commitments import Discount, ResourceCommitment, SpendCommitment
from models.errors import Fault, FaultyInput
from models.places import Cloud, PlaceFilter
from models.world import Catalogue, World
from scenarios.build import build_world
from scenarios.documents import read_world
from scenarios.whatif import apply, read_scenario

PLAN = (
    "{name: plan, kind: spend, cloud: aws, term_years: 3, discount: 0.3, owned_usd_per_hour: 1.5}"
)
IRELAND = "where: {places: [aws/eu-west-1]}"
RESERVED = (
    "{name: m5, kind: resource, cloud: aws, term_years: 1, families: [m5], "
    f"{IRELAND}, usd_per_vcpu_hour: 0.03, at_most_vcpus: 64}}"
)
BELGIUM = (
    "{name: n2, kind: resource, cloud: gcp, term_years: 1, families: [n2], "
    "where: {places: [gcp/europe-west1]}, usd_per_vcpu_hour: 0.03, memory_gib_per_vcpu: 4, "
    "owned_vcpus: 8}"
)


def _with(*entries: str) -> dict[str, str]:
    lines = "".join(f"  - {entry}  # HERE\n" for entry in entries)
    return {"fleet:\n": f"commitments:\n{lines}fleet:\n"}


Build = Callable[..., World]


@pytest.fixture
def build(write: Callable[..., Path], catalogue: Catalogue) -> Build:
    def built(*entries: str, of: Catalogue = catalogue) -> World:
        return build_world(read_world(write(_with(*entries))), of)

    return built


def test_spend(build: Build) -> None:
    table = (
        "{name: table, kind: spend, cloud: aws, term_years: 1, why: offer, "
        "at_most_usd_per_hour: 9, discounts: [{families: [m5], where: {countries: [IE]}, "
        "discount: 0.4}, {discount: 0.1}]}"
    )
    simple, tabled = build(PLAN, table).commitments
    assert simple == SpendCommitment(
        name="plan", cloud=Cloud.AWS, term_years=3, owned=1.5, discounts=(Discount(0.3),),
        at=simple.at,
    )  # fmt: skip
    assert simple.at.line > 0
    ireland = PlaceFilter(countries=frozenset({"IE"}))
    assert tabled == SpendCommitment(
        name="table", cloud=Cloud.AWS, term_years=1, at_most=9, why="offer", at=tabled.at,
        discounts=(Discount(0.4, ireland, ("m5",)), Discount(0.1)),
    )  # fmt: skip


def test_resources(build: Build) -> None:
    reserved, committed = build(RESERVED, BELGIUM).commitments
    assert reserved == ResourceCommitment(
        name="m5", cloud=Cloud.AWS, term_years=1, families=("m5",), at_most=64, at=reserved.at,
        where=PlaceFilter(places=frozenset({"aws/eu-west-1"})), usd_per_vcpu_hour=0.03,
    )  # fmt: skip
    assert isinstance(committed, ResourceCommitment)
    assert (committed.owned, committed.memory_gib_per_vcpu) == (8, 4)


def test_what_is_owned_ends(build: Build) -> None:
    (held,) = build(PLAN.replace("owned", "expires: 2026-03-02, owned")).commitments
    assert held.expires == date(2026, 3, 2)


def test_prices_of_reserved_offerings_come_from_the_book(
    build: Build, catalogue: Catalogue
) -> None:
    book = catalogue.book
    mine = book.offerings[book.offerings["instance_type"] == "m5.xlarge"].iloc[:2]
    reserved = mine.assign(purchase=["reserved_1y", "reserved_3y"], price_usd_per_hour=[0.14, 0.1])
    priced = replace(book, offerings=pd.concat([book.offerings, reserved], ignore_index=True))
    entry = RESERVED.replace("usd_per_vcpu_hour: 0.03, ", "")
    for years, usd in ((1, 0.035), (3, 0.025)):
        of = replace(catalogue, book=priced)
        (found,) = build(entry.replace("years: 1", f"years: {years}"), of=of).commitments
        assert isinstance(found, ResourceCommitment)
        assert found.usd_per_vcpu_hour == pytest.approx(usd)


@pytest.mark.parametrize(
    ("entry", "message", "suggestion"),
    [
        (PLAN.replace("0.3", "30%"), "must be a number, not '30%'", "write 0.3"),
        (PLAN.replace("0.3", "1.0"), "must be less than 1", ""),
        (PLAN.replace("term_years: 3", "term_years: 2"), "term_years cannot be 2", "known: 1, 3"),
        (PLAN.replace("cloud: aws", "cloud: ibm"), "cloud cannot be 'ibm'", "aws"),
        (PLAN.replace("discount: 0.3, ", ""), "has one discount, or a table", "either 'discount'"),
        (PLAN.replace("owned_usd_per_hour: 1.5", "families: [m5]"), "nothing of 'plan' is owned",
         "give 'owned_usd_per_hour' or 'at_most_usd_per_hour'"),
        (PLAN.replace("owned_usd", "families: [m6], owned_usd"), "unknown family 'm6'", "m6g"),
        (PLAN.replace("owned_usd", "where: {clouds: [gcp]}, owned_usd"),
         "'plan' covers nothing that the price book sells on demand", "any family in Google Cloud"),
        (PLAN.replace("owned_usd", "expires: 31.3.2027, owned_usd"), "must be a day",
         "write year-month-day, such as 2027-03-31"),
        (PLAN.replace("owned_usd", "expires: 2027-02-30, owned_usd"), "there is no day 2027-02-30",
         ""),
        (PLAN.replace("owned_usd", "expires: 2026-03-01, owned_usd"),
         "'plan' has expired when the plan starts (2026-03-01)", "remove it"),
        (PLAN.replace("owned_usd", "expires: 2027-03-01, at_most_usd"), "nothing of it is owned",
         "remove 'expires'"),
        (PLAN.replace("kind: spend", "kind: spent"), "unknown kind 'spent'",
         "did you mean 'spend'"),
        (PLAN.replace("owned_usd_per_hour", "owned_vcpus"), "unknown key", ""),
        (RESERVED.replace(f"{IRELAND}, ", ""), "where is missing", "The region that it covers"),
        (RESERVED.replace(IRELAND, "where: {clouds: [aws]}"), "covers one region, not 2",
         "write an entry for each region"),
        (RESERVED.replace(IRELAND, "where: {places: [aws/eu-west-9]}"), "'aws/eu-west-9'",
         "did you mean 'aws/eu-west-1'"),
        (RESERVED.replace("[m5]", "[t3]"), "'m5' covers nothing", "t3 in aws/eu-west-1"),
        (RESERVED.replace("usd_per_vcpu_hour: 0.03, ", ""), "'m5' has no price",
         "give 'usd_per_vcpu_hour'"),
        (RESERVED.replace("at_most", "memory_gib_per_vcpu: 4, at_most"),
         "AWS reserves whole instances", "remove 'memory_gib_per_vcpu'"),
        (BELGIUM.replace("memory_gib_per_vcpu: 4, ", ""), "does not say how much memory",
         "give 'memory_gib_per_vcpu'"),
    ],
)  # fmt: skip
def test_faults(
    faults_of: Callable[..., list[Fault]],
    write: Callable[..., Path],
    entry: str,
    message: str,
    suggestion: str,
) -> None:
    replaced = _with(entry)
    found = faults_of(replaced)
    line = write(replaced).read_text(encoding="utf-8").split("# HERE")[0].count("\n") + 1
    fitting = [f for f in found if message in f.message and suggestion in f.suggestion]
    assert fitting, found
    assert fitting[0].at.line == line


def test_names_stand_once(faults_of: Callable[..., list[Fault]]) -> None:
    (fault,) = faults_of(_with(PLAN, PLAN))
    assert fault.message.startswith("the commitment 'plan' stands twice (first: ")


@pytest.fixture
def changed(
    tmp_path: Path, build: Build, catalogue: Catalogue
) -> Callable[[str], tuple[World, tuple[str, ...]]]:
    def under(changes: str) -> tuple[World, tuple[str, ...]]:
        path = tmp_path / "what-if.yaml"
        path.write_text(f"trimtab: 1\nscenario: deal\nchanges:\n  - {changes}\n", encoding="utf-8")
        scenario = read_scenario(path)
        return apply(scenario, build(PLAN), catalogue), scenario.in_words

    return under


def test_what_ifs_add_and_drop(
    changed: Callable[[str], tuple[World, tuple[str, ...]]],
) -> None:
    world, words = changed(f"add_commitments: [{RESERVED}]\n  - drop_commitments: [plan]")
    assert [commitment.name for commitment in world.commitments] == ["m5"]
    assert words == ("commitments added: m5", "commitments dropped: plan")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (f"add_commitments: [{PLAN}]", "the commitment 'plan' stands twice"),
        ("drop_commitments: [plane]", "unknown commitment 'plane'"),
        ("add_commitments: []", "add_commitments is empty"),
    ],
)
def test_faults_of_what_ifs(
    changed: Callable[[str], tuple[World, tuple[str, ...]]], change: str, message: str
) -> None:
    with pytest.raises(FaultyInput) as raised:
        changed(change)
    (fault,) = raised.value.faults
    assert message in fault.message
    assert fault.at.line == 4
