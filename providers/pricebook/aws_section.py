"""AWS's part of the embedded book: section ``ec2_linux`` of libcloud's price file.

Sizes come from libcloud's table of EC2 types; it lacks bare metal, which equals its family's
largest size (or the size in its name) but for two families.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.offerings import Architecture, Purchase
from providers.pricebook.assembly import ZERO_PRICE
from providers.pricebook.libcloud_files import Section
from providers.pricebook.shapes import Shape
from providers.pricebook.tenancy import Verdict, shared_prices

SOURCE: Final = "apache-libcloud ec2_linux"
CORRECTED_SOURCE: Final = f"{SOURCE}, less the premium of dedicated tenancy"
NOT_SHARED: Final = "its price is not one of shared tenancy, and nothing says what that is"
LICENSED_SECTIONS: Final = ("ec2_rhel", "ec2_rhel_ha")

_GPU_MODELS: Final = {  # by family
    "g2": "K520", "g3": "M60", "g3s": "M60", "g4ad": "V520", "g4dn": "T4", "g5": "A10G",
    "g5g": "T4G", "g6": "L4", "gr6": "L4", "g6e": "L40S", "p2": "K80", "p3": "V100",
    "p3dn": "V100", "p4d": "A100", "p4de": "A100", "p5": "H100", "p5e": "H200", "p5en": "H200",
}  # fmt: skip
_T3: Final = {"nano": 0.1, "micro": 0.2, "small": 0.4, "medium": 0.4, "large": 0.6,
              "xlarge": 1.6, "2xlarge": 3.2}  # fmt: skip
BASELINE_VCPUS: Final = {  # CPU credits earned per hour, over 60
    "t2": {"nano": 0.05, "micro": 0.1, "small": 0.2, "medium": 0.4, "large": 0.6,
           "xlarge": 0.9, "2xlarge": 1.36},
    "t3": _T3, "t3a": _T3, "t4g": _T3,
}  # fmt: skip
_METAL: Final = {  # bare metal that is larger than its family's largest virtual size
    "i3.metal": (72, 512.0, 0), "g4dn.metal": (96, 384.0, 8),
}  # fmt: skip
_BURSTABLE = re.compile(r"t\d")


def shapes(types: Mapping[str, dict[str, Any]], names: list[str]) -> dict[str, Shape]:
    """Shapes of those ``names`` that libcloud's table of types, or the rule for metal, knows."""
    known = {name: _shape(name, types[name]) for name in names if name in types}
    by_family: dict[str, list[str]] = {}
    for name in known:
        by_family.setdefault(name.partition(".")[0], []).append(name)
    for name in names:
        family, _, size = name.partition(".")
        if name in known or not size.startswith("metal") or family not in by_family:
            continue
        twin = f"{family}.{size.removeprefix('metal-')}arge"  # metal-48xl is as large as 48xlarge
        if size == "metal":
            twin = max(by_family[family], key=lambda other: known[other].vcpus)
        if name in _METAL:
            vcpus, memory_gib, gpus = _METAL[name]
            known[name] = known[twin]._replace(vcpus=vcpus, memory_gib=memory_gib, gpus=gpus)
        elif twin in known:
            known[name] = known[twin]
    return known


def _shape(name: str, facts: Mapping[str, Any]) -> Shape:
    family, _, size = name.partition(".")
    extra = facts["extra"]
    arm = "Graviton" in extra["physicalProcessor"]
    return Shape(
        family=family,
        vcpus=float(extra["vcpu"]),
        memory_gib=facts["ram"] / 1024,
        architecture=(Architecture.ARM64 if arm else Architecture.X86_64).value,
        gpus=float(extra.get("gpu", 0)),
        gpu_model=_GPU_MODELS[family] if "gpu" in extra else "",
        burstable=_BURSTABLE.match(name) is not None,
        baseline_vcpus=BASELINE_VCPUS.get(family, {}).get(size),
    )


def quotes(
    sections: Mapping[str, Section], types: Mapping[str, dict[str, Any]]
) -> tuple[pd.DataFrame, dict[str, Shape], Counter[str]]:
    """On-demand prices (``QUOTE_COLUMNS``), shapes, and what was rejected.

    Names without a size are dedicated hosts, and Macs run no Linux: both are rejected. Prices of
    dedicated tenancy are corrected (and named so in ``source``) or left without a price.
    """
    linux = sections["ec2_linux"]
    rejected: Counter[str] = Counter()
    wanted: list[str] = []
    for name, prices in linux.items():
        if "." not in name:
            rejected["aws_rejected_dedicated_host"] += len(prices)
        elif name.startswith("mac"):
            rejected["aws_rejected_mac"] += len(prices)
        else:
            wanted.append(name)
    known = shapes(types, wanted)
    rejected["aws_rejected_unknown_size"] = sum(
        len(linux[name]) for name in wanted if name not in known
    )
    rows = [(region, name) for name in known for region in linux[name]]
    frame = pd.DataFrame(rows, columns=["region", "instance_type"]).assign(
        purchase=Purchase.ON_DEMAND.value,
        family=[known[name].family for _, name in rows],
        vcpus=[known[name].vcpus for _, name in rows],
        price_usd_per_hour=_column(linux, rows),
    )
    licensed = {name: _column(sections[name], rows) for name in LICENSED_SECTIONS}
    price, verdict = shared_prices(frame, licensed)
    return (
        frame[["region", "instance_type", "purchase"]].assign(
            price_usd_per_hour=np.where(verdict == Verdict.REJECTED, 0.0, price),
            source=np.where(verdict == Verdict.CORRECTED, CORRECTED_SOURCE, SOURCE),
            reason=np.where(verdict == Verdict.REJECTED, NOT_SHARED, ZERO_PRICE),
        ),
        known,
        rejected,
    )


def _column(section: Section, rows: list[tuple[str, str]]) -> NDArray[np.float64]:
    nothing: dict[str, float] = {}
    return np.array([section.get(name, nothing).get(region, 0.0) for region, name in rows])
