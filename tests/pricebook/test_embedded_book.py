"""The book that ships: known prices and shapes, and what holds of every row."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from models.offerings import BOOK_COLUMNS, UNPRICED_COLUMNS, Architecture, PriceBook, Purchase
from models.places import Region
from providers.pricebook import azure_section, gcp_section
from providers.pricebook.embedded import load_embedded_book
from providers.pricebook.rows import NAME

KEY = ["cloud", "region", "instance_type", "purchase"]


def only(book: PriceBook, place: str, instance_type: str, purchase: str = "on_demand") -> pd.Series:
    cloud, _, region = place.partition("/")
    rows = book.offerings
    found = rows[
        (rows["cloud"] == cloud)
        & (rows["region"] == region)
        & (rows["instance_type"] == instance_type)
        & (rows["purchase"] == purchase)
    ]
    assert len(found) == 1
    return found.iloc[0]


@pytest.mark.parametrize(
    ("place", "instance_type", "purchase", "price"),
    [
        ("aws/us-east-1", "m5.large", "on_demand", 0.096),
        ("aws/us-east-1", "c6g.xlarge", "on_demand", 0.136),  # 0.1442 in the source: dedicated
        ("aws/eu-west-1", "m5.large", "on_demand", 0.107),  # 0.114 in the source: dedicated
        ("aws/us-east-1", "m5.16xlarge", "on_demand", 3.072),
        ("aws/us-east-1", "t3.micro", "on_demand", 0.0104),
        ("azure/westeurope", "Standard_D16s_v3", "on_demand", 0.96),
        ("gcp/us-central1", "n1-standard-1", "on_demand", 0.0474988),
        ("gcp/us-central1", "e2-micro", "on_demand", 0.00837643),
        ("gcp/us-central1", "f1-micro", "spot", 0.0035),
        ("gcp/us-central1", "c2-standard-4", "reserved_3y", 4 * 0.013593 + 16 * 0.001822),
    ],
)
def test_known_prices(
    book: PriceBook, place: str, instance_type: str, purchase: str, price: float
) -> None:
    found = only(book, place, instance_type, purchase)["price_usd_per_hour"]
    assert found == pytest.approx(price, abs=5e-5, rel=1e-6)


@pytest.mark.parametrize(
    ("place", "instance_type", "facts"),
    [
        ("aws/us-east-1", "m5.metal", {"vcpus": 96, "memory_gib": 384}),
        ("aws/us-east-1", "r7iz.metal-16xl", {"vcpus": 64, "memory_gib": 512}),
        ("aws/us-east-1", "g4dn.xlarge", {"gpus": 1, "gpu_model": "T4", "family": "g4dn"}),
        ("aws/us-east-1", "m6g.large", {"architecture": "arm64", "burstable": False}),
        ("aws/us-east-1", "t3.large", {"burstable": True, "baseline_vcpus": 0.6}),
        ("azure/westeurope", "Standard_E64s_v3", {"memory_gib": 432, "family": "Esv3"}),
        ("azure/westeurope", "Standard_DS11_v2", {"vcpus": 2, "memory_gib": 14}),
        ("azure/westeurope", "Standard_A4m_v2", {"vcpus": 4, "memory_gib": 32}),
        ("azure/westeurope", "Standard_NC12s_v3", {"gpus": 2, "gpu_model": "V100"}),
        ("azure/westeurope", "Standard_B2s", {"burstable": True, "baseline_vcpus": 0.4}),
        ("azure/westeurope", "Basic_A2", {"vcpus": 2, "memory_gib": 3.5}),
        ("gcp/us-central1", "n1-highmem-8", {"vcpus": 8, "memory_gib": 52}),
        ("gcp/us-central1", "e2-medium", {"vcpus": 2, "baseline_vcpus": 1.0, "burstable": True}),
    ],
)
def test_known_shapes(
    book: PriceBook, place: str, instance_type: str, facts: dict[str, object]
) -> None:
    row = only(book, place, instance_type)
    assert {name: row[name] for name in facts} == facts


def test_rows_are_complete_unique_sorted_and_priced(book: PriceBook) -> None:
    rows = book.offerings
    assert list(rows.columns) == list(BOOK_COLUMNS)
    assert list(book.unpriced.columns) == list(UNPRICED_COLUMNS)
    assert not rows.duplicated(KEY).any()
    assert not pd.concat([rows[KEY], book.unpriced[KEY]]).duplicated().any()
    assert rows[KEY].equals(rows[KEY].sort_values(KEY, ignore_index=True))
    assert (rows[["price_usd_per_hour", "vcpus", "memory_gib"]] > 0).all(axis=None)
    assert set(rows["purchase"]) <= {purchase.value for purchase in Purchase}
    assert set(rows["architecture"]) == {architecture.value for architecture in Architecture}
    assert rows.loc[~rows["burstable"], "baseline_vcpus"].equals(
        rows.loc[~rows["burstable"], "vcpus"]
    )
    assert ((rows["gpus"] > 0) == (rows["gpu_model"] != "")).all()
    assert rows["instance_type"].map(lambda name: NAME.fullmatch(name) is not None).all()
    assert rows["price_date"].str.fullmatch(r"20\d\d-\d\d-\d\d").all()


def test_the_book_is_large_enough_to_plan_with(book: PriceBook) -> None:
    assert len(book) >= 20_000
    assert len(book.places) >= 75
    assert {place.partition("/")[0] for place in book.places} == {"aws", "azure", "gcp"}


def test_notes_account_for_every_row_of_the_source(book: PriceBook) -> None:
    read = sum(count for note, count in book.notes.items() if note.endswith("_read"))
    gone = sum(
        count
        for note, count in book.notes.items()
        if "rejected" in note and "tenancy" not in note  # tenancy rejections are unpriced rows
    )
    assert read == len(book.offerings) + len(book.unpriced) + gone
    assert book.notes["aws_dedicated_tenancy_corrected"] > 1000


def test_zero_prices_are_unpriced_with_a_reason(book: PriceBook) -> None:
    unpriced = book.unpriced
    assert len(unpriced) > 2000
    assert (unpriced["reason"] != "").all()
    found = unpriced[
        (unpriced["region"] == "us-east-1") & (unpriced["instance_type"] == "m5.xlarge")
    ]
    assert len(found) == 1


def test_only_given_regions_are_priced_and_others_are_named(regions: dict[str, Region]) -> None:
    few = {place: regions[place] for place in ("aws/eu-west-1", "gcp/us-west4")}
    book = load_embedded_book(few)
    assert book.places == ("aws/eu-west-1", "gcp/us-west4")
    assert book.notes["rejected_unknown_region azure/eastus"] > 100
    assert book.notes["rejected_government_region"] > 1000


@pytest.mark.parametrize(
    ("key", "name", "purchase"),
    [
        ("standardd16sv3", "Standard_D16s_v3", "on_demand"),
        ("lowprioritync4ast4v3", "Standard_NC4as_T4_v3", "spot"),
        ("standardd11s", "Standard_DS11", "on_demand"),
        ("standarddc8sv2", "Standard_DC8_v2", "on_demand"),
        ("standardm416msv2", "Standard_M416ms_v2", "on_demand"),
        ("basica0", "Basic_A0", "on_demand"),
    ],
)
def test_azure_names_are_the_clouds_own(key: str, name: str, purchase: str) -> None:
    frame, shapes, rejected = azure_section.quotes({key: {"westeurope": 1.0}})
    assert list(frame["instance_type"]) == [name]
    assert list(frame["purchase"]) == [purchase]
    assert list(shapes) == [name]
    assert not rejected


@pytest.mark.parametrize("key", ["standardh16promo", "standardq9sv9", "=cmd()", "<b>"])
def test_azure_keys_that_nobody_can_size_are_rejected(key: str) -> None:
    frame, _, rejected = azure_section.quotes({key: {"westeurope": 1.0, "eastus": 2.0}})
    assert frame.empty
    assert rejected.total() == 2


def test_google_types_with_a_missing_part_have_no_price() -> None:
    def part(price: float) -> dict[str, dict[str, dict[str, float]]]:
        return {"on_demand": {"us-west4": {"price": price}}}

    section: dict[str, dict[str, object]] = {
        shape.family: {"cpu": {}, "ram": {}} for shape in gcp_section.SHAPES.values()
    }
    section["c2"] = {"cpu": part(0.03), "ram": part(0.0)}
    frame = gcp_section.quotes(section)
    assert set(frame["instance_type"]) == {f"c2-standard-{n}" for n in (4, 8, 16, 30, 60)}
    assert (frame["price_usd_per_hour"] == 0).all()


def test_names_carry_nothing_but_names() -> None:
    for name in ("=1+1", "<script>", "a b", "a\nb", "", "-x", "a" * 65, "é"):
        assert re.fullmatch(NAME, name) is None
