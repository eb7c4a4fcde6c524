"""The retail price list: variants told apart, terms divided, unsound prices rejected."""

from __future__ import annotations

from typing import Any

import pytest
from azure_sandbox import AzureSandbox, until_broken
from azure_server import Answer, Call
from azure_state import retail

from models.cloud_errors import Unavailable
from models.commitments import CommitmentKind
from models.inventory import CommittedRate, Price, RejectedPrice
from models.offerings import Purchase
from providers.seam import Scope

MARKET = Scope("azure", "", "westeurope")
D2 = "Standard_D2s_v5"


def _rows(box: AzureSandbox, *items: dict[str, Any]) -> list[Price | RejectedPrice | CommittedRate]:
    box.stand.cloud.retail = list(items)
    return list(box.provider.price_list.prices(MARKET))


def test_what_is_no_shared_linux_machine_is_left_out(box: AzureSandbox) -> None:
    rows = _rows(
        box,
        retail(D2, 0.096),
        retail(D2, 0.188, productName="Virtual Machines Dsv5 Series Windows"),
        retail(D2, 0.019, skuName="D2s v5 Low Priority", meterName="D2s v5 Low Priority"),
        retail(D2, 0.096, productName="Dsv5 Series CloudServices"),
        retail(D2, 0.08, type="DevTestConsumption"),
        retail(D2, 0.097, isPrimaryMeterRegion=False),
        retail("Standard_D2_v2_Promo", 0.05),
        retail("DSv3-Type1", 4.4, productName="Virtual Machines Dedicated Host"),
        retail("", 0.3),
        retail(D2, 0.011, region="northeurope"),
    )
    (price,) = rows
    assert isinstance(price, Price)
    assert (price.instance_type, price.purchase, price.price_usd_per_hour) == (
        D2, Purchase.ON_DEMAND, 0.096,
    )  # fmt: skip
    assert price.as_of.isoformat() == "2024-03-01T00:00:00+00:00"


@pytest.mark.parametrize("field", ["skuName", "meterName"])
def test_spot_is_told_by_name(box: AzureSandbox, field: str) -> None:
    (price,) = _rows(box, retail(D2, 0.019, **{field: "D2s v5 Spot"}))
    assert isinstance(price, Price)
    assert price.purchase is Purchase.SPOT


@pytest.mark.parametrize(("term", "years"), [("1 Year", 1), ("3 Years", 3)])
def test_reservations_are_divided_by_their_term(box: AzureSandbox, term: str, years: int) -> None:
    (rate,) = _rows(box, retail(D2, 876.0, type="Reservation", reservationTerm=term))
    assert isinstance(rate, CommittedRate)
    assert (rate.kind, rate.term_years) == (CommitmentKind.RESOURCE, years)
    assert rate.price_usd_per_hour == pytest.approx(0.1 / years)


def test_reservations_of_five_years_are_left_out(box: AzureSandbox) -> None:
    assert _rows(box, retail(D2, 876.0, type="Reservation", reservationTerm="5 Years")) == []


def test_savings_plans_nest_in_hourly_prices(box: AzureSandbox) -> None:
    plans = [{"unitPrice": 0.066, "retailPrice": 0.066, "term": "1 Year"},
             {"unitPrice": 0.05, "retailPrice": 0.05, "term": "3 Years"}]  # fmt: skip
    rows = _rows(box, retail(D2, 0.096, savingsPlan=plans))
    rates = {one.term_years: one for one in rows if isinstance(one, CommittedRate)}
    assert {years: rate.price_usd_per_hour for years, rate in rates.items()} == {1: 0.066, 3: 0.05}
    assert {rate.kind for rate in rates.values()} == {CommitmentKind.SPEND}


@pytest.mark.parametrize(
    ("usd", "other", "reason"),
    [
        (0.0, {}, "zero"),
        (1e-9, {}, "not believable"),
        (1e9, {}, "not believable"),
        (-1.0, {}, "not believable"),
        (0.096, {"currencyCode": "EUR"}, "in EUR, not USD"),
        (0.096, {"unitOfMeasure": "1 Month"}, "per 1 Month, not per hour"),
        (0.096, {"effectiveStartDate": "2999-01-01T00:00:00Z"}, "not in force yet"),
        (0.096, {"effectiveEndDate": "2025-01-01T00:00:00Z"}, "no longer in force"),
    ],
)
def test_unsound_prices_are_rejected(
    box: AzureSandbox, usd: float, other: dict[str, Any], reason: str
) -> None:
    (row,) = _rows(box, retail(D2, usd, **other))
    assert isinstance(row, RejectedPrice)
    assert (row.instance_type, row.purchase, row.reason) == (D2, Purchase.ON_DEMAND, reason)


def test_a_savings_plan_that_saves_nothing_is_rejected(box: AzureSandbox) -> None:
    plan = [{"unitPrice": 0.1, "retailPrice": 0.1, "term": "1 Year"}]
    _, row = sorted(_rows(box, retail(D2, 0.096, savingsPlan=plan)), key=lambda one: str(type(one)))
    assert isinstance(row, RejectedPrice)
    assert (row.purchase, row.reason) == (Purchase.RESERVED_1Y, "more than without a savings plan")


def test_prices_that_contradict_each_other_are_rejected(box: AzureSandbox) -> None:
    rows = _rows(box, retail(D2, 0.096), retail(D2, 0.097))
    reasons = [row.reason for row in rows if isinstance(row, RejectedPrice)]
    assert reasons == ["stated differently at once: 0.096, 0.097"] * 2
    assert len(rows) == 2


def test_the_latest_price_holds_and_the_same_price_twice_is_one(box: AzureSandbox) -> None:
    rows = _rows(
        box, retail(D2, 0.12), retail(D2, 0.096, effectiveStartDate="2025-01-01T00:00:00Z"),
        retail(D2, 0.096, effectiveStartDate="2025-01-01T00:00:00Z"),
    )  # fmt: skip
    (held,) = (row for row in rows if isinstance(row, Price))
    (gone,) = (row for row in rows if isinstance(row, RejectedPrice))
    assert held.price_usd_per_hour == 0.096
    assert gone.reason == "another price came into force later"


def test_pages_are_followed_at_our_own_address(box: AzureSandbox) -> None:
    items = [retail(f"Standard_D{i}s_v5", 0.01 * i) for i in range(1, 121)]
    assert len(_rows(box, *items)) == 120  # the links name a host that does not exist
    asked = box.stand.asked("retailPrices")
    assert [call.parameters.get("skip") for call in asked] == [None, "50", "100"]
    assert {call.parameters["meterRegion"] for call in asked} == {"'primary'"}


def test_prices_before_a_broken_page_are_kept(box: AzureSandbox) -> None:
    box.stand.cloud.retail = [retail(f"Standard_D{i}s_v5", 0.01 * i) for i in range(1, 121)]

    def breaks(call: Call) -> Answer | None:
        return Answer(raw=b'{"Items": [{') if call.parameters.get("skip") == "100" else None

    box.stand.faults.append(breaks)
    rows, error = until_broken(box.provider.price_list.prices(MARKET))
    assert isinstance(error, Unavailable)
    assert len(rows) == 100


def test_an_item_that_is_none_says_so(box: AzureSandbox) -> None:
    with pytest.raises(Unavailable, match="armSkuName"):
        _rows(box, {"retailPrice": 1})
