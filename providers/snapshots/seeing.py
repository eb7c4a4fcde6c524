"""From a snapshot to the prices and the fleet of a world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import pandas as pd

from models.errors import UnusableData
from models.fleet import Group
from models.inventory import (
    Instance,
    InstanceGroup,
    InstanceState,
    InstanceType,
    Quota,
    QuotaUnit,
    Signal,
)
from models.offerings import PriceBook, Purchase
from models.places import PlaceFilter, Region
from models.rules import QuotaRule
from models.seen import REQUESTS_COLUMNS, Seen
from models.world import Catalogue
from providers.pricebook import assembly
from providers.snapshots.owning import owned_in
from providers.snapshots.reading import Snapshot

_RUNS: Final = (InstanceState.RUNNING, InstanceState.STARTING)
_HOUR_S: Final = 3600


def book_of(snapshot: Snapshot, regions: Mapping[str, Region]) -> PriceBook:
    """The prices of a snapshot as a price book. Zones with prices of their own count as their mean.

    Raises ``UnusableData`` when the snapshot has no prices.
    """
    prices, types = snapshot.frame("prices"), snapshot.frame("instance_types")
    keys = ["place", "instance_type"]
    rows = (
        prices.groupby([*keys, "purchase"], observed=True, sort=False)
        .agg(price_usd_per_hour=("price_usd_per_hour", "mean"), as_of=("as_of", "min"),
             source=("source", "first"))
        .reset_index()
    )  # fmt: skip
    facts = types.drop_duplicates(keys).drop(columns=["account", "spot", "zones", "restriction"])
    rows = rows.merge(facts, on=keys, how="left", validate="many_to_one")
    sized = rows["vcpus"].notna() & rows["place"].isin(list(regions))
    if not sized.any():
        raise UnusableData(f"{snapshot.folder} has no prices of instance types that it knows")
    place = rows["place"].str.split("/", n=1, expand=True)
    rows = rows.assign(
        cloud=place[0],
        region=place[1],
        price_date=rows["as_of"].dt.strftime("%Y-%m-%d"),
        baseline_vcpus=rows["baseline_vcpus"].where(rows["burstable"].eq(True), rows["vcpus"]),
    )
    rejected = snapshot.frame("rejected_prices")
    lost = rejected["place"].str.split("/", n=1, expand=True).reindex(columns=[0, 1])
    missing = rejected.assign(cloud=lost[0], region=lost[1])
    return PriceBook(
        f"{snapshot.manifest.name} of {snapshot.manifest.taken_at:%Y-%m-%d %H:%M} UTC",
        rows.loc[sized, "as_of"].min().date(),
        assembly.ordered(rows[sized]),
        assembly.unpriced(missing.drop_duplicates(assembly.KEY)),
        {"read": len(prices), "rejected": len(rejected), "unknown_type": int((~sized).sum())},
    )


def refuse_old(snapshot: Snapshot, now: datetime, limit_hours: float) -> None:
    """Raise ``UnusableData`` when the prices of a snapshot are older than allowed."""
    for part in snapshot.manifest.parts:
        age = now - part.read_at
        if part.rows and age > timedelta(hours=limit_hours):
            hours = age.total_seconds() / _HOUR_S
            raise UnusableData(
                f"{snapshot.folder}: {part.reading} of {part.scope} are {hours:,.0f} hours old, "
                f"more than {limit_hours:,.0f}\n    → collect again, or raise 'refuse_after_hours'"
            )


def incomplete(snapshot: Snapshot, places: frozenset[str] | None) -> tuple[str, ...]:
    """What a world in ``places`` (None: anywhere) would miss: parts not whole, in words."""
    return tuple(
        f"{part.reading} of {part.scope}: {part.why}"
        for part in snapshot.manifest.faulty
        if places is None or part.scope.place in places or not part.region
    )


def seen_in(snapshot: Snapshot, catalogue: Catalogue) -> Seen:
    """The fleet, the quotas, the requests and the contracts of a snapshot."""
    running = [one for one in snapshot.rows(Instance) if one.state in _RUNS]
    counted = Counter(
        (one.service, one.place, one.instance_type, one.purchase) for one in running if one.service
    )
    groups = tuple(Group(*key, count) for key, count in sorted(counted.items()))
    others = [one for one in running if not one.service]
    return Seen(
        str(snapshot.folder), snapshot.manifest.taken_at, groups, len(others),
        tuple(_quotas(snapshot, others)), _requests(snapshot),
        owned_in(snapshot, catalogue.book, catalogue.regions.keys()).held,
    )  # fmt: skip


def _quotas(snapshot: Snapshot, others: list[Instance]) -> Iterable[QuotaRule]:
    """What the clouds' quotas leave, the least of all accounts, after what ``others`` use."""
    types = {(one.place, one.instance_type): one for one in snapshot.rows(InstanceType)}
    for quota in snapshot.rows(Quota):
        if quota.unit not in (QuotaUnit.VCPUS, QuotaUnit.INSTANCES) or quota.place.endswith("/"):
            continue
        taken = sum(_counted(quota, one, types) for one in others)
        left = max(quota.limit - taken, 0.0)
        vcpus = quota.unit is QuotaUnit.VCPUS
        yield QuotaRule(
            name=f"quota:{quota.account}:{quota.place}:{quota.name}",
            where=PlaceFilter(places=frozenset({quota.place})),
            families=quota.families,
            spot=None if quota.purchase is None else quota.purchase is Purchase.SPOT,
            vcpus_at_most=left if vcpus else None,
            instances_at_most=None if vcpus else left,
        )


def _counted(
    quota: Quota, instance: Instance, types: Mapping[tuple[str, str], InstanceType]
) -> float:
    """How much of a quota an instance takes."""
    kind = types.get((instance.place, instance.instance_type))
    if (
        instance.place != quota.place
        or instance.account != quota.account
        or quota.purchase not in (None, instance.purchase)
        or kind is None
        or (quota.families and kind.family not in quota.families)
    ):
        return 0.0
    return kind.vcpus if quota.unit is QuotaUnit.VCPUS else 1.0


def _requests(snapshot: Snapshot) -> pd.DataFrame:
    """Requests per service, place and hour; hours that samples do not fill are left out."""
    services = {one.id: one.service for one in snapshot.rows(InstanceGroup) if one.service}
    samples = snapshot.frame("samples")
    own = samples[samples["signal"] == Signal.REQUESTS_RPS.value]
    own = own.assign(service=own["subject"].map(services), ts=own["at"].dt.floor("h"))
    own = own[own["service"].notna()]
    hours = own["step_s"] / _HOUR_S
    own = own.assign(hours=hours, rps=own["value"] * hours)
    each = own.groupby(["ts", "service", "place", "subject"])[["hours", "rps"]].sum()
    whole = each[each["hours"] > 1 - 1e-9]
    found = whole["rps"].groupby(level=["service", "place", "ts"]).sum().reset_index()
    table: pd.DataFrame = found[list(REQUESTS_COLUMNS)]
    return table
