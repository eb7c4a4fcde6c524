"""Azure's part of the embedded book: section ``azure_linux`` of libcloud's price file.

The file squeezes names (``standardd16sv3``); here they become Azure's own (``Standard_D16s_v3``).
Sizes follow Azure's size documentation: vCPUs stand in the name, memory follows from the series,
and what is irregular stands in a table.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from typing import Final

import pandas as pd

from models.offerings import Purchase
from providers.pricebook.assembly import ZERO_PRICE
from providers.pricebook.libcloud_files import Section
from providers.pricebook.shapes import Shape

SOURCE: Final = "apache-libcloud azure_linux"
PRICE_DATE: Final = date(2020, 11, 1)
"""The earliest month that the section's contents permit; see docs/prices.md."""

_KEY = re.compile(
    r"(?P<tier>basic|standard|lowpriority)(?P<letters>[a-z]+?)(?P<size>\d+)"
    r"(?P<features>[a-z]*?)(?P<gpu>t4)?(?P<version>v\d)?(?P<promo>promo)?"
)

_D_VCPUS: Final = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 11: 2, 12: 4, 13: 8, 14: 16, 15: 20}
_A_SIZES: Final = {  # vCPUs, GiB
    0: (1, 0.75), 1: (1, 1.75), 2: (2, 3.5), 3: (4, 7.0), 4: (8, 14.0), 5: (2, 14.0),
    6: (4, 28.0), 7: (8, 56.0), 8: (8, 56.0), 9: (16, 112.0), 10: (8, 56.0), 11: (16, 112.0),
}  # fmt: skip
_GIB_PER_VCPU: Final = {  # by letters and version
    "av2": 2.0, "b": 4.0, "dv3": 4.0, "dv4": 4.0, "dc": 4.0, "dcv2": 4.0,
    "ev3": 8.0, "ev4": 8.0, "f": 2.0, "fv2": 2.0, "h": 7.0, "l": 8.0, "lv2": 8.0,
    "nc": 56 / 6, "ncv2": 112 / 6, "ncv3": 112 / 6, "nd": 112 / 6,
    "nv": 56 / 6, "nvv3": 56 / 6, "nvv4": 3.5, "pb": 112 / 6,
}  # fmt: skip
_MEMORY_GIB: Final = {  # where no ratio holds, by Azure's name
    "Standard_B1ls": 0.5, "Standard_B1s": 1.0, "Standard_B1ms": 2.0, "Standard_B2s": 4.0,
    "Standard_E64_v3": 432.0, "Standard_E64s_v3": 432.0,
    "Standard_E64i_v3": 432.0, "Standard_E64is_v3": 432.0,
    "Standard_E64_v4": 504.0, "Standard_E64s_v4": 504.0,
    "Standard_E64d_v4": 504.0, "Standard_E64ds_v4": 504.0,
    "Standard_E96a_v4": 672.0, "Standard_E96as_v4": 672.0,
    "Standard_HB60rs": 228.0, "Standard_HB120rs_v2": 456.0, "Standard_HC44rs": 352.0,
    "Standard_M8ms": 218.75, "Standard_M16ms": 437.5, "Standard_M32ms": 875.0,
    "Standard_M32ls": 256.0, "Standard_M32ts": 192.0, "Standard_M64ls": 512.0,
    "Standard_M64": 1024.0, "Standard_M64s": 1024.0,
    "Standard_M64m": 1792.0, "Standard_M64ms": 1792.0,
    "Standard_M128": 2048.0, "Standard_M128s": 2048.0,
    "Standard_M128m": 3892.0, "Standard_M128ms": 3892.0,
    "Standard_M208s_v2": 2850.0, "Standard_M208ms_v2": 5700.0,
    "Standard_M416s_v2": 5700.0, "Standard_M416ms_v2": 11400.0,
    "Standard_NC4as_T4_v3": 28.0, "Standard_NC8as_T4_v3": 56.0,
    "Standard_NC16as_T4_v3": 110.0, "Standard_NC64as_T4_v3": 440.0,
    "Standard_ND40rs_v2": 672.0,
}  # fmt: skip
_GPUS: Final = {  # by letters and version: model, vCPUs per GPU
    "nc": ("K80", 6), "ncv2": ("P100", 6), "ncv3": ("V100", 6),
    "nd": ("P40", 6), "ndv2": ("V100", 5),
    "nv": ("M60", 6), "nvv3": ("M60", 12), "nvv4": ("MI25", 32),
}  # fmt: skip
_T4_COUNT: Final = {4: 1, 8: 1, 16: 1, 64: 4}
_BASELINE_VCPUS: Final = {  # base performance of the whole VM, in vCPUs
    "Standard_B1ls": 0.05, "Standard_B1s": 0.1, "Standard_B1ms": 0.2, "Standard_B2s": 0.4,
    "Standard_B2ms": 0.6, "Standard_B4ms": 0.9, "Standard_B8ms": 1.35, "Standard_B12ms": 2.02,
    "Standard_B16ms": 2.7, "Standard_B20ms": 3.37,
}  # fmt: skip
_NAMED_OTHERWISE: Final = {"Standard_DC8s_v2": "Standard_DC8_v2"}


def quotes(section: Section) -> tuple[pd.DataFrame, dict[str, Shape], Counter[str]]:
    """Prices (``QUOTE_COLUMNS``), shapes, and what was rejected.

    Promotional prices are rejected: they end, and stand beside the regular ones.
    """
    rejected: Counter[str] = Counter()
    shapes: dict[str, Shape] = {}
    rows: list[tuple[str, str, str, float]] = []
    for key, prices in section.items():
        parsed = _parse(key)
        if isinstance(parsed, str):
            rejected[parsed] += len(prices)
            continue
        name, purchase, shape = parsed
        shapes[name] = shape
        rows.extend((region, name, purchase, float(price)) for region, price in prices.items())
    columns = ["region", "instance_type", "purchase", "price_usd_per_hour"]
    frame = pd.DataFrame(rows, columns=columns).assign(source=SOURCE, reason=ZERO_PRICE)
    return frame, shapes, rejected


def _parse(key: str) -> tuple[str, str, Shape] | str:
    """Azure's name, purchase option and shape of a key of the file, or why it is rejected."""
    match = _KEY.fullmatch(key)
    if match is None:
        return "azure_rejected_unknown_size"
    if match["promo"]:
        return "azure_rejected_promotional_price"
    letters, size, features = match["letters"], int(match["size"]), match["features"]
    version = match["version"] or ""
    if letters == "d" and features == "s" and not version:  # the file's D1s is Azure's DS1
        letters, features = "ds", ""
    tier = "Basic" if match["tier"] == "basic" else "Standard"
    suffix = ("_T4" if match["gpu"] else "") + (f"_{version}" if version else "")
    name = f"{tier}_{letters.upper()}{size}{features}{suffix}"
    name = _NAMED_OTHERWISE.get(name, name)
    purchase = Purchase.SPOT if match["tier"] == "lowpriority" else Purchase.ON_DEMAND
    series = letters + version
    family = letters.upper() + re.sub("[^ads]", "", features) + suffix.replace("_", "")
    vcpus, memory_gib = _size(name, letters, version, size, features)
    if memory_gib is None:
        return "azure_rejected_unknown_size"
    model, vcpus_per_gpu = ("T4", 0) if match["gpu"] else _GPUS.get(series, ("", 0))
    shape = Shape(
        family=family,
        vcpus=vcpus,
        memory_gib=memory_gib,
        gpus=_T4_COUNT[size] if match["gpu"] else vcpus / vcpus_per_gpu if vcpus_per_gpu else 0.0,
        gpu_model=model,
        burstable=letters == "b",
        baseline_vcpus=_BASELINE_VCPUS.get(name),
    )
    return name, purchase.value, shape


def _size(
    name: str, letters: str, version: str, size: int, features: str
) -> tuple[int, float | None]:
    """vCPUs and GiB of memory (None: unknown)."""
    if letters == "a" and not version:
        return _A_SIZES[size]
    if letters in ("g", "gs"):
        return 2**size, 14.0 * 2**size
    if letters in ("d", "ds") and version in ("", "v2"):
        vcpus = _D_VCPUS[size]
        return vcpus, vcpus * (7.0 if size > 10 else 3.5)
    if name in _MEMORY_GIB:
        return size, _MEMORY_GIB[name]
    ratio = _GIB_PER_VCPU.get(letters + version)
    if ratio is None:
        return size, None
    extra = {"a": 4.0, "h": 2.0}.get(letters, 1.0) if "m" in features else 1.0  # A2m_v2, H8m
    return size, round(size * ratio * extra, 6)
