"""What AWS's instances cost in a region: on demand, on spot in each zone, and under contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from models.cloud_errors import Denied
from models.commitments import CommitmentKind
from models.inventory import CommittedRate, Price, RejectedPrice
from models.offerings import Purchase
from providers.aws.clients import Account, each
from providers.aws.commitments import PLAN_PRODUCTS, YEAR_S
from providers.aws.errors import NO_CREDENTIALS, Later
from providers.aws.price_documents import (
    CURRENCY,
    RESERVED,
    SOURCE,
    WANTED,
    Product,
    Quote,
    agreed,
    product_of,
    purchase_of,
    why_not,
)
from providers.aws.price_files import PriceFiles
from providers.aws.regions import Regions
from providers.seam import Scope, Scopes

SPOT_SOURCE: Final = "EC2 spot price history"
PLAN_SOURCE: Final = "Savings Plans offering rates"
SPOT_STALE: Final = timedelta(days=30)
LIST_STALE: Final = timedelta(days=400)
"""Prices older than these are rejected: their feed is dead."""
MOST_OF_ON_DEMAND: Final = 10.0
"""Spot prices beyond this multiple of the price on demand are no market's."""
PRODUCTS_PER_PAGE: Final = 100
SPOT_PER_PAGE: Final = 1000
RATES_PER_PAGE: Final = 1000
LINUX: Final = "Linux/UNIX"
_UPFRONT: Final = {"All Upfront": 1.0, "Partial Upfront": 0.5, "No Upfront": 0.0}

AnyPrice = Price | RejectedPrice | CommittedRate


@dataclass(frozen=True, slots=True)
class AwsPriceList:
    """``providers.seam.PriceList`` of AWS. Zone names of spot prices are those of the first account
    that has the region: AWS names zones differently in each.
    """

    regions: Regions
    files: PriceFiles
    public: bool = False
    """Whether files are read rather than the price list service asked."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def markets(self) -> Scopes:
        """The regions of all accounts; where no account can be reached, those of price files, as
        far as these are wanted or there are no credentials.
        """
        told = self.regions.markets()
        nobody = any(one.failure.code == NO_CREDENTIALS for one in told.unreached)
        if told.found or not (self.public or nobody):
            return told
        return self.files.markets(self.regions.wanted)

    def prices(self, market: Scope) -> Iterator[AnyPrice]:
        if not market.region:
            return
        account, now = self.regions.buyer_in(market.region), self.clock()
        on_demand: dict[str, float] = {}
        later = Later()  # three sources: one that fails keeps none of the others back
        with later.failing():
            for row in listed(self._products(account, market), market, now):
                if isinstance(row, Price):
                    on_demand[row.instance_type] = row.price_usd_per_hour
                yield row
        with later.failing():
            yield from spot(account, market, now, on_demand)
        with later.failing():
            yield from plan_rates(account, market, now)
        later.raise_first()

    def _products(self, account: Account, market: Scope) -> Iterator[Product]:
        if not self.public:
            try:
                yield from products_of(account, market)
                return
            except Denied as error:
                if error.code != NO_CREDENTIALS:
                    raise
        yield from self.files.products(market)


def listed(products: Iterable[Product], market: Scope, now: datetime) -> Iterator[AnyPrice]:
    """Prices on demand, and of reservations. What the price list says twice shows only at its end:
    prices on demand come then, also when the end is a failure.
    """
    quotes: dict[str, list[Quote]] = {}
    later, source = Later(), SOURCE
    with later.failing():
        for product in products:
            source = product.source
            quotes.setdefault(product.instance_type, []).extend(product.quotes)
            yield from product.reserved
            yield from (
                _rejected(market, one, purchase, "", product.source)
                for purchase, one in product.faulty_terms
            )
    for same in quotes.values():
        for quote in agreed(same):
            reason = quote.reason or _stale(quote.as_of, now, LIST_STALE)
            if reason:
                yield _rejected(market, quote, Purchase.ON_DEMAND, "", source, reason)
            else:
                yield Price(market.place, quote.instance_type, Purchase.ON_DEMAND, "",
                            quote.usd_per_hour, quote.as_of, source)  # fmt: skip
    later.raise_first()


def products_of(account: Account, market: Scope) -> Iterator[Product]:
    """Plain instance types of a region, as the price list service tells them."""
    wanted = {"regionCode": market.region, **WANTED}
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value}
               for field, value in wanted.items()]  # fmt: skip
    for product in each(
        account, account.pricing(), "get_products", "PriceList",
        lambda text: product_of(str(text), market.place), ServiceCode="AmazonEC2",
        Filters=filters, FormatVersion="aws_v1", MaxResults=PRODUCTS_PER_PAGE,
    ):  # fmt: skip
        if product is not None:
            yield product


@dataclass(frozen=True, slots=True)
class _Spot:
    quote: Quote
    zone: str


def spot(
    account: Account, market: Scope, now: datetime, on_demand: Mapping[str, float]
) -> Iterator[AnyPrice]:
    """The latest spot price of each type in each zone, with the time since when it holds."""
    latest: dict[tuple[str, str], list[_Spot]] = {}
    later = Later()
    with later.failing():
        for one in _spot_history(account, market, now):
            key = one.quote.instance_type, one.zone
            known = latest.get(key)
            if known is None or one.quote.as_of > known[0].quote.as_of:
                latest[key] = [one]
            elif one.quote.as_of == known[0].quote.as_of:
                known.append(one)
    for (name, zone), same in latest.items():
        for quote in agreed([one.quote for one in same]):
            reason = quote.reason or _stale(quote.as_of, now, SPOT_STALE)
            if not reason and quote.usd_per_hour > MOST_OF_ON_DEMAND * on_demand.get(
                name, float("inf")
            ):
                reason = f"absurd: more than {MOST_OF_ON_DEMAND:g} times the price on demand"
            if reason:
                yield _rejected(market, quote, Purchase.SPOT, zone, SPOT_SOURCE, reason)
            else:
                yield Price(market.place, name, Purchase.SPOT, zone, quote.usd_per_hour,
                            quote.as_of, SPOT_SOURCE)  # fmt: skip
    later.raise_first()


def _spot_history(account: Account, market: Scope, now: datetime) -> Iterator[_Spot]:
    """Asked from now on, the history starts with the prices that hold now."""
    for one in each(
        account, account.ec2(market.region), "describe_spot_price_history", "SpotPriceHistory",
        lambda facts: _spot_of(facts) if facts["ProductDescription"] == LINUX else None,
        StartTime=now, ProductDescriptions=[LINUX], MaxResults=SPOT_PER_PAGE,
    ):  # fmt: skip
        if one is not None:
            yield one


def _spot_of(facts: Mapping[str, Any]) -> _Spot:
    usd = float(facts["SpotPrice"])
    quote = Quote(facts["InstanceType"], facts["SpotPrice"], usd, facts["Timestamp"], why_not(usd))
    return _Spot(quote, facts["AvailabilityZone"])


def plan_rates(account: Account, market: Scope, now: datetime) -> Iterator[AnyPrice]:
    """What instances cost under savings plans that can be bought now. AWS gives rates no date."""
    wanted = {"region": market.region, "productDescription": LINUX, "tenancy": "shared"}
    for row in each(
        account, account.savings_plans(), "describe_savings_plans_offering_rates",
        "searchResults", lambda facts: _plan_rate(facts, market, now), products=["EC2"],
        serviceCodes=["AmazonEC2"], savingsPlanTypes=list(PLAN_PRODUCTS),
        filters=[{"name": name, "values": [value]} for name, value in wanted.items()],
        maxResults=RATES_PER_PAGE,
    ):  # fmt: skip
        if row is not None:
            yield row


def _plan_rate(facts: Mapping[str, Any], market: Scope, now: datetime) -> AnyPrice | None:
    """None for what is no plain instance."""
    told = {one["name"]: one["value"] for one in facts["properties"]}
    offer = facts["savingsPlanOffering"]
    name, usd = told.get("instanceType", ""), float(facts["rate"])
    if (
        not name
        or told.get("productDescription") != LINUX
        or told.get("tenancy") != "shared"
        or told.get("region") != market.region
        or ":" in facts["operation"].removeprefix("RunInstances")
        or "BoxUsage" not in facts["usageType"]  # not of unused or dedicated capacity
    ):
        return None
    years, upfront = offer["durationSeconds"] / YEAR_S, _UPFRONT.get(offer["paymentOption"])
    reason = why_not(usd)
    if offer["currency"] != CURRENCY or facts["unit"] != "Hrs":
        reason = f"in {offer['currency']} per {facts['unit']}, not {CURRENCY} per hour"
    elif upfront is None or round(years) not in RESERVED:
        reason = f"of an unknown kind: {offer['paymentOption']}, {years:g} years"
    if reason or upfront is None:
        quote = Quote(name, facts["rate"], usd, now, reason)
        return _rejected(market, quote, purchase_of(years), "", PLAN_SOURCE)
    return CommittedRate(
        PLAN_PRODUCTS[offer["planType"]], CommitmentKind.SPEND, round(years), upfront,
        market.place, name, usd, now, PLAN_SOURCE,
    )  # fmt: skip


def _stale(as_of: datetime, now: datetime, limit: timedelta) -> str:
    age = now - as_of
    return f"stale: {age.days} days old, more than {limit.days}" if age > limit else ""


def _rejected(
    market: Scope, quote: Quote, purchase: Purchase, zone: str, source: str, reason: str = ""
) -> RejectedPrice:
    return RejectedPrice(
        market.place, quote.instance_type, purchase, zone, quote.stated, reason or quote.reason,
        source,
    )  # fmt: skip
