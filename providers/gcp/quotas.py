"""Regional quotas as rows: what counts vCPUs, GPUs or instances that run.

Older families have quotas that a region lists. Newer ones have one that is told by family, and that
only Cloud Quotas and Cloud Monitoring know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from google.cloud import compute_v1, monitoring_v3

from models.inventory import Quota, QuotaUnit
from models.offerings import Purchase
from providers.gcp.clients import Clients, asked
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
_BY_FAMILY: Final = "compute.googleapis.com/quota/cpus_per_vm_family"
_WITHIN: Final = timedelta(hours=25)
"""Google tells limits by family a few times a day."""


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


def by_family(
    clients: Clients, scope: Scope, given: Sequence[compute_v1.Quota], now: datetime
) -> Iterator[Quota]:
    """Rows of the quota by family, for families that the region's quotas leave out."""
    own = {match["family"].lower() for one in given if (match := _CPUS.fullmatch(one.metric))}
    for_spot = any(one.metric == f"{_SPOT}CPUS" and one.limit > 0 for one in given)
    limits = _latest(clients, scope, "limit", now)
    used = _latest(clients, scope, "usage", now) if set(limits) - own else {}
    for family in sorted(set(limits) - own):
        yield Quota(
            scope.account, scope.place, f"CPUS_PER_VM_FAMILY:{family.upper()}", QuotaUnit.VCPUS,
            limits[family], used.get(family), Purchase.ON_DEMAND if for_spot else None, (family,),
        )  # fmt: skip


def _latest(clients: Clients, scope: Scope, which: str, now: datetime) -> dict[str, float]:
    """The newest value for each family."""
    what = asked("monitoring.timeSeries.list", scope.account, scope.region)
    request = monitoring_v3.ListTimeSeriesRequest(
        name=f"projects/{scope.account}",
        filter=(
            f'metric.type = "{_BY_FAMILY}/{which}" AND'
            ' resource.type = "compute.googleapis.com/Location"'
            f' AND resource.labels.location = "{scope.region}" AND project = "{scope.account}"'
        ),
        interval=monitoring_v3.TimeInterval(start_time=now - _WITHIN, end_time=now),
        view=monitoring_v3.ListTimeSeriesRequest.TimeSeriesView.FULL,
    )
    found: dict[str, tuple[datetime, float]] = {}
    for page in clients.pages(what, clients.metrics().list_time_series, request):
        for one in page.time_series:
            family = one.metric.labels.get("vm_family", "").lower()
            if not family or one.resource.labels.get("location") != scope.region:
                continue
            for point in one.points:
                at: datetime | None = point.interval.end_time
                if at is not None and (family not in found or found[family][0] < at):
                    found[family] = at, float(point.value.int64_value)
    return {family: value for family, (_, value) in found.items()}
