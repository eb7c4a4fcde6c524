"""Azure's public price list, region by region. It asks for no credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from azure.core.rest import HttpRequest

from models.cloud_errors import Asked, CloudFailed
from models.commitments import CommitmentKind
from models.inventory import CommittedRate, Price, RejectedPrice
from providers.azure.clients import Clients
from providers.azure.errors import CLOUD, translated
from providers.azure.retail import SOURCE, Offer, Quote, quotes
from providers.seam import Scope, Scopes

PATH: Final = "/api/retail/prices"
VERSION: Final = "2023-01-01-preview"
_MACHINES: Final = "serviceName eq 'Virtual Machines' and armRegionName eq '{region}'"
_RESERVED: Final = " and priceType eq 'Reservation'"
_PRODUCTS: Final = {Offer.RESERVATION: "reservation", Offer.SAVINGS_PLAN: "savings plan"}
_KINDS: Final = {
    Offer.RESERVATION: CommitmentKind.RESOURCE,
    Offer.SAVINGS_PLAN: CommitmentKind.SPEND,
}

Key = tuple[str, Offer, int]


@dataclass(frozen=True, slots=True)
class AzurePriceList:
    """``providers.seam.PriceList`` of Azure. ``regions``: those of the inventory."""

    clients: Clients
    regions: Callable[[], tuple[str, ...]]
    clock: Callable[[], datetime]

    def markets(self) -> Scopes:
        return Scopes(tuple(sorted({Scope(CLOUD, "", region) for region in self.regions()})))

    def prices(self, market: Scope) -> Iterator[Price | RejectedPrice | CommittedRate]:
        """What is said twice is only known at the end, so rows come then.

        When the list breaks off, they come before the error.
        """
        stated: dict[Key, list[Quote]] = {}
        try:
            for quote in self._quotes(market, ""):
                key = quote.instance_type, quote.offer, quote.term_years
                stated.setdefault(key, []).append(quote)
        except CloudFailed:
            yield from _rows(market, stated)
            raise
        yield from _rows(market, stated)

    def reserved(self, market: Scope) -> dict[tuple[str, int], float]:
        """USD per hour of sound reservations, by size and years."""
        stated: dict[Key, list[Quote]] = {}
        for quote in self._quotes(market, _RESERVED):
            key = quote.instance_type, quote.offer, quote.term_years
            stated.setdefault(key, []).append(quote)
        return {
            (name, years): quote.usd_per_hour
            for (name, _, years), said in stated.items()
            for quote in _judged(said)
            if not quote.why_not
        }

    def _quotes(self, market: Scope, further: str) -> Iterator[Quote]:
        asked, now = Asked(CLOUD, "retailPrices", place=market.place), self.clock()
        params: dict[str, str] | None = {
            "api-version": VERSION, "meterRegion": "'primary'",
            "$filter": _MACHINES.format(region=market.region) + further,
        }  # fmt: skip
        with translated(asked):
            while params is not None:
                page = self._page(params)
                for item in page["Items"]:
                    yield from quotes(item, now)
                params = _next(page)

    def _page(self, params: dict[str, str]) -> Mapping[str, Any]:
        address = f"{self.clients.prices_address}{PATH}"
        answer = self.clients.prices().send_request(HttpRequest("GET", address, params=params))
        answer.raise_for_status()
        page = answer.json()
        if not isinstance(page, dict):
            raise ValueError("no page of prices")
        return page


def _next(page: Mapping[str, Any]) -> dict[str, str] | None:
    """What to ask for next. Only the link's question is used: it names a host of its own."""
    link = page["NextPageLink"]
    return dict(parse_qsl(urlsplit(link).query)) if link else None


def _rows(
    market: Scope, stated: Mapping[Key, list[Quote]]
) -> Iterator[Price | RejectedPrice | CommittedRate]:
    for said in stated.values():
        for quote in _judged(said):
            yield _row(market, quote)


def _judged(said: list[Quote]) -> Iterator[Quote]:
    """Of what is said of one thing, the latest that is sound; why not, of all else."""
    sound = [quote for quote in said if not quote.why_not]
    yield from (quote for quote in said if quote.why_not)
    if not sound:
        return
    latest = max(quote.as_of for quote in sound)
    yield from (
        _without(quote, "another price came into force later")
        for quote in sound
        if quote.as_of < latest
    )
    current = [quote for quote in sound if quote.as_of == latest]
    amounts = {quote.usd_per_hour for quote in current}
    if len(amounts) == 1:
        yield current[0]
        return
    others = ", ".join(f"{usd:g}" for usd in sorted(amounts))
    yield from (_without(quote, f"stated differently at once: {others}") for quote in current)


def _without(quote: Quote, why: str) -> Quote:
    return Quote(
        quote.instance_type, quote.offer, quote.term_years, quote.usd_per_hour, quote.as_of,
        quote.stated, why,
    )  # fmt: skip


def _row(market: Scope, quote: Quote) -> Price | RejectedPrice | CommittedRate:
    if quote.why_not:
        return RejectedPrice(
            market.place, quote.instance_type, quote.purchase, "", quote.stated, quote.why_not,
            SOURCE,
        )  # fmt: skip
    if quote.term_years:
        return CommittedRate(
            _PRODUCTS[quote.offer], _KINDS[quote.offer], quote.term_years, 0.0, market.place,
            quote.instance_type, quote.usd_per_hour, quote.as_of, SOURCE,
        )  # fmt: skip
    return Price(
        market.place, quote.instance_type, quote.purchase, "", quote.usd_per_hour, quote.as_of,
        SOURCE,
    )  # fmt: skip
