"""Regional quotas as rows: what counts vCPUs, GPUs or instances that run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from google.cloud import compute_v1

from models.inventory import Quota, QuotaUnit
from models.offerings import Purchase
from providers.seam import Scope

_CPUS: Final = re.compile(r"(?P<family>[A-Z]\d+[A-Z]?)_CPUS")
_GPUS: Final = re.compile(r"NVIDIA_(?P<model>[A-Z0-9_]+?)_GPUS")
_WITHOUT_OWN: Final = ("e2", "f1", "g1", "n1")
"""Families that the quota CPUS counts, unless they have one of their own."""
_SPOT: Final = "PREEMPTIBLE_"
_GPU_FAMILIES: Final = {
    "K80": ("n1",), "P100": ("n1",), "P4": ("n1",), "T4": ("n1",), "V100": ("n1",),
    "L4": ("g2",), "A100": ("a2",), "A100_80GB": ("a2",), "H100": ("a3",),
}  # fmt: skip


def quotas(scope: Scope, given: Sequence[compute_v1.Quota]) -> Iterator[Quota]:
    """Rows of a region's quotas.

    Spot instances count against quotas of their own where the project has any (above 0), else
    against those for all.
    """
    limits = {one.metric: float(one.limit) for one in given}
    own = {match["family"].lower() for name in limits if (match := _CPUS.fullmatch(name))}
    for one in sorted(given, key=lambda quota: quota.metric):
        name = one.metric.removeprefix(_SPOT)
        spot = name != one.metric
        if spot and one.limit <= 0:
            continue
        counted = _counted(name, own)
        if counted is None:
            continue
        unit, families = counted
        for_spot = f"{_SPOT}CPUS" if unit is QuotaUnit.VCPUS else f"{_SPOT}{name}"
        purchase = None
        if spot:
            purchase = Purchase.SPOT
        elif limits.get(for_spot, 0.0) > 0:
            purchase = Purchase.ON_DEMAND
        yield Quota(
            scope.account, scope.place, one.metric, unit, float(one.limit), float(one.usage),
            purchase, () if spot and name == "CPUS" else families,
        )  # fmt: skip


def _counted(name: str, own: set[str]) -> tuple[QuotaUnit, tuple[str, ...]] | None:
    """What a quota counts, of which families; None where it is not about what runs."""
    if name == "CPUS":
        return QuotaUnit.VCPUS, tuple(one for one in _WITHOUT_OWN if one not in own)
    if name == "INSTANCES":
        return QuotaUnit.INSTANCES, ()
    if match := _CPUS.fullmatch(name):
        return QuotaUnit.VCPUS, (match["family"].lower(),)
    if (match := _GPUS.fullmatch(name)) and not match["model"].endswith("_VWS"):
        return QuotaUnit.GPUS, _GPU_FAMILIES.get(match["model"], ())
    return None
