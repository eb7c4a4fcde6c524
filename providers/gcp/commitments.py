"""Committed use discounts that a project holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import nan
from typing import Final

from google.cloud import compute_v1

from models.cloud_errors import Asked
from models.commitments import CommitmentKind
from models.inventory import OwnedCommitment
from models.offerings import Purchase
from providers.gcp.names import Named, last, time_of
from providers.gcp.rates import PRODUCT, Measure, Part, Rates, gpu_name
from providers.seam import Scope

_TERMS: Final = {"TWELVE_MONTH": 1, "THIRTY_SIX_MONTH": 3}
_HELD: Final = frozenset({"ACTIVE", "NOT_YET_ACTIVE"})
_SERIES: Final[dict[str, tuple[str, ...]]] = {
    "GENERAL_PURPOSE": ("n1",),
    "COMPUTE_OPTIMIZED": ("c2",),
    "MEMORY_OPTIMIZED": ("m1", "m2"),
    "ACCELERATOR_OPTIMIZED": ("a2",),
    "ACCELERATOR_OPTIMIZED_A3_MEGA": ("a3",),
    "ACCELERATOR_OPTIMIZED_A3_ULTRA": ("a3",),
    "GRAPHICS_OPTIMIZED": ("g2",),
}
"""Families by type, for types that are not named for theirs."""
_PRICED: Final = {"VCPU": Measure.CORE, "MEMORY": Measure.RAM, "ACCELERATOR": Measure.GPU}


def owned(
    what: Asked, scope: Scope, one: compute_v1.Commitment, rates: Callable[[], Rates]
) -> OwnedCommitment | None:
    """A commitment as a row; None where it is over, or not about vCPUs.

    Google does not say what it costs: that is its resources at the catalogue's rates of today,
    and NaN where the catalogue has none.
    """
    vcpus = sum(float(part.amount) for part in one.resources if part.type_ == "VCPU")
    if one.status not in _HELD or one.plan not in _TERMS or vcpus <= 0:
        return None
    families = _SERIES.get(one.type_) or (one.type_.rpartition("_")[2].lower(),)
    term = _TERMS[one.plan]
    return OwnedCommitment(
        Named(scope.region, one.name).id, scope.account, scope.place, PRODUCT,
        CommitmentKind.RESOURCE, term, vcpus,
        _usd_per_hour(scope.region, families[0], term, one.resources, rates()),
        time_of(what, one.start_timestamp), time_of(what, one.end_timestamp), families,
    )  # fmt: skip


def _usd_per_hour(
    region: str,
    family: str,
    term: int,
    resources: Iterable[compute_v1.ResourceCommitment],
    rates: Rates,
) -> float:
    """NaN where a part has no rate, as local SSDs have none here."""
    purchase = Purchase.RESERVED_1Y if term == 1 else Purchase.RESERVED_3Y
    total = 0.0
    for part in resources:
        measure, amount = _PRICED.get(part.type_), float(part.amount)
        if not amount:
            continue
        if measure is None:
            return nan
        of = gpu_name(last(part.accelerator_type)) if measure is Measure.GPU else family
        rate = rates.get(Part(of, measure, region, purchase))
        if rate is None or rate.wrong:
            return nan
        total += rate.usd * (amount / 1024.0 if measure is Measure.RAM else amount)
    return round(total, 9)
