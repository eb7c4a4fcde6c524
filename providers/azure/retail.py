"""Items of Azure's retail price list, taken apart: what each is a price of, and whether to use it.

One list has machines with and without Windows, spot, low priority, dedicated hosts, cloud services
and reservations, told apart by names alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

from models.offerings import Purchase
from providers.pricebook.rows import LEAST_USD, MOST_USD

SOURCE: Final = "azure retail prices"
HOURS_PER_YEAR: Final = 8760

_MACHINE: Final = re.compile(r"(?:Standard|Basic)_[A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*")
_TERMS: Final = {"1 Year": 1, "3 Years": 3}
_OTHER_PRODUCTS: Final = re.compile(r"Windows|Dedicated|Cloud ?Services", re.IGNORECASE)
_OTHER_MACHINES: Final = re.compile(r"Low Priority|Promo|Expired", re.IGNORECASE)
_RESERVED: Final = {1: Purchase.RESERVED_1Y, 3: Purchase.RESERVED_3Y}


class Offer(Enum):
    """How a price is paid."""

    HOURLY = "hourly"
    SPOT = "spot"
    RESERVATION = "reservation"
    SAVINGS_PLAN = "savings_plan"


@dataclass(frozen=True, slots=True)
class Quote:
    """A price of a machine in USD per hour. ``term_years``: 0 without one.

    ``why_not``: why nobody should plan with it, empty when one may.
    """

    instance_type: str
    offer: Offer
    term_years: int
    usd_per_hour: float
    as_of: datetime
    stated: str
    why_not: str = ""

    @property
    def purchase(self) -> Purchase:
        if self.term_years:
            return _RESERVED[self.term_years]
        return Purchase.SPOT if self.offer is Offer.SPOT else Purchase.ON_DEMAND


def quotes(item: Mapping[str, Any], now: datetime) -> Iterator[Quote]:
    """The prices of an item; none when it is not of a Linux machine on shared hardware.

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` when it is no such item at all.
    """
    name = item["armSkuName"] or ""
    if not _is_plain(item, name):
        return
    term_years, offer = 0, Offer.HOURLY
    if item["type"] == "Reservation":
        offer, term_years = Offer.RESERVATION, _TERMS.get(item["reservationTerm"], 0)
        if not term_years:
            return  # five years: nothing here is planned for so long
    elif "spot" in f"{item['skuName']} {item['meterName']}".lower().split():
        offer = Offer.SPOT
    as_of, usd = _time(item["effectiveStartDate"]), float(item["retailPrice"])
    hours = HOURS_PER_YEAR * term_years if offer is Offer.RESERVATION else 1
    why_not = _why_not(item, usd / hours, as_of, now)
    stated = f"{usd:g} {item['currencyCode']} per {item['unitOfMeasure']}"
    if term_years:
        stated += f" for {item['reservationTerm']}"
    yield Quote(name, offer, term_years, usd / hours, as_of, stated, why_not)
    for plan in (item.get("savingsPlan") or ()) if offer is Offer.HOURLY else ():
        years = _TERMS.get(plan["term"], 0)
        if years:
            rate = float(plan["retailPrice"])
            yield Quote(
                name, Offer.SAVINGS_PLAN, years, rate, as_of,
                f"{rate:g} {item['currencyCode']} per {item['unitOfMeasure']} under a savings plan",
                _why_not(item, rate, as_of, now)
                or ("more than without a savings plan" if rate > usd else ""),
            )  # fmt: skip


def _is_plain(item: Mapping[str, Any], name: str) -> bool:
    names = f"{item['skuName']} {item['meterName']} {name.replace('_', ' ')}"
    return (
        item["type"] in {"Consumption", "Reservation"}  # not the lower prices for development
        and item.get("isPrimaryMeterRegion", True) is not False
        and _MACHINE.fullmatch(name) is not None
        and _OTHER_PRODUCTS.search(item["productName"]) is None
        and _OTHER_MACHINES.search(names) is None
    )


def _why_not(item: Mapping[str, Any], usd: float, as_of: datetime, now: datetime) -> str:
    ends = item.get("effectiveEndDate")
    if item["currencyCode"] != "USD":
        return f"in {item['currencyCode']}, not USD"
    if item["unitOfMeasure"] != "1 Hour":
        return f"per {item['unitOfMeasure']}, not per hour"
    if usd == 0:
        return "zero"
    if not math.isfinite(usd) or not LEAST_USD <= usd <= MOST_USD:
        return "not believable"
    if as_of > now:
        return "not in force yet"
    if ends and _time(ends) <= now:
        return "no longer in force"
    return ""


def _time(text: str) -> datetime:
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return read
