"""What a world takes from a snapshot: its fleet, its quotas, its demand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from models.latency import great_circle_km
from models.places import Region
from models.rules import QuotaRule
from models.seen import Seen
from models.services import Origin
from scenarios.documents import WorldDocument
from scenarios.entries import GroupEntry
from scenarios.faults import Faults
from scenarios.history import checked_history
from scenarios.known import Known
from scenarios.lines import Mapped
from scenarios.tables import Written


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


def seen_quotas(
    seen: Seen, candidates: Sequence[Region], families: frozenset[str]
) -> tuple[QuotaRule, ...]:
    """Quotas that may bind: those of candidate places and of families that are for sale."""
    places = {region.place for region in candidates}
    return tuple(
        rule
        for rule in seen.quotas
        if rule.where.places <= places
        and (not rule.families or families.intersection(rule.families))
    )


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
