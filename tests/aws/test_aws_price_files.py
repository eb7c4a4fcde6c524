"""AWS's public price files, for whoever has no credentials, or wants them."""

from __future__ import annotations

import os
from unittest.mock import patch

import pytest
from aws_goods import product, reservation_term, spot_price
from aws_sandbox import PLACES, AwsSandbox, entry

from models.cloud_errors import Denied, NotFound, Unavailable
from models.inventory import CommittedRate, Price
from models.offerings import Purchase
from providers.aws.price_files import FILE_SOURCE
from providers.aws.prices import AnyPrice
from providers.seam import Provider, Scope, Severity

MARKET = Scope("aws", "", PLACES[0])


def asked(aws: AwsSandbox, *regions: str, public: bool = True) -> Provider:
    made = entry(aws.proxy.url, regions or PLACES)
    changed = {"public_prices": public, "prices_endpoint": aws.stand_in.url}
    return aws.provider_of(made.model_copy(update=changed))


def sell(aws: AwsSandbox) -> None:
    terms = (
        reservation_term(1, "876", "0.05"),
        reservation_term(3, "2628", "0", "All Upfront", "convertible"),
    )
    aws.stand_in.sold.products[:] = [
        product("m5.large", PLACES[0], "0.115", terms),
        product("c5.large", PLACES[0], "0.1"),
        product("m5.large", PLACES[0], "0.2", changed={"operatingSystem": "Windows"}),
        product("m5.large", PLACES[0], "0.3", changed={"tenancy": "Dedicated"}),
        product("m5.large", PLACES[0], "0.4", changed={"capacitystatus": "AllocatedHost"}),
        product("m5.large", PLACES[1], "0.09"),
    ]
    aws.stand_in.sold.spot[:] = [spot_price("m5.large", f"{PLACES[0]}a", "0.03")]


def on_demand(rows: list[AnyPrice]) -> dict[str, tuple[float, str]]:
    return {
        row.instance_type: (row.price_usd_per_hour, row.source)
        for row in rows
        if isinstance(row, Price) and row.purchase is Purchase.ON_DEMAND
    }


def test_files_say_what_the_service_says(aws: AwsSandbox) -> None:
    sell(aws)
    from_files = list(asked(aws).price_list.prices(MARKET))
    from_service = list(asked(aws, public=False).price_list.prices(MARKET))
    assert aws.product_calls.count("pricing:GetProducts") == 1
    assert on_demand(from_files) == {
        "m5.large": (0.115, FILE_SOURCE), "c5.large": (0.1, FILE_SOURCE),
    }  # fmt: skip
    told = [
        [(row.product, row.term_years, row.upfront_share, row.price_usd_per_hour)
         for row in rows if isinstance(row, CommittedRate)]
        for rows in (from_files, from_service)
    ]  # fmt: skip
    assert len(told[0]) == 2
    assert told[0] == told[1]
    assert len(from_files) == len(from_service)


def test_prices_without_credentials(aws: AwsSandbox) -> None:
    sell(aws)
    nobody = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    nobody |= {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}
    rows: list[AnyPrice] = []
    with patch.dict(os.environ, nobody, clear=True):
        prices = asked(aws, PLACES[0], "eu-central-7", public=False).price_list
        markets = prices.markets()
        with pytest.raises(Denied, match="NoCredentials"):  # of spot prices and savings plans
            rows.extend(prices.prices(MARKET))
    assert markets.found == (MARKET,)
    (unreached,) = markets.unreached
    assert isinstance(unreached.failure, NotFound)
    assert "did you mean 'eu-central-1'" in unreached.failure.said
    assert on_demand(rows).keys() == {"m5.large", "c5.large"}


def test_credentials_that_do_not_suffice_are_said_to_be(aws: AwsSandbox) -> None:
    sell(aws)
    aws.proxy.rule({"service": "pricing", "error": {"code": "AccessDenied", "status": 403}})
    rows: list[AnyPrice] = []
    with pytest.raises(Denied, match="AccessDenied"):
        rows.extend(asked(aws, public=False).price_list.prices(MARKET))
    assert on_demand(rows) == {}


@pytest.mark.parametrize("kept", [0, 40, 700])
def test_a_file_that_breaks_off_has_no_prices(aws: AwsSandbox, kept: int) -> None:
    sell(aws)
    aws.stand_in.sold.break_at["files"] = kept
    rows: list[AnyPrice] = []
    with pytest.raises(Unavailable):
        rows.extend(asked(aws).price_list.prices(MARKET))
    assert on_demand(rows) == {}
    assert [row for row in rows if isinstance(row, Price)]  # those on spot


def test_files_that_are_not_there(aws: AwsSandbox) -> None:
    made = entry(aws.proxy.url).model_copy(
        update={"public_prices": True, "prices_endpoint": "http://127.0.0.1:9"}
    )
    with pytest.raises(Unavailable):
        list(aws.provider_of(made).price_list.prices(MARKET))


def test_the_doctor_looks_for_files(aws: AwsSandbox) -> None:
    sell(aws)
    (found,) = (one for one in asked(aws).doctor.findings() if one.about == "prices")
    assert (found.severity, found.said) == (Severity.FINE, "files of 2 regions")
    assert "pricing:GetProducts" not in aws.product_calls
