"""Rates of Compute Engine's parts from the public catalogue of SKUs (Cloud Billing Catalog API).

Google sells vCPUs and GiB of memory by machine family, and GPUs by model. What a SKU is about
stands in its description, in words; those of other things (sole tenancy, custom and extended
shapes, reservations, calendar and flex-start modes, premiums, licences) are told apart by it and
left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from threading import Lock
from time import monotonic
from typing import Final

from google.cloud import billing_v1

from models.cloud_errors import CloudFailed
from models.offerings import Purchase
from providers.gcp.clients import Clients, asked
from providers.pricebook.families import family_of
from providers.pricebook.rows import LEAST_USD, MOST_USD

SERVICE: Final = "services/6F81-5844-456A"
"""Compute Engine."""
SOURCE: Final = "Google Cloud Billing Catalog API"
PRODUCT: Final = "resource-based committed use discount"
PAGE_ROWS: Final = 5000
STALE: Final = timedelta(days=7)
"""The catalogue dates its prices of now within the last 12 hours; much older ones are of a feed
that has died."""
KEPT_S: Final = 3600.0
"""How long a walk through the catalogue serves all regions: it takes many pages."""
FAILS_S: Final = 30.0
"""How long it is not walked again after it failed."""

PURCHASES: Final = {
    "OnDemand": Purchase.ON_DEMAND,
    "Preemptible": Purchase.SPOT,
    "Commit1Yr": Purchase.RESERVED_1Y,
    "Commit3Yr": Purchase.RESERVED_3Y,
}


class Measure(StrEnum):
    """What a rate is for an hour of."""

    CORE = "vCPU"
    RAM = "GiB"
    GPU = "GPU"
    WHOLE = "instance"


_HOURS: Final = {"h": 1.0}
_UNITS: Final[Mapping[Measure, Mapping[str, float]]] = {
    Measure.CORE: _HOURS, Measure.RAM: {"GiBy.h": 1.0, "GBy.h": 2**30 / 1e9}, Measure.GPU: _HOURS,
    Measure.WHOLE: _HOURS,
}  # fmt: skip
"""How many of its units a measure is: memory of some families is sold by GB, not by GiB."""

_SERIES: Final = r"[A-Z]\d[A-Z]?(?:Ultramem\d+|Plus|Ultra)?"
_FAMILY: Final = (
    rf"(?P<family>N1 Predefined|Compute optimized|Memory-optimized|{_SERIES})"
    r"(?: AMD| Arm| Memory-optimized)?"
)
_RUNNING: Final = re.compile(
    rf"(?:Spot Preemptible |Preemptible )?{_FAMILY}(?: ?Instance)? (?P<part>Core|Ram) running in .+"
)
_SPOT: Final = re.compile(r"^(?:Spot )?Preemptible |attached to (?:Spot )?Preemptible VMs")
_COMMITTED: Final = re.compile(
    rf"Commitment(?: v\d)?: (?:(?P<family>Compute optimized|Memory-optimized|{_SERIES})"
    r"(?: AMD| Arm| Memory-optimized)? )?(?P<part>Cpu|Ram|RAM|Core)(?: running)? in .+"
    r" for \d Years?"
)
_GPU: Final = re.compile(
    r"(?:Spot Preemptible |Preemptible )?(?P<model>Nvidia .+?) GPU"
    r"(?: attached to (?:Spot Preemptible|Preemptible) VMs)? running in .+"
)
_COMMITTED_GPU: Final = re.compile(
    r"Commitment(?: v\d)?: (?P<model>Nvidia .+?) GPU running in .+ for \d Years?"
)
_WHOLE: Final = re.compile(
    r"(?:Spot Preemptible |Preemptible )?(?P<kind>Micro|Small) Instance with .+ running in .+"
)
_APART: Final = {
    "a3-megagpu": "a3plus", "a3-ultragpu": "a3ultra", "m4-ultramem-224": "m4ultramem224",
    "m4n-ultramem-224": "m4nultramem224", "n1-megamem": "m1", "n1-ultramem": "m1",
}  # fmt: skip
"""Machine types, by how they begin, that are not sold at their family's rates."""
_FAMILIES: Final = {"N1 Predefined": "n1", "Compute optimized": "c2", "Memory-optimized": "m1"}
_WHOLES: Final = {"Micro": "f1", "Small": "g1"}
_NOISE: Final = frozenset({"nvidia", "tesla", "gpu"})


@dataclass(frozen=True, slots=True)
class Part:
    """What a rate is of: vCPUs or memory (``sold_as``), a GPU model, or a whole instance."""

    of: str
    measure: Measure
    region: str
    purchase: Purchase


@dataclass(frozen=True, slots=True)
class Rate:
    """USD per hour of a part; ``wrong``: why nobody should use it, empty otherwise."""

    usd: float
    as_of: datetime
    stated: str
    wrong: str = ""


Rates = dict[Part, Rate]


@dataclass(eq=False)
class Catalog:
    """All rates, read once for all regions. For several threads at once."""

    clients: Clients
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    page_rows: int = PAGE_ROWS
    _read_at: float | None = None
    _failed: tuple[float, CloudFailed] | None = None
    _rates: Rates = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def rates(self) -> Rates:
        """Raises ``CloudFailed``; a walk that broke off is not kept.

        Whoever waited for a walk that failed is told so, and does not walk again.
        """
        with self._lock:
            if self._read_at is not None and monotonic() - self._read_at <= KEPT_S:
                return self._rates
            if self._failed is not None and monotonic() - self._failed[0] <= FAILS_S:
                raise self._failed[1]
            try:
                self._rates, self._read_at = self._read(), monotonic()
            except CloudFailed as error:
                self._failed = monotonic(), error
                raise
            return self._rates

    def _read(self) -> Rates:
        what = asked("cloudbilling.services.skus.list")
        client, now, rates = self.clients.catalog(), self.clock(), Rates()
        request = billing_v1.ListSkusRequest(
            parent=SERVICE, currency_code="USD", page_size=self.page_rows
        )
        for page in self.clients.pages(what, client.list_skus, request):
            add_skus(rates, page.skus, now)
        return rates


def add_skus(rates: Rates, skus: Iterable[billing_v1.Sku], now: datetime) -> None:
    """Add what SKUs say; two that contradict each other are both wrong."""
    for sku in skus:
        named = part_of(sku)
        if named is None:
            continue
        of, measure, purchase = named
        rate = rate_of(sku, measure, now)
        for region in sku.service_regions:
            part = Part(of, measure, region, purchase)
            there = rates.get(part)
            if there is not None and not there.wrong and there.usd != rate.usd:
                stated = f"{there.stated} and {rate.stated}"
                rate = Rate(rate.usd, rate.as_of, stated, "two SKUs contradict each other")
            if there is None or not there.wrong:
                rates[part] = rate


def part_of(sku: billing_v1.Sku) -> tuple[str, Measure, Purchase] | None:
    """What a SKU is the price of; None where it is not part of a predefined machine type."""
    purchase = PURCHASES.get(sku.category.usage_type)
    if sku.category.resource_family != "Compute" or purchase is None:
        return None
    committed = purchase in (Purchase.RESERVED_1Y, Purchase.RESERVED_3Y)
    said = sku.description.strip()
    if not committed and _SPOT.search(said):  # also where its usage type says otherwise
        purchase = Purchase.SPOT
    if match := (_COMMITTED if committed else _RUNNING).fullmatch(said):
        name = match["family"] or "N1 Predefined"
        measure = Measure.RAM if match["part"].lower() == "ram" else Measure.CORE
        return _FAMILIES.get(name, name.lower()), measure, purchase
    if match := (_COMMITTED_GPU if committed else _GPU).fullmatch(said):
        return gpu_name(match["model"]), Measure.GPU, purchase
    if not committed and (match := _WHOLE.fullmatch(said)):
        return _WHOLES[match["kind"]], Measure.WHOLE, purchase
    return None


def sold_as(machine_type: str) -> str:
    """What rates of a machine type's parts are of: its family, but for some."""
    apart = (of for start, of in _APART.items() if machine_type.startswith(start))
    return next(apart, family_of(machine_type))


def gpu_name(model: str) -> str:
    """``80gb a100`` of both ``nvidia-a100-80gb`` and ``Nvidia Tesla A100 80GB``."""
    return " ".join(sorted(set(re.split(r"[\s-]+", model.lower())) - _NOISE))


def rate_of(sku: billing_v1.Sku, measure: Measure, now: datetime) -> Rate:
    """The rate in force at ``now``."""
    prices = [(as_of, one) for one in sku.pricing_info if (as_of := _moment(one)) <= now]
    if not prices:
        return Rate(0.0, now, "nothing", f"SKU {sku.sku_id} has no price in force")
    as_of, price = max(prices, key=lambda pair: pair[0])
    expression = price.pricing_expression
    usd = sorted({_usd(tier.unit_price) for tier in expression.tiered_rates})
    currencies = {tier.unit_price.currency_code for tier in expression.tiered_rates}
    stated = " / ".join(f"{one:g}" for one in usd) + f" per {expression.usage_unit}"
    positive = [one for one in usd if one > 0]

    def wrong(why: str) -> Rate:
        return Rate(0.0, as_of, stated, f"SKU {sku.sku_id} {why}")

    if now - as_of > STALE:
        return wrong(f"is stale: {(now - as_of).days} days old, more than {STALE.days}")
    if currencies - {"USD"}:
        return wrong(f"is stated in {', '.join(sorted(currencies))}")
    units = _UNITS[measure].get(expression.usage_unit)
    if units is None:
        return wrong(f"counts in {expression.usage_unit!r}, not {' or '.join(_UNITS[measure])}")
    if not positive:
        return wrong("has no price above zero" if not usd or usd[0] == 0 else "is below zero")
    if usd[0] < 0:
        return wrong("is below zero")
    if len(positive) > 1:
        return wrong("has several rates by usage")
    # A first tier at zero is a free allowance that no fleet lives on.
    if not LEAST_USD <= positive[0] <= MOST_USD:
        return wrong("states no believable price")
    return Rate(positive[0] * units, as_of, stated)


def _moment(price: billing_v1.PricingInfo) -> datetime:
    if not price.effective_time:
        return datetime(1970, 1, 1, tzinfo=UTC)
    moment: datetime = price.effective_time
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def _usd(money: object) -> float:
    units, nanos = int(getattr(money, "units", 0)), int(getattr(money, "nanos", 0))
    return round(units + nanos / 1e9, 9)
