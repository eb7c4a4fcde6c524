"""SKUs as Google's catalogue states them, for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

EFFECTIVE: Final = f"{datetime.now(UTC) - timedelta(hours=6):%Y-%m-%dT%H:00:00Z}"
"""Google dates its prices of now within the last 12 hours."""
REGIONS: Final = ("europe-west1", "us-central1")


def sku(
    description: str,
    usage: str,
    usd: float,
    unit: str = "h",
    regions: tuple[str, ...] = REGIONS,
    *,
    effective: str = EFFECTIVE,
    currency: str = "USD",
    tiers: tuple[tuple[float, float], ...] = (),
) -> dict[str, Any]:
    """A SKU at ``usd``, or in ``tiers`` of (from how much usage, USD)."""
    digest = sha256(repr((description, usage, regions, usd, effective)).encode()).hexdigest()
    number = "-".join((digest[:4], digest[4:8], digest[8:12])).upper()
    return {
        "name": f"services/6F81-5844-456A/skus/{number}",
        "skuId": number,
        "description": description,
        "category": {
            "serviceDisplayName": "Compute Engine", "resourceFamily": "Compute",
            "resourceGroup": "CPU", "usageType": usage,
        },
        "serviceRegions": list(regions),
        "pricingInfo": [
            {
                "effectiveTime": effective,
                "pricingExpression": {
                    "usageUnit": unit,
                    "tieredRates": [
                        {"startUsageAmount": start, "unitPrice": _money(price, currency)}
                        for start, price in tiers or ((0.0, usd),)
                    ],
                },
                "currencyConversionRate": 1.0,
            }
        ],
        "serviceProviderName": "Google",
    }  # fmt: skip


def _money(usd: float, currency: str) -> dict[str, Any]:
    units = int(usd)
    return {"currencyCode": currency, "units": str(units), "nanos": round((usd - units) * 1e9)}


def family(
    words: str, core: float, ram: float, committed: str | None = None
) -> list[dict[str, Any]]:
    """On demand, spot at a third, and committed for one and three years."""
    commit = f"{words.removesuffix(' Instance')} " if committed is None else committed
    found = []
    for part, usd, unit in (("Core", core, "h"), ("Ram", ram, "GiBy.h")):
        found += [
            sku(f"{words} {part} running in Belgium", "OnDemand", usd, unit),
            sku(f"Spot Preemptible {words} {part} running in Belgium", "Preemptible",
                round(usd / 3, 6), unit),
        ]  # fmt: skip
        for years, factor in ((1, 0.63), (3, 0.45)):
            name = "Cpu" if part == "Core" else "Ram"
            text = f"Commitment v1: {commit}{name} in Belgium for {years} Year"
            found.append(sku(text, f"Commit{years}Yr", round(usd * factor, 6), unit))
    return found


def catalogue() -> list[dict[str, Any]]:
    """What a test's cloud sells, and other things that must not be taken for it."""
    return [
        *family("E2 Instance", 0.022, 0.003),
        *family("N2 Instance", 0.032, 0.0042),
        *family("N1 Predefined Instance", 0.0316, 0.00424, committed=""),
        *family("T2A Arm Instance", 0.025, 0.0033),
        *family("Compute optimized Instance", 0.034, 0.0045),
        *family("G2 Instance", 0.025, 0.0029),
        sku("Micro Instance with burstable CPU running in Belgium", "OnDemand", 0.0076),
        sku("Spot Preemptible Micro Instance with burstable CPU running in Belgium",
            "Preemptible", 0.0035),
        sku("Nvidia L4 GPU running in Belgium", "OnDemand", 0.56),
        sku("Nvidia L4 GPU attached to Spot Preemptible VMs running in Belgium",
            "Preemptible", 0.22),
        *others(),
    ]  # fmt: skip


def others() -> list[dict[str, Any]]:
    """Variants that are no part of a predefined machine type, all at a price that would show."""
    return [
        sku(words, usage, 9.0)
        for words, usage in (
            ("E2 Sole Tenancy Instance Core running in Belgium", "OnDemand"),
            ("Sole Tenancy Premium for E2 Instance Core running in Belgium", "OnDemand"),
            ("E2 Custom Instance Core running in Belgium", "OnDemand"),
            ("N1 Custom Extended Instance Ram running in Belgium", "OnDemand"),
            ("N2 Custom Extended Instance Ram running in Belgium", "OnDemand"),
            ("Reserved E2 Instance Core running in Belgium", "OnDemand"),
            ("DWS Calendar Mode E2 Instance Core running in Belgium", "OnDemand"),
            ("DWS Defined Duration E2 Instance Core running in Belgium", "OnDemand"),
            ("Licensing Fee for Windows Server 2022 on E2 Instance Core", "OnDemand"),
            ("Commitment v1: E2 Custom Cpu in Belgium for 1 Year", "Commit1Yr"),
            ("E2 Instance Core running in Belgium", "Unknown"),
        )
    ]
