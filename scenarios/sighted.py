"""What a world takes from a snapshot or from telemetry: its fleet, its quotas, its demand."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from models.demand import History
from models.latency import great_circle_km
from models.places import Region
from models.rules import QuotaRule
from models.secrets import without_secrets
from models.seen import Seen
from models.services import Origin
from scenarios.documents import WorldDocument
from scenarios.entries import GroupEntry
from scenarios.faults import Faults
from scenarios.history import checked_history
from scenarios.known import Known
from scenarios.lines import Mapped
from scenarios.tables import Written

_MOST_NAMED: Final = 10


def seen_groups(document: WorldDocument, seen: Seen, known: Known) -> list[Written[GroupEntry]]:
    """What ran of the world's services, as if it had been written where the snapshot is named."""
    return [
        Written(
            GroupEntry(
                service=group.service, place=group.place, instance_type=group.instance_type,
                purchase=group.purchase, count=group.count,
            ),
            str(document.path),
            Mapped(document.at("snapshot").line),
        )
        for group in seen.groups
        if group.service in known.service_names
    ]  # fmt: skip


def seen_quotas(seen: Seen, candidates: Sequence[Region], known: Known) -> tuple[QuotaRule, ...]:
    """Quotas that may bind: those of candidate places and of families that are for sale, after what
    runs that is not the world's.

    The accounts are those that run its services (all, while none does). What they may have of the
    same adds up: a plan does not say in which of them a replica runs.
    """
    places = {region.place for region in candidates}
    own = frozenset().union(*(seen.accounts.get(one, ()) for one in known.service_names))
    same: dict[tuple[object, ...], list[tuple[str, QuotaRule]]] = {}
    for quota in seen.quotas:
        rule = quota.left_to(known.service_names)
        may_bind = not rule.families or known.families.intersection(rule.families)
        if rule.where.places <= places and may_bind and (not own or quota.account in own):
            vcpus = rule.vcpus_at_most is not None
            key = (*rule.where.places, rule.name, rule.families, rule.spot, vcpus)
            same.setdefault(key, []).append((quota.account, rule))
    return tuple(_together(rules) for rules in same.values())


def _together(rules: Sequence[tuple[str, QuotaRule]]) -> QuotaRule:
    """What several accounts may have of the same, under a name that says of which."""
    first = rules[0][1]
    accounts = "+".join(account for account, _ in rules)
    (place,) = first.where.places
    name = f"quota:{accounts}:{place}:{first.name}"
    if first.vcpus_at_most is not None:
        vcpus = sum(rule.vcpus_at_most or 0.0 for _, rule in rules)
        return replace(first, name=name, vcpus_at_most=vcpus)
    instances = sum(rule.instances_at_most or 0.0 for _, rule in rules)
    return replace(first, name=name, instances_at_most=instances)


def overlooked(seen: Seen, services: Collection[str], uses: Collection[str]) -> Iterator[str]:
    """What a world of ``services`` leaves in a snapshot, although it uses its like, in words."""
    foreign: dict[str, int] = {}
    for group in seen.groups:
        if group.service not in services:
            foreign[group.service] = foreign.get(group.service, 0) + group.count
    if {"fleet", "quotas"} & set(uses):
        off = "not planned for, and taken off the quotas"
        if foreign:
            count, which = _listed(foreign)
            yield f"{seen.file}: {count} of services that the world does not know: {which}; {off}"
        if seen.variants:
            count, which = _listed(seen.variants)
            yield f"{seen.file}: {count} that prices are not of: {which}; {off}"
        if seen.nameless:
            count, _ = _listed({"": seen.nameless})
            yield f"{seen.file}: {count} of which nobody says what they run; {off}"
    if "commitments" in uses and seen.unclear_commitments:
        which = _some(seen.unclear_commitments)
        yield f"{seen.file}: contracts of which the rates are not known are left out: {which}"


def _listed(counts: Mapping[str, int]) -> tuple[str, str]:
    """How many in all, and which, the most numerous first."""
    count = sum(counts.values())
    each = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    which = _some([f"{name} ({number:,})" for name, number in each])
    return f"{count:,} instance{'s' if count != 1 else ''}", which


def _some(names: Sequence[str]) -> str:
    """The first of ``names``, each on one line: people who tag machines wrote them."""
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(map(without_secrets, names[:_MOST_NAMED])) + more


def seen_history(
    document: WorldDocument,
    seen: Seen,
    origins: Sequence[Origin],
    regions: Sequence[Region],
    known: Known,
    faults: Faults,
) -> pd.DataFrame | None:
    """Requests as a demand history: they come from the origin nearest to where they went."""
    requests = seen.requests[seen.requests["service"].isin(known.services)]
    if requests.empty:
        hint = "give a 'history', or collect metrics of the groups that run the services"
        faults.add(document.at("snapshot"), "the snapshot has no requests of the services", hint)
        return None
    if not origins:
        return None
    distance = great_circle_km(
        [region.coordinates for region in regions], [origin.coordinates for origin in origins]
    )
    nearest = {
        region.place: origins[int(i)].name
        for region, i in zip(regions, np.argmin(distance, axis=1), strict=True)
    }
    rows = requests.assign(origin=requests["place"].map(nearest))
    rows = rows[rows["origin"].notna()]
    sums = rows.groupby(["service", "origin", "ts"], as_index=False)["rps"].sum()
    table = pa.Table.from_pandas(sums[["ts", "service", "origin", "rps"]], preserve_index=False)
    gaps = document.content.demand.gaps == "fill"
    path = Path(seen.file) / "samples.parquet"
    return checked_history(table, path, known.service_names, known.origins, gaps, faults)


def measured_history(
    document: WorldDocument,
    measured: History,
    callees: Collection[str],
    known: Known,
    faults: Faults,
) -> pd.DataFrame | None:
    """Requests that telemetry counted as a demand history.

    Services that others call are asked by those, too: what is counted of them without an origin is
    not what users ask, and is left out. So are services that the world does not know.
    """
    at = document.at("demand", "telemetry")
    rows = measured.frame
    from_users = (rows["origin"] != "") | ~rows["service"].isin(sorted(callees))
    rows = rows[rows["service"].isin(known.services) & from_users]
    if rows.empty:
        hint = "compare names of services there and in the world: trimtab observe shows them"
        faults.add(at, "the telemetry has no requests of the world's services", hint)
        return None
    unnamed = rows["origin"] == ""
    if unnamed.any():
        if len(known.origins) != 1:
            which = _some(sorted(set(rows["service"][unnamed])))
            hint = "let a label name the origin (origin_labels), or write one origin"
            faults.add(at, f"the telemetry names no origin of requests of {which}", hint)
            return None
        rows = rows.assign(origin=rows["origin"].mask(unnamed, next(iter(known.origins))))
    table = pa.Table.from_pandas(rows, preserve_index=False)
    gaps = document.content.demand.gaps == "fill"
    path = document.folder / str(document.content.demand.telemetry)
    return checked_history(table, path, known.service_names, known.origins, gaps, faults)
