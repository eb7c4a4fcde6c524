"""Committed use discounts that a project holds."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import Final

from google.cloud import compute_v1

from models.cloud_errors import Asked
from models.commitments import CommitmentKind
from models.inventory import OwnedCommitment
from models.offerings import Purchase
from providers.gcp.names import Named, time_of
from providers.gcp.rates import PRODUCT, Measure, Part, Rates
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


def owned(
    what: Asked, scope: Scope, one: compute_v1.Commitment, rates: Callable[[], Rates]
) -> OwnedCommitment | None:
    """A commitment as a row; None where it is over, or not about vCPUs.

    Google does not say what it costs: that is its resources at the catalogue's rates of today,
    and NaN where the catalogue has none.
    """
    amounts = {resource.type_: float(resource.amount) for resource in one.resources}
    vcpus = amounts.get("VCPU", 0.0)
    if one.status not in _HELD or one.plan not in _TERMS or vcpus <= 0:
        return None
    families = _SERIES.get(one.type_) or (one.type_.rpartition("_")[2].lower(),)
    term = _TERMS[one.plan]
    return OwnedCommitment(
        Named(scope.region, one.name).id, scope.account, scope.place, PRODUCT,
        CommitmentKind.RESOURCE, term, vcpus,
        _usd_per_hour(scope.region, families[0], term, vcpus, amounts.get("MEMORY", 0.0), rates()),
        time_of(what, one.start_timestamp), time_of(what, one.end_timestamp), families,
    )  # fmt: skip


def _usd_per_hour(
    region: str, family: str, term: int, vcpus: float, memory_mb: float, rates: Rates
) -> float:
    purchase = Purchase.RESERVED_1Y if term == 1 else Purchase.RESERVED_3Y
    total = 0.0
    for amount, measure in ((vcpus, Measure.CORE), (memory_mb / 1024.0, Measure.RAM)):
        rate = rates.get(Part(family, measure, region, purchase))
        if amount and (rate is None or rate.wrong):
            return nan
        total += amount * rate.usd if rate is not None else 0.0
    return round(total, 9)
