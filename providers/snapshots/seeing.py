"""From a snapshot to the prices and the fleet of a world."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
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
from models.seen import NOBODY, REQUESTS_COLUMNS, Seen, SeenQuota
from models.world import Catalogue
from providers.pricebook import assembly
from providers.seam import Reading
from providers.snapshots.manifest import Part
from providers.snapshots.owning import owned_in
from providers.snapshots.reading import Snapshot

_RUNS: Final = (InstanceState.RUNNING, InstanceState.STARTING)
_HOUR_S: Final = 3600


READINGS_OF_USE: Final[Mapping[str, frozenset[Reading]]] = {
    "prices": frozenset({Reading.PRICES, Reading.INSTANCE_TYPES}),
    "fleet": frozenset({Reading.INSTANCES, Reading.GROUPS}),
    "quotas": frozenset(
        {Reading.QUOTAS, Reading.INSTANCES, Reading.GROUPS, Reading.INSTANCE_TYPES}
    ),
    "commitments": frozenset({Reading.COMMITMENTS, Reading.PRICES, Reading.INSTANCE_TYPES}),
    "demand": frozenset({Reading.SAMPLES, Reading.GROUPS}),
}
"""What must have been read for what a world takes. Groups say what their instances run."""

NO_ZONE: Final = "it is not offered in the zones that have a price"


def book_of(snapshot: Snapshot, regions: Mapping[str, Region]) -> PriceBook:
    """The prices of a snapshot as a price book. Zones with prices of their own count as their mean,
    where the type is offered. Types that no account may start in a place have no price there.

    Raises ``UnusableData`` when the snapshot has no prices.
    """
    prices, types = snapshot.frame("prices"), snapshot.frame("instance_types")
    keys = ["place", "instance_type"]
    fits = _in_zones(prices, types)
    rows = (
        prices[fits].groupby([*keys, "purchase"], observed=True, sort=False)
        .agg(price_usd_per_hour=("price_usd_per_hour", "mean"), as_of=("as_of", "min"),
             source=("source", "first"))
        .reset_index()
    )  # fmt: skip
    # Of several accounts, one that may start it says what it is.
    facts = types.sort_values("restriction", kind="stable", key=lambda reason: reason != "")
    facts = facts.drop_duplicates(keys).drop(columns=["account", "spot", "zones"])
    rows = rows.merge(facts, on=keys, how="left", validate="many_to_one")
    sized = rows["vcpus"].notna() & rows["place"].isin(list(regions))
    open_ = sized & rows["restriction"].eq("")
    if not open_.any():
        raise UnusableData(
            f"{snapshot.folder} has no prices of instance types that it knows and that are offered"
        )
    rejected, closed = snapshot.frame("rejected_prices"), rows[sized & ~open_]
    key = [*keys, "purchase", "reason"]
    unpriced = pd.concat(
        [
            rejected[key],
            closed.assign(reason="it is not offered: " + closed["restriction"])[key],
            prices[~fits].assign(reason=NO_ZONE)[key],
        ],
        ignore_index=True,
    )
    rows = _with_place(rows[open_])
    rows = rows.assign(
        price_date=rows["as_of"].dt.strftime("%Y-%m-%d"),
        baseline_vcpus=rows["baseline_vcpus"].where(rows["burstable"].eq(True), rows["vcpus"]),
    )
    missing = _with_place(unpriced).drop_duplicates(assembly.KEY)
    priced = pd.MultiIndex.from_frame(rows[assembly.KEY])
    missing = missing[~pd.MultiIndex.from_frame(missing[assembly.KEY]).isin(priced)]
    return PriceBook(
        f"{snapshot.manifest.name} of {snapshot.manifest.taken_at:%Y-%m-%d %H:%M} UTC",
        rows["as_of"].min().date(),
        assembly.ordered(rows),
        assembly.unpriced(missing),
        {
            "read": len(prices), "rejected": len(rejected), "unknown_type": int((~sized).sum()),
            "restricted": int((sized & ~open_).sum()), "not_offered_in_zone": int((~fits).sum()),
        },
    )  # fmt: skip


def _in_zones(prices: pd.DataFrame, types: pd.DataFrame) -> pd.Series:
    """Which prices are of a zone where their type is offered to any account, or of all zones."""
    offered = types.loc[types["restriction"] == "", ["place", "instance_type", "zones"]]
    zones = {
        (place, name, zone)
        for place, name, own in offered.itertuples(index=False, name=None)
        for zone in own
    }
    zoned = {key[:2] for key in zones}
    told = zip(prices["place"], prices["instance_type"], prices["zone"], strict=True)
    fits = [not key[2] or key[:2] not in zoned or key in zones for key in told]
    return pd.Series(fits, index=prices.index, dtype=bool)


def _with_place(rows: pd.DataFrame) -> pd.DataFrame:
    """``rows`` with cloud and region instead of their place."""
    parts = rows["place"].str.split("/", n=1, expand=True).reindex(columns=[0, 1])
    return rows.assign(cloud=parts[0], region=parts[1])


def refuse_old(
    snapshot: Snapshot, now: datetime, limit_hours: float, uses: Collection[str]
) -> None:
    """Raise ``UnusableData`` when a part that a world uses is older than allowed."""
    for part in _used(snapshot.manifest.parts, uses):
        age = now - part.read_at
        if part.rows and age > timedelta(hours=limit_hours):
            hours = age.total_seconds() / _HOUR_S
            # Near the limit rounded up: never "2 hours old, more than 2".
            near = hours - limit_hours < 1
            shown = f"{math.ceil(hours * 10) / 10:,.1f}" if near else f"{hours:,.0f}"
            raise UnusableData(
                f"{snapshot.folder}: {part.reading.in_words} of {part.scope} are {shown} hours "
                f"old, more than {limit_hours:,g}\n"
                "    → collect again, or raise 'refuse_after_hours'"
            )


def incomplete(
    snapshot: Snapshot, places: frozenset[str] | None, uses: Collection[str]
) -> tuple[str, ...]:
    """What a world in ``places`` (None: anywhere) would miss: parts not whole, in words."""
    return tuple(
        f"{part.reading.in_words} of {part.scope}: {part.why}"
        for part in _used(snapshot.manifest.faulty, uses)
        if places is None or part.scope.place in places or not part.region
    )


def _used(parts: Iterable[Part], uses: Collection[str]) -> Iterable[Part]:
    wanted = frozenset().union(*(READINGS_OF_USE[use] for use in uses))
    return (part for part in parts if part.reading in wanted)


def seen_in(snapshot: Snapshot, catalogue: Catalogue) -> Seen:
    """The fleet, the quotas, the requests and the contracts of a snapshot."""
    types = _types_in(catalogue.book)
    running = [
        replace(one, variant=one.variant or _beyond(one, types, catalogue.regions))
        for one in snapshot.rows(Instance)
        if one.state in _RUNS
    ]
    counted = Counter(
        (one.service, one.place, one.instance_type, one.purchase)
        for one in running
        if one.service and not one.variant
    )
    groups = tuple(Group(*key, count) for key, count in sorted(counted.items()))
    contracts = owned_in(snapshot, catalogue.book, catalogue.regions.keys())
    return Seen(
        str(snapshot.folder), snapshot.manifest.taken_at, groups,
        sum(not one.service and not one.variant for one in running),
        tuple(_quotas(snapshot, running)), _requests(snapshot), contracts.held, contracts.unknown,
        dict(sorted(Counter(one.variant for one in running if one.variant).items())),
        _accounts(running),
    )  # fmt: skip


def _types_in(book: PriceBook) -> frozenset[tuple[str, str]]:
    """Cloud and name of every instance type that a book knows, with a price or without."""
    return frozenset(
        pair
        for rows in (book.offerings, book.unpriced)
        for pair in rows[["cloud", "instance_type"]].itertuples(index=False, name=None)
    )


def _beyond(one: Instance, types: frozenset[tuple[str, str]], regions: Mapping[str, Region]) -> str:
    """What sets an instance apart that no world can plan: its type, or its place; else nothing."""
    cloud = one.place.partition("/")[0]
    known = one.place in regions and (cloud, one.instance_type) in types
    return "" if known else f"{one.instance_type} in {one.place}"


def _accounts(running: Iterable[Instance]) -> dict[str, frozenset[str]]:
    """The accounts in which each service runs."""
    found: dict[str, set[str]] = {}
    for one in running:
        if one.service and not one.variant:
            found.setdefault(one.service, set()).add(one.account)
    return {service: frozenset(accounts) for service, accounts in found.items()}


def _quotas(snapshot: Snapshot, running: list[Instance]) -> Iterable[SeenQuota]:
    """The clouds' quotas, and what the instances of each service use of them."""
    types = {(one.place, one.instance_type): one for one in snapshot.rows(InstanceType)}
    there: dict[tuple[str, str], list[Instance]] = {}
    for one in running:
        there.setdefault((one.account, one.place), []).append(one)
    for quota in snapshot.rows(Quota):
        if quota.unit not in (QuotaUnit.VCPUS, QuotaUnit.INSTANCES) or quota.place.endswith("/"):
            continue
        if not 0.0 <= quota.limit < math.inf:  # clouds write -1 for no limit
            continue
        used: dict[str, float] = {}
        unsized: set[str] = set()
        for one in there.get((quota.account, quota.place), ()):
            service = NOBODY if one.variant else one.service
            used[service] = used.get(service, 0.0) + _counted(quota, one, types)
            if (one.place, one.instance_type) not in types:
                unsized.add(service)
        vcpus = quota.unit is QuotaUnit.VCPUS
        rule = QuotaRule(
            name=quota.name,
            where=PlaceFilter(places=frozenset({quota.place})),
            families=quota.families,
            spot=None if quota.purchase is None else quota.purchase is Purchase.SPOT,
            vcpus_at_most=quota.limit if vcpus else None,
            instances_at_most=None if vcpus else quota.limit,
        )
        yield SeenQuota(quota.account, rule, used, quota.used, frozenset(unsized))


def _counted(
    quota: Quota, instance: Instance, types: Mapping[tuple[str, str], InstanceType]
) -> float:
    """How much of a quota an instance takes that runs where the quota holds."""
    if quota.purchase not in (None, instance.purchase):
        return 0.0
    kind = types.get((instance.place, instance.instance_type))
    if quota.families and (kind is None or kind.family not in quota.families):
        return 0.0
    if quota.unit is QuotaUnit.INSTANCES:
        return 1.0
    return 0.0 if kind is None else kind.vcpus


def _requests(snapshot: Snapshot) -> pd.DataFrame:
    """Requests per service, place and hour; hours that samples do not fill are left out."""
    services = {
        (one.account, one.place, one.id): one.service
        for one in snapshot.rows(InstanceGroup) if one.service
    }  # fmt: skip
    subject = ["account", "place", "subject"]
    samples = snapshot.frame("samples")
    own = samples[samples["signal"] == Signal.REQUESTS_RPS.value]
    runs = [services.get(key) for key in own[subject].itertuples(index=False, name=None)]
    own = _by_hour(own.assign(service=pd.Series(runs, own.index, dtype=object)).dropna())
    own = own.assign(rps=own["value"] * own["hours"])
    each = own.groupby(["ts", "service", *subject])[["hours", "rps"]].sum()
    whole = each[each["hours"] > 1 - 1e-9]
    found = whole["rps"].groupby(level=["service", "place", "ts"]).sum().reset_index()
    table: pd.DataFrame = found[list(REQUESTS_COLUMNS)]
    return table


def _by_hour(samples: pd.DataFrame) -> pd.DataFrame:
    """``samples`` cut at full hours: ``hours`` of each lie in the hour from ``ts`` on."""
    hour = pd.Timedelta(hours=1)
    ends = samples["at"] + pd.to_timedelta(samples["step_s"], unit="s")
    first = samples["at"].dt.floor("h")
    pieces = (ends.dt.ceil("h") - first) // hour
    cut = samples.loc[samples.index.repeat(pieces)]
    ts = first.loc[cut.index] + cut.groupby(level=0).cumcount() * hour
    inside = np.minimum(ends.loc[cut.index], ts + hour) - np.maximum(cut["at"], ts)
    return cut.assign(ts=ts, hours=inside / hour)
