"""AWS's limits on vCPUs that run at once, and how much of them is in use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from models.inventory import Quota, QuotaUnit
from models.offerings import Purchase
from providers.aws.clients import Account, pages
from providers.aws.errors import Later, translated
from providers.aws.series import series_of
from providers.aws.types import families_in
from providers.seam import Scope

QUOTAS_PER_PAGE: Final = 100
USAGE_HOURS: Final = 3
"""How far back to look for the last figure: AWS writes one every five minutes, with delays."""
_PERIOD_S: Final = 300

STANDARD: Final = frozenset({"a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"})


@dataclass(frozen=True, slots=True)
class Class:
    """Families that are limited together, by the letters that their names begin with, with or
    without the generation, and the codes of their limits; high memory and HPC types have none on
    spot.
    """

    letters: frozenset[str]
    on_demand: str = ""
    spot: str = ""


CLASSES: Final = (
    Class(STANDARD, "L-1216C47A", "L-34B43A08"),
    Class(frozenset({"f"}), "L-74FC7D96", "L-88CF9481"),
    Class(frozenset({"g", "gr", "vt"}), "L-DB2E81BA", "L-3819A6DF"),
    Class(frozenset({"p"}), on_demand="L-417A185B"),
    Class(frozenset({"p2", "p3", "p4"}), spot="L-7212CCBC"),
    Class(frozenset({"p5", "p6"}), spot="L-C4BD4855"),  # P6 has no limit of its own
    Class(frozenset({"inf"}), "L-1945791B", "L-B5D1601B"),
    Class(frozenset({"trn"}), "L-2C3B7624", "L-6B0D517C"),
    Class(frozenset({"dl"}), "L-6E869C2A", "L-85EED4F7"),
    Class(frozenset({"x"}), "L-7295265B", "L-E3A00192"),
    Class(frozenset({"u"}), "L-43DA4232"),
    Class(frozenset({"hpc"}), "L-F7808C92"),
)
"""The quotas of EC2 that count vCPUs, as Service Quotas lists them."""

_KNOWN: Final = {
    code: (purchase, one.letters)
    for one in CLASSES
    for purchase, code in ((Purchase.ON_DEMAND, one.on_demand), (Purchase.SPOT, one.spot))
    if code
}


def letters_of(family: str) -> str:
    """m of m5, im of im4gn, u of u-6tb1."""
    return re.split(r"[\d-]", family, maxsplit=1)[0]


def is_counted(family: str, letters: frozenset[str]) -> bool:
    """Whether a family is among those that begin with ``letters``: p5en with p5, and with p."""
    return any(
        letters_of(family) == letters_of(one)
        and (one.isalpha() or re.fullmatch(rf"{one}(\D.*)?", family) is not None)
        for one in letters
    )


def quotas_of(account: Account, scope: Scope) -> Iterator[Quota]:
    """The vCPU quotas of a region, with what CloudWatch last counted."""
    families, later = families_in(account, scope.region), Later()
    for page in pages(
        account, account.service_quotas(scope.region), "list_service_quotas", "Quotas",
        ServiceCode="ec2", MaxResults=QUOTAS_PER_PAGE,
    ):  # fmt: skip
        used: dict[str, float] = {}
        with translated(account.asked("ListServiceQuotas", scope.region)):
            known = [one for one in page if one["QuotaCode"] in _KNOWN]
            with later.failing():  # limits hold without their use
                used = _used(account, scope.region, known, later)
            rows = [_row(scope, one, families, used) for one in known]
        # A class without families here limits nothing, and a quota without families, everything.
        yield from (row for row in rows if row.families)
    later.raise_first()


def _row(
    scope: Scope,
    facts: Mapping[str, Any],
    families: frozenset[str],
    used: Mapping[str, float],
) -> Quota:
    purchase, letters = _KNOWN[facts["QuotaCode"]]
    counted = sorted(family for family in families if is_counted(family, letters))
    return Quota(
        scope.account, scope.place, facts["QuotaName"], QuotaUnit.VCPUS, float(facts["Value"]),
        used.get(facts["QuotaCode"]), purchase, tuple(counted),
    )  # fmt: skip


def _used(
    account: Account, region: str, quotas: list[Mapping[str, Any]], later: Later
) -> dict[str, float]:
    """The last figure of each quota's own usage metric, by code."""
    metrics = [(one["QuotaCode"], one["UsageMetric"]) for one in quotas if "UsageMetric" in one]
    if not metrics:
        return {}
    ends = datetime.now(UTC)
    queries = [
        {
            "MetricStat": {
                "Metric": {
                    "Namespace": metric["MetricNamespace"],
                    "MetricName": metric["MetricName"],
                    "Dimensions": [
                        {"Name": name, "Value": value}
                        for name, value in sorted(metric["MetricDimensions"].items())
                    ],
                },
                "Period": _PERIOD_S,
                "Stat": metric.get("MetricStatisticRecommendation", "Maximum"),
            },
        }
        for _, metric in metrics
    ]
    last: dict[str, tuple[datetime, float]] = {}
    for number, values in series_of(
        account, region, queries, ends - timedelta(hours=USAGE_HOURS), ends, later
    ):
        code = metrics[number][0]
        for at, value in values.items():
            if code not in last or at > last[code][0]:
                last[code] = at, float(value)
    return {code: value for code, (_, value) in last.items()}
