"""Google Cloud's part of the embedded book: section ``gce_instances`` of libcloud's price file.

Google sells vCPUs and GiB of memory; a predefined machine type costs the sum of its parts
(https://cloud.google.com/compute/vm-instance-pricing). Shapes follow Google's machine type
documentation. Shared-core E2 types pay for the share of a vCPU that they sustain.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import pandas as pd

from models.offerings import Purchase
from providers.pricebook.assembly import ZERO_PRICE
from providers.pricebook.shapes import Shape

SOURCE: Final = "apache-libcloud gce_instances"
PRICE_DATE: Final = date(2020, 7, 1)
"""The earliest month that the section's contents permit; see docs/prices.md."""

PURCHASES: Final = {
    "on_demand": Purchase.ON_DEMAND,
    "preemptible": Purchase.SPOT,
    "1yr_commitment": Purchase.RESERVED_1Y,
    "3yr_commitment": Purchase.RESERVED_3Y,
}

_N1 = (1, 2, 4, 8, 16, 32, 64, 96)
_N2 = (2, 4, 8, 16, 32, 48, 64, 80, 96)
_N2D = (2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 224)
_E2 = (2, 4, 8, 16, 32)
_REGULAR: Final = (  # series, kind, vCPUs, GiB per vCPU
    ("n1", "standard", _N1, 3.75),
    ("n1", "highmem", _N1[1:], 6.5),
    ("n1", "highcpu", _N1[1:], 0.9),
    ("n2", "standard", (*_N2, 128), 4.0),
    ("n2", "highmem", _N2, 8.0),
    ("n2", "highcpu", _N2, 1.0),
    ("n2d", "standard", _N2D, 4.0),
    ("n2d", "highmem", _N2D[:9], 8.0),
    ("n2d", "highcpu", _N2D, 1.0),
    ("e2", "standard", _E2, 4.0),
    ("e2", "highmem", _E2[:4], 8.0),
    ("e2", "highcpu", _E2, 1.0),
    ("c2", "standard", (4, 8, 16, 30, 60), 4.0),
)


def _shared(family: str, vcpus: float, memory_gib: float, baseline_vcpus: float) -> Shape:
    return Shape(family, vcpus, memory_gib, burstable=True, baseline_vcpus=baseline_vcpus)


SHAPES: Final[dict[str, Shape]] = {
    **{
        f"{series}-{kind}-{vcpus}": Shape(series, vcpus, vcpus * gib_per_vcpu)
        for series, kind, sizes, gib_per_vcpu in _REGULAR
        for vcpus in sizes
    },
    "n2-highmem-128": Shape("n2", 128, 864.0),
    "m1-ultramem-40": Shape("m1", 40, 961.0),
    "m1-ultramem-80": Shape("m1", 80, 1922.0),
    "m1-ultramem-160": Shape("m1", 160, 3844.0),
    "m1-megamem-96": Shape("m1", 96, 1433.6),
    "f1-micro": _shared("f1", 1, 0.6, 0.2),
    "g1-small": _shared("g1", 1, 1.7, 0.5),
    "e2-micro": _shared("e2", 2, 1.0, 0.25),
    "e2-small": _shared("e2", 2, 2.0, 0.5),
    "e2-medium": _shared("e2", 2, 4.0, 1.0),
}


def quotes(section: dict[str, Any]) -> pd.DataFrame:
    """Prices of every machine type (``QUOTE_COLUMNS``).

    The price is 0 where a part of it is zero or missing.
    """
    rows = [
        (region, name, purchase.value, _price(shape, cpu, ram, region))
        for name, shape in SHAPES.items()
        for wire, purchase in PURCHASES.items()
        for cpu, ram in [_parts(section, shape.family, wire)]
        for region in cpu
    ]
    columns = ["region", "instance_type", "purchase", "price_usd_per_hour"]
    return pd.DataFrame(rows, columns=columns).assign(source=SOURCE, reason=ZERO_PRICE)


def _parts(section: dict[str, Any], family: str, wire: str) -> tuple[dict[str, Any], Any]:
    parts = section[family]
    return parts["cpu"].get(wire, {}), parts["ram"].get(wire, {}) if "ram" in parts else None


def _price(shape: Shape, cpu: dict[str, Any], ram: Any, region: str) -> float:
    per_vcpu = float(cpu[region]["price"])
    if ram is None:  # f1-micro and g1-small are sold whole
        return per_vcpu
    per_gib = float(ram.get(region, {}).get("price", 0.0))
    if per_vcpu <= 0 or per_gib <= 0:
        return 0.0
    vcpus = shape.vcpus if shape.baseline_vcpus is None else shape.baseline_vcpus
    return round(vcpus * per_vcpu + shape.memory_gib * per_gib, 8)
