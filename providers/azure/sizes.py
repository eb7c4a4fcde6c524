"""Azure's virtual machine sizes in a region, as one subscription may use them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from azure.mgmt.compute.models import ResourceSku

from models.cloud_errors import Asked
from models.inventory import InstanceType
from models.offerings import Architecture
from providers.azure.clients import Clients
from providers.azure.errors import CLOUD, needed, read
from providers.azure.remembered import Remembered
from providers.azure.resources import region_of
from providers.pricebook.families import family_of
from providers.seam import Scope

_ARCHITECTURES: Final = {"x64": Architecture.X86_64, "arm64": Architecture.ARM64}
_BURSTABLE: Final = re.compile(r"(?:Standard|Basic)_B\d")
_GPU_MODEL: Final = re.compile(r"[A-Za-z]+_[^_]+_(?P<model>[A-Z]+\d+)(?:_v\d+)?")


@dataclass(frozen=True, slots=True)
class Size:
    """What a size is to quotas. ``counted_as``: Azure's name of the quota of its family;
    ``counted_vcpus``: what it takes of it, which for sizes with constrained vCPUs are all that the
    machine would have.
    """

    kind: InstanceType
    counted_as: str
    counted_vcpus: float


@dataclass(eq=False)
class Sizes:
    """The sizes of each scope, and where they are closed, asked again when they are older than
    ``sizes_age_s``.
    """

    clients: Clients
    _sizes: Remembered[Scope, Mapping[str, Size]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._sizes = Remembered(self._by_name, self.clients.access.sizes_age_s)

    def read(self, scope: Scope) -> Iterator[InstanceType]:
        """Every size that the region has, asked anew."""
        asked_at, sizes = self._sizes.clock(), list[Size]()
        for size in self._read(scope):
            sizes.append(size)
            yield size.kind
        self._sizes.keep(scope, _by_name(sizes), asked_at)

    def of(self, scope: Scope) -> Mapping[str, Size]:
        """Sizes by name, in lower case."""
        return self._sizes.of(scope)

    def _by_name(self, scope: Scope) -> Mapping[str, Size]:
        return _by_name(self._read(scope))

    def _read(self, scope: Scope) -> Iterator[Size]:
        asked = Asked(CLOUD, "resourceSkus.list", scope.account, scope.place)
        skus = self.clients.compute(scope.account).resource_skus

        def rows() -> Iterator[Size]:
            for sku in read(asked, lambda: skus.list(filter=f"location eq '{scope.region}'")):
                if sku.resource_type == "virtualMachines":
                    size = _size(scope, sku)
                    if size is not None:
                        yield size

        return read(asked, rows)


def _by_name(sizes: Iterable[Size]) -> Mapping[str, Size]:
    return {size.kind.instance_type.lower(): size for size in sizes}


def _size(scope: Scope, sku: ResourceSku) -> Size | None:
    """None for sizes that do not say what they are made of: nothing can be planned with them."""
    name = needed(sku.name, "the name of a size")
    traits = {one.name or "": one.value or "" for one in sku.capabilities or ()}
    vcpus = float(traits.get("vCPUsAvailable") or traits.get("vCPUs") or 0.0)
    memory_gib = float(traits.get("MemoryGB") or 0.0)
    architecture = _ARCHITECTURES.get(traits.get("CpuArchitectureType", "x64").lower())
    if vcpus <= 0 or memory_gib <= 0 or architecture is None:
        return None
    zones, restriction = _where(scope, sku)
    burstable = _BURSTABLE.match(name) is not None
    gpus = float(traits.get("GPUs") or 0.0)
    model = _GPU_MODEL.fullmatch(name) if gpus else None
    kind = InstanceType(
        scope.place, name, scope.account, vcpus, None if burstable else vcpus, memory_gib,
        architecture, family_of(name), gpus, model["model"] if model else "", burstable,
        traits.get("LowPriorityCapable", "").lower() == "true", zones, restriction,
    )  # fmt: skip
    return Size(kind, (sku.family or "").lower(), float(traits.get("vCPUs") or vcpus))


def _where(scope: Scope, sku: ResourceSku) -> tuple[tuple[str, ...], str]:
    """The zones where the subscription may start it, and why it may not at all."""
    zones = {
        zone
        for info in sku.location_info or ()
        if region_of(info.location or "") == scope.region
        for zone in info.zones or ()
    }
    for restriction in sku.restrictions or ():
        reason = str(getattr(restriction.reason_code, "value", restriction.reason_code) or "closed")
        match str(getattr(restriction.type, "value", restriction.type)):
            case "Location":
                if scope.region in map(region_of, restriction.values_property or ()):
                    return (), reason
            case "Zone":
                closed = restriction.restriction_info
                zones -= set((closed.zones or ()) if closed is not None else ())
            case _:
                pass
    return tuple(sorted(zones)), ""
