"""Azure's public price list, region by region. It asks for no credentials."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from azure.core.rest import HttpRequest

from models.cloud_errors import Asked, CloudFailed, NotFound
from models.commitments import CommitmentKind
from models.inventory import CommittedRate, Price, RejectedPrice
from providers.azure.clients import Clients
from providers.azure.errors import CLOUD, check_new, read, translated
from providers.azure.regions import Regions, closed
from providers.azure.resources import region_of
from providers.azure.retail import SOURCE, Offer, Quote, quotes
from providers.seam import Scope, Scopes

PATH: Final = "/api/retail/prices"
VERSION: Final = "2023-01-01-preview"
_MACHINES: Final = "serviceName eq 'Virtual Machines' and armRegionName eq '{region}'"
_COMMON: Final = (
    "serviceName eq 'Virtual Machines' and priceType eq 'Consumption' and "
    "(armSkuName eq 'Standard_D2s_v3' or armSkuName eq 'Standard_D2s_v5')"
)
_OTHER_CLOUDS: Final = re.compile(r"us(?:gov|dod)|china")
_RESERVED: Final = " and priceType eq 'Reservation'"
_PRODUCTS: Final = {Offer.RESERVATION: "reservation", Offer.SAVINGS_PLAN: "savings plan"}
_KINDS: Final = {
    Offer.RESERVATION: CommitmentKind.RESOURCE,
    Offer.SAVINGS_PLAN: CommitmentKind.SPEND,
}

Key = tuple[str, Offer, int]


@dataclass(frozen=True, slots=True)
class AzurePriceList:
    """``providers.seam.PriceList`` of Azure."""

    clients: Clients
    regions: Regions
    clock: Callable[[], datetime]

    def markets(self) -> Scopes:
        """Regions of the subscriptions; where one cannot say which those are, all that it may mean.

        Prices are for everybody, also for who may not look at a subscription.
        """
        asked, said = self.clients.regions, list(self.regions.of_all().values())
        known = {region for one in said if not isinstance(one, CloudFailed) for region in one}
        if asked is None:
            return Scopes(_markets(known or self._priced()))
        if any(isinstance(one, CloudFailed) for one in said):
            return Scopes(_markets(asked))
        return Scopes(
            _markets(known.intersection(asked)),
            tuple(closed(one, known) for one in _markets(set(asked) - known)),
        )

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

    def _priced(self) -> set[str]:
        """All regions where machines that are common everywhere have a price."""
        asked = Asked(CLOUD, "retailPrices")
        named = {
            region_of(item["armRegionName"] or "")
            for item in read(asked, lambda: self._items(_COMMON))
        }
        return {region for region in named if region and not _OTHER_CLOUDS.match(region)}

    def _quotes(self, market: Scope, further: str) -> Iterator[Quote]:
        """Raises ``NotFound`` when nothing has a price there."""
        asked, now = Asked(CLOUD, "retailPrices", place=market.place), self.clock()
        nothing = True
        with translated(asked):
            for item in self._items(_MACHINES.format(region=market.region) + further):
                nothing = False
                yield from quotes(item, now)
        if nothing and not further:
            raise NotFound(asked, "NoPrices", f"nothing has a price in {market.region}")

    def _items(self, which: str) -> Iterator[Mapping[str, Any]]:
        """Items that a filter is true of, page by page."""
        links: set[str] = set()
        params: dict[str, str] | None = {
            "api-version": VERSION, "meterRegion": "'primary'", "$filter": which,
        }  # fmt: skip
        while params is not None:
            page = self._page(params)
            yield from page["Items"]
            link = page["NextPageLink"]
            if link:
                check_new(link, links)
            # Only the link's question is used: it names a host of its own.
            params = dict(parse_qsl(urlsplit(link).query)) if link else None

    def _page(self, params: dict[str, str]) -> Mapping[str, Any]:
        address = f"{self.clients.prices_address}{PATH}"
        answer = self.clients.prices().send_request(HttpRequest("GET", address, params=params))
        answer.raise_for_status()
        page = answer.json()
        if not isinstance(page, dict):
            raise ValueError("no page of prices")
        return page


def _markets(regions: Iterable[str]) -> tuple[Scope, ...]:
    return tuple(sorted({Scope(CLOUD, "", region) for region in regions}))


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
