"""What a document of AWS's price list says: one product and its terms.

Only instances as they are planned with: Linux without extra software or licences, shared tenancy,
no capacity reservation, no dedicated host. Everything else is told apart here and left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Final

from models.commitments import CommitmentKind
from models.inventory import CommittedRate
from models.offerings import Purchase
from providers.aws.commitments import RESERVED_PRODUCTS
from providers.pricebook.rows import LEAST_USD, MOST_USD

SOURCE: Final = "AWS Price List"
HOURS_PER_YEAR: Final = 8760
WANTED: Final = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}
"""Attributes of a product that is a plain instance; the price list is asked for these alone."""
_NO_LICENCE: Final = ("No License required", "NA")
_FAMILIES: Final = ("Compute Instance", "Compute Instance (bare metal)")
_TERM_YEARS: Final = {"1yr": 1, "3yr": 3}
RESERVED: Final = {1: Purchase.RESERVED_1Y, 3: Purchase.RESERVED_3Y}
"""What is bought with a commitment of so many years."""
CURRENCY: Final = "USD"


@dataclass(frozen=True, slots=True)
class Quote:
    """A price as stated. ``reason``: why nobody should plan with it, empty when they may."""

    instance_type: str
    stated: str
    usd_per_hour: float
    as_of: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """A plain instance type in a region: its on-demand quotes and what reservations cost.

    ``faulty_terms``: reservations that nobody should plan with.
    """

    instance_type: str
    quotes: tuple[Quote, ...]
    reserved: tuple[CommittedRate, ...]
    source: str
    faulty_terms: tuple[tuple[Purchase, Quote], ...] = ()


def product_of(text: str, place: str, source: str = SOURCE) -> Product | None:
    """The product that a document is about; None when it is no plain instance of ``place``.

    Raises ``ValueError`` or ``KeyError`` when it is garbled.
    """
    return product_from(json.loads(text), place, source)


def product_from(document: Mapping[str, Any], place: str, source: str) -> Product | None:
    """``product_of`` a document that has been read."""
    product = document["product"]
    about = product["attributes"]
    if not is_plain(product, about) or about.get("regionCode") != place.partition("/")[2]:
        return None
    name, as_of = about["instanceType"], _time(document["publicationDate"])
    terms = document.get("terms", {})
    quotes = [
        _quote(name, dimension, as_of)
        for term in terms.get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
    ]
    rates = [
        _reserved(term, place, name, as_of, source) for term in terms.get("Reserved", {}).values()
    ]
    return Product(
        name,
        tuple(quotes),
        tuple(rate for rate in rates if isinstance(rate, CommittedRate)),
        source,
        tuple(rate for rate in rates if not isinstance(rate, CommittedRate)),
    )


def why_not(usd_per_hour: float) -> str:
    """Why a price per hour is none to plan with; empty when it is."""
    if usd_per_hour == 0:
        return "zero"
    if not isfinite(usd_per_hour) or not LEAST_USD <= usd_per_hour <= MOST_USD:
        return "absurd: no machine costs that per hour"
    return ""


def is_plain(product: Mapping[str, Any], about: Mapping[str, Any]) -> bool:
    """Whether a product is an instance as it is planned with."""
    return (
        product.get("productFamily") in _FAMILIES
        and all(about.get(key) == value for key, value in WANTED.items())
        and about.get("licenseModel", _NO_LICENCE[0]) in _NO_LICENCE
        and str(about.get("operation", "RunInstances")) == "RunInstances"
    )


def _quote(name: str, dimension: Mapping[str, Any], as_of: datetime) -> Quote:
    stated = dimension["pricePerUnit"]
    if CURRENCY not in stated:
        currencies = ", ".join(sorted(stated))
        return Quote(name, str(stated), 0.0, as_of, f"in {currencies}, not {CURRENCY}")
    if dimension["unit"] != "Hrs":
        return Quote(name, stated[CURRENCY], 0.0, as_of, f"per {dimension['unit']}, not per hour")
    usd = float(stated[CURRENCY])
    return Quote(name, stated[CURRENCY], usd, as_of, why_not(usd))


def purchase_of(years: float) -> Purchase:
    """How a rate of so long a term is bought; odd terms count as the nearest that there is."""
    return RESERVED[min(RESERVED, key=lambda known: abs(known - years))]


def _reserved(
    term: Mapping[str, Any], place: str, name: str, as_of: datetime, source: str
) -> CommittedRate | tuple[Purchase, Quote]:
    """What an hour costs with a reservation: what is paid upfront is divided by the term.

    One that cannot be read is a quote with the reason: the others of the product hold without it.
    """
    about: Mapping[str, Any] = term.get("termAttributes", {})
    length, offering = about.get("LeaseContractLength", ""), about.get("OfferingClass", "")
    years = _TERM_YEARS.get(length, 1)
    bought = RESERVED[years]
    if length not in _TERM_YEARS or offering not in RESERVED_PRODUCTS:
        reason = f"of an unknown kind: {offering or 'no class'}, {length or 'no length'}"
        return bought, Quote(name, "", 0.0, as_of, reason)
    amounts = {"Quantity": 0.0, "Hrs": 0.0}
    for dimension in term["priceDimensions"].values():
        unit, stated = dimension["unit"], dimension["pricePerUnit"]
        if unit not in amounts or CURRENCY not in stated:
            reason = f"in {', '.join(sorted(stated))} per {unit}, not {CURRENCY} per hour or once"
            return bought, Quote(name, str(stated), 0.0, as_of, reason)
        amounts[unit] += float(stated[CURRENCY])
    upfront, hourly = amounts["Quantity"], amounts["Hrs"]
    spread = upfront / (years * HOURS_PER_YEAR)
    usd = hourly + spread
    if reason := why_not(usd):
        return bought, Quote(name, f"{upfront:g} + {hourly:g}/h", usd, as_of, reason)
    return CommittedRate(
        RESERVED_PRODUCTS[offering], CommitmentKind.RESOURCE, years, spread / usd, place, name,
        usd, as_of, source,
    )  # fmt: skip


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def agreed(quotes: list[Quote]) -> Iterator[Quote]:
    """The quotes of one instance type: one when they agree, all as rejected when they do not."""
    sound = {quote.usd_per_hour for quote in quotes if not quote.reason}
    if len(sound) > 1:
        yield from (
            Quote(one.instance_type, one.stated, one.usd_per_hour, one.as_of,
                  one.reason or "conflicting: stated with several values")
            for one in quotes
        )  # fmt: skip
        return
    yield from (one for one in quotes if one.reason)
    yield from [one for one in quotes if not one.reason][:1]
