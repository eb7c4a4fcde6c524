"""What machine types cost: the sum of their parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from google.cloud import compute_v1

from models.commitments import CommitmentKind
from models.inventory import CommittedRate, Price, RejectedPrice
from models.offerings import Purchase
from providers.gcp.inventory import GcpInventory
from providers.gcp.rates import PRODUCT, SOURCE, Measure, Part, Rate, Rates, gpu_name, sold_as
from providers.pricebook.gcp_section import SHAPES
from providers.pricebook.rows import MOST_USD
from providers.seam import Scope, Scopes

_TERMS: Final = {Purchase.RESERVED_1Y: 1, Purchase.RESERVED_3Y: 3}


@dataclass(frozen=True, slots=True)
class GcpPriceList:
    """``providers.seam.PriceList`` of Google Cloud.

    Shapes are read from the first project that can read them; prices are the same for all.
    """

    inventory: GcpInventory

    def markets(self) -> Scopes:
        return self.inventory.regions.markets()

    def prices(self, market: Scope) -> Iterator[Price | RejectedPrice | CommittedRate]:
        rates = self.inventory.catalog.rates()
        for shape in self.inventory.shapes(market.region):
            for purchase in Purchase:
                row = price(market, shape, purchase, rates)
                if row is not None:
                    yield row


@dataclass(frozen=True, slots=True)
class _Sum:
    usd: float = 0.0
    as_of: datetime | None = None
    wrong: str = ""
    stated: str = ""

    def plus(self, amount: float, rate: Rate) -> _Sum:
        as_of = rate.as_of if self.as_of is None else min(self.as_of, rate.as_of)
        stated = f"{self.stated} + {amount:g} × {rate.stated}".removeprefix(" + ")
        return _Sum(self.usd + amount * rate.usd, as_of, self.wrong or rate.wrong, stated)


def price(
    market: Scope, shape: compute_v1.MachineType, purchase: Purchase, rates: Rates
) -> Price | RejectedPrice | CommittedRate | None:
    """The price of a machine type, or why there is none.

    None: a commitment that is not sold for its family, which nobody expects to be.
    """
    total = _Sum()
    committed = purchase in _TERMS
    for amount, measure, of in _parts(shape, market.region, rates):
        rate = rates.get(Part(of, measure, market.region, purchase))
        if rate is None and committed:
            return None
        if rate is None:
            reason = f"the catalogue has no {measure} of {of} sold so"
            return _rejected(market, shape, purchase, "nothing", reason)
        total = total.plus(amount, rate)
    if total.wrong:
        return _rejected(market, shape, purchase, total.stated, total.wrong)
    if shape.bundled_local_ssds.partition_count:
        reason = "it comes with local SSDs, which are priced apart"
        return _rejected(market, shape, purchase, total.stated, reason)
    usd = round(total.usd, 9)
    if total.as_of is None or not 0 < usd < MOST_USD:
        return _rejected(market, shape, purchase, total.stated, "is no believable price")
    if committed:
        return CommittedRate(
            PRODUCT, CommitmentKind.RESOURCE, _TERMS[purchase], 0.0, market.place, shape.name,
            usd, total.as_of, SOURCE,
        )  # fmt: skip
    return Price(market.place, shape.name, purchase, "", usd, total.as_of, SOURCE)


def _parts(
    shape: compute_v1.MachineType, region: str, rates: Rates
) -> Iterator[tuple[float, Measure, str]]:
    """How much of what a machine type is the sum of."""
    family = sold_as(shape.name)
    if Part(family, Measure.WHOLE, region, Purchase.ON_DEMAND) in rates:
        yield 1.0, Measure.WHOLE, family
        return
    known = SHAPES.get(shape.name)
    vcpus = float(shape.guest_cpus)
    if shape.is_shared_cpu and known is not None and known.baseline_vcpus is not None:
        vcpus = known.baseline_vcpus  # shared-core types pay for what they sustain
    yield vcpus, Measure.CORE, family
    yield shape.memory_mb / 1024.0, Measure.RAM, family
    for card in shape.accelerators:
        name = gpu_name(card.guest_accelerator_type)
        yield float(card.guest_accelerator_count), Measure.GPU, name


def _rejected(
    market: Scope, shape: compute_v1.MachineType, purchase: Purchase, stated: str, reason: str
) -> RejectedPrice:
    return RejectedPrice(market.place, shape.name, purchase, "", stated, reason, SOURCE)
