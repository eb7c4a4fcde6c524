"""What AWS's prices are taken to be, and which are not taken."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from aws_goods import product, rate, reservation_term, spot_price
from aws_sandbox import AwsSandbox
from aws_sold import now

from models.cloud_errors import Unavailable
from models.inventory import CommittedRate, Price, RejectedPrice
from models.offerings import Purchase
from providers.aws.prices import AnyPrice
from providers.seam import Scope

REGION = "eu-central-1"
MARKET = Scope("aws", "", REGION)


def prices(aws: AwsSandbox) -> list[AnyPrice]:
    return list(aws.provider.price_list.prices(MARKET))


def on_demand(rows: list[AnyPrice]) -> dict[str, float]:
    return {
        row.instance_type: row.price_usd_per_hour
        for row in rows
        if isinstance(row, Price) and row.purchase is Purchase.ON_DEMAND
    }


def rejected(rows: list[AnyPrice]) -> dict[str, str]:
    return {row.instance_type: row.reason for row in rows if isinstance(row, RejectedPrice)}


def sell(aws: AwsSandbox, *products: dict[str, object]) -> None:
    aws.stand_in.sold.products[:] = list(products)
    aws.stand_in.sold.spot.clear()


def test_a_price_says_when_and_where_from(aws: AwsSandbox) -> None:
    published = now() - timedelta(days=20)
    sell(aws, product("m5.large", REGION, "0.1150000000", published=published))
    (row,) = prices(aws)
    assert row == Price(
        "aws/eu-central-1", "m5.large", Purchase.ON_DEMAND, "", 0.115, published, "AWS Price List"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"operatingSystem": "Windows"},
        {"operatingSystem": "RHEL"},
        {"tenancy": "Dedicated"},
        {"tenancy": "Host"},
        {"preInstalledSw": "SQL Std"},
        {"capacitystatus": "UnusedCapacityReservation"},
        {"marketoption": "CapacityBlock"},
        {"licenseModel": "Bring your own license"},
        {"operation": "RunInstances:0002"},
        {"regionCode": "us-east-1"},
    ],
)
def test_other_kinds_are_left_out(aws: AwsSandbox, changed: dict[str, str]) -> None:
    sell(
        aws,
        product("m5.large", REGION, "0.115"),
        product("m5.large", REGION, "9.9", changed=changed),
    )
    rows = prices(aws)
    assert on_demand(rows) == {"m5.large": 0.115}
    assert rejected(rows) == {}


def test_other_kinds_are_left_out_even_when_filters_are_not_heeded(aws: AwsSandbox) -> None:
    windows = product("m5.large", REGION, "0.2", changed={"operatingSystem": "Windows"})
    sell(aws, {"garbled": json.dumps(windows)})
    assert prices(aws) == []


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        (product("m5.large", REGION, "0.0000000000"), "zero"),
        (product("m5.large", REGION, "250000"), "absurd"),
        (product("m5.large", REGION, "-1"), "absurd"),
        (product("m5.large", REGION, "NaN"), "absurd"),
        (product("m5.large", REGION, "0.1", currency="CNY"), "in CNY, not USD"),
        (product("m5.large", REGION, "80", unit="Quantity"), "per Quantity"),
        (product("m5.large", REGION, "0.1", published=now() - timedelta(days=500)), "stale"),
    ],
)
def test_unusable_prices_are_rejected(
    aws: AwsSandbox, stated: dict[str, object], reason: str
) -> None:
    sell(aws, stated)
    rows = prices(aws)
    assert on_demand(rows) == {}
    assert rejected(rows)["m5.large"].startswith(reason)


def test_prices_that_conflict_are_all_rejected(aws: AwsSandbox) -> None:
    sell(aws, *(product("m5.large", REGION, usd) for usd in ("0.115", "0.116", "0.115")),
         product("c5.large", REGION, "0.1"), product("c5.large", REGION, "0.100"))  # fmt: skip
    rows = prices(aws)
    assert on_demand(rows) == {"c5.large": 0.1}
    assert rejected(rows)["m5.large"].startswith("conflicting")
    assert sum(isinstance(row, RejectedPrice) for row in rows) == 3


def test_what_is_paid_upfront_is_spread_over_the_term(aws: AwsSandbox) -> None:
    terms = (
        reservation_term(1, "876", "0.05"),
        reservation_term(3, "2628", "0", "All Upfront", "convertible"),
        reservation_term(1, "0", "0"),
    )
    sell(aws, product("m5.large", REGION, "0.2", terms))
    rows = prices(aws)
    one, three = (row for row in rows if isinstance(row, CommittedRate))
    assert (one.term_years, one.product) == (1, "standard reserved instances")
    assert one.price_usd_per_hour == pytest.approx(0.15)
    assert one.upfront_share == pytest.approx(2 / 3)
    assert (three.term_years, three.product) == (3, "convertible reserved instances")
    assert three.price_usd_per_hour == pytest.approx(0.1)
    assert three.upfront_share == 1.0
    assert rejected(rows) == {"m5.large": "zero"}
    (zero,) = (row for row in rows if isinstance(row, RejectedPrice))
    assert zero.purchase is Purchase.RESERVED_1Y


@pytest.mark.parametrize(
    ("changed", "purchase", "reason"),
    [
        ({"LeaseContractLength": "5yr"}, Purchase.RESERVED_1Y, "of an unknown kind: standard, 5yr"),
        ({"OfferingClass": "odd", "LeaseContractLength": "3yr"}, Purchase.RESERVED_3Y,
         "of an unknown kind: odd, 3yr"),
        ({"unit": "Month"}, Purchase.RESERVED_3Y, "in USD per Month"),
        ({"currency": "CNY"}, Purchase.RESERVED_3Y, "in CNY per Hrs"),
    ],
)  # fmt: skip
def test_reservations_of_odd_kinds_leave_the_others(
    aws: AwsSandbox, changed: dict[str, str], purchase: Purchase, reason: str
) -> None:
    odd = reservation_term(3, "876", "0.05")
    odd["termAttributes"] |= {k: v for k, v in changed.items() if k in odd["termAttributes"]}
    hourly = odd["priceDimensions"]["h"]
    hourly["unit"] = changed.get("unit", "Hrs")
    hourly["pricePerUnit"] = {changed.get("currency", "USD"): "0.05"}
    sell(aws, product("m5.large", REGION, "0.2", (odd, reservation_term(1, "876", "0.05"))),
         product("c5.large", REGION, "0.1"))  # fmt: skip
    rows = prices(aws)
    assert on_demand(rows) == {"m5.large": 0.2, "c5.large": 0.1}
    (bad,) = (row for row in rows if isinstance(row, RejectedPrice))
    assert bad.purchase is purchase
    assert bad.reason.startswith(reason)
    assert [row.term_years for row in rows if isinstance(row, CommittedRate)] == [1]


def test_the_latest_spot_price_of_each_zone(aws: AwsSandbox) -> None:
    sell(aws, product("m5.large", REGION, "0.115"))
    hour = timedelta(hours=1)
    aws.stand_in.sold.spot += [
        spot_price("m5.large", f"{REGION}a", "0.05", now() - 3 * hour),
        spot_price("m5.large", f"{REGION}a", "0.06", now() - hour),
        spot_price("m5.large", f"{REGION}b", "0.04", now() - 2 * hour),
        spot_price("m5.large", f"{REGION}c", "0.01", now(), "Windows"),
        spot_price("m5.large", "us-east-1a", "0.01"),
    ]
    found = {
        row.zone: (row.price_usd_per_hour, row.as_of)
        for row in prices(aws)
        if isinstance(row, Price) and row.purchase is Purchase.SPOT
    }
    assert found.keys() == {f"{REGION}a", f"{REGION}b"}
    assert found[f"{REGION}a"][0] == 0.06
    assert found[f"{REGION}b"][0] == 0.04
    assert now() - found[f"{REGION}a"][1] == pytest.approx(hour, abs=timedelta(minutes=1))


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ([("0", 0)], "zero"),
        ([("0.05", 40 * 24)], "stale"),
        ([("1.5", 1)], "absurd: more than 10 times"),
        ([("0.05", 1), ("0.06", 1)], "conflicting"),
    ],
)
def test_unusable_spot_prices(aws: AwsSandbox, history: list[tuple[str, int]], reason: str) -> None:
    sell(aws, product("m5.large", REGION, "0.115"))
    at = now()
    aws.stand_in.sold.spot += [
        spot_price("m5.large", f"{REGION}a", usd, at - timedelta(hours=hours))
        for usd, hours in history
    ]
    rows = prices(aws)
    assert rejected(rows)["m5.large"].startswith(reason)
    assert not [r for r in rows if isinstance(r, Price) and r.purchase is Purchase.SPOT]


def test_rates_of_savings_plans(aws: AwsSandbox) -> None:
    sell(aws)
    aws.stand_in.sold.rates += [
        rate("m5.large", REGION, "0.08"),
        rate("m5.large", REGION, "0.06", planType="EC2Instance", durationSeconds=94_608_000,
             paymentOption="All Upfront"),
        rate("m5.xlarge", REGION, "0"),
        rate("c5.large", REGION, "0.1", paymentOption="Later"),
        rate("m5.large", REGION, "0.5", usageType="DedicatedUsage:m5.large"),
        rate("m5.large", REGION, "0.5", usageType="UnusedBox:m5.large"),
        rate("m5.large", REGION, "0.5", operation="RunInstances:0002"),
        rate("m5.large", REGION, "0.5", productDescription="Windows"),
        rate("m5.large", REGION, "0.5", tenancy="dedicated"),
        rate("m5.large", "us-east-1", "0.5"),
    ]  # fmt: skip
    rows = prices(aws)
    found = [row for row in rows if isinstance(row, CommittedRate)]
    assert [(r.product, r.term_years, r.upfront_share, r.price_usd_per_hour) for r in found] == [
        ("compute savings plan", 1, 0.0, 0.08),
        ("ec2 savings plan", 3, 1.0, 0.06),
    ]
    assert rejected(rows) == {"m5.xlarge": "zero", "c5.large": "of an unknown kind: Later, 1 years"}
    assert {row.purchase for row in rows if isinstance(row, RejectedPrice)} == {
        Purchase.RESERVED_1Y
    }


def test_a_page_of_prices_that_fails_loses_none_before_it(aws: AwsSandbox) -> None:
    sell(aws, *(product(f"m5.{n}xlarge", REGION, f"0.{n}") for n in range(1, 8)))
    aws.stand_in.sold.page = 3
    aws.stand_in.sold.break_at["GetProducts"] = 1
    rows: list[AnyPrice] = []
    walk = aws.provider.price_list.prices(MARKET)
    with pytest.raises(Unavailable):
        rows.extend(walk)
    assert on_demand(rows) == {f"m5.{n}xlarge": n / 10 for n in range(1, 4)}


@pytest.mark.parametrize("document", ["{", "[]", "null", '{"product": {}}', '{"product": 7}'])
def test_garbled_documents_are_no_prices(aws: AwsSandbox, document: str) -> None:
    sell(aws, {"garbled": document})
    with pytest.raises(Unavailable):
        prices(aws)
