"""The cheapest nodes of a place for many services' pods, with names, prices and a proof."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from time import perf_counter
from typing import Final

import pandas as pd

from models.nodes import NoNodes, Pods, Reserve, SharedNodes
from models.offerings import PriceBook, Purchase
from models.places import Region
from optimizer.nodes.autoscaler import first_fit
from optimizer.nodes.build import MONEY_PER_USD, Packable, packable
from optimizer.nodes.deadline import Deadline
from optimizer.nodes.pack import Packed, pack, prove
from optimizer.solve.answers import proof_of
from optimizer.watch import SILENT, Watch

_RESERVE: Final = Reserve()
_PROVING: Final = 0.4  # share of the time for the bound, when it comes from a smaller problem


def share_nodes(
    pods: Sequence[Pods],
    region: Region,
    book: PriceBook,
    *,
    purchase: Purchase = Purchase.ON_DEMAND,
    burstable: bool = False,
    reserve: Reserve = _RESERVE,
    gap: float = 0.001,
    time_limit_s: float = 30.0,
    watch: Watch = SILENT,
) -> SharedNodes | NoNodes:
    """The cheapest nodes of ``region`` for all pods, within ``gap`` or until time is up.

    Zones of a region cost the same, so a fractional packing can be split over them evenly: rules
    that spread pods cannot raise the bound, which is that of the pods without them.
    """
    began = perf_counter()
    deadline = Deadline.after(time_limit_s)
    offerings = node_types(book, region, purchase, burstable=burstable)
    whole = packable(pods, offerings, reserve)
    if reasons := _reasons(whole, region, purchase):
        return NoNodes(region.place, reasons)
    if any(group.spread_zones for group in pods) and region.zones > 1:
        zoned = packable(pods, offerings, reserve, region.zones)
        bound = prove(whole.instance, gap=gap / 10, deadline=deadline.within(_PROVING))
        within = pack(zoned.instance, gap=gap, deadline=deadline, target=bound, watch=watch)
        packed = Packed(within.packing, within.cost, min(bound, within.cost))
    else:
        zoned = whole
        packed = pack(whole.instance, gap=gap, deadline=deadline, watch=watch)
    autoscaled = first_fit(zoned.instance, fewest_first=False)
    nodes = tuple(zoned.nodes(packed.packing))
    usd = sum((node.usd_per_hour for node in nodes), Decimal(0))
    bound_usd = min(Decimal(packed.bound) / MONEY_PER_USD, usd)
    return SharedNodes(
        place=region.place,
        nodes=nodes,
        bound_usd_per_hour=bound_usd,
        gap=float((usd - bound_usd) / usd),
        proof=proof_of(float(usd), float(bound_usd), gap),
        first_fit_usd_per_hour=(
            None
            if autoscaled is None
            else sum((node.usd_per_hour for node in zoned.nodes(autoscaled)), Decimal(0))
        ),
        book=book.name,
        as_of=book.as_of,
        seconds=perf_counter() - began,
    )


def node_types(
    book: PriceBook, region: Region, purchase: Purchase, *, burstable: bool
) -> pd.DataFrame:
    """The offerings that may become nodes; burstable ones count with what they sustain."""
    rows = book.offerings
    keep = (
        (rows["cloud"] == region.cloud.value)
        & (rows["region"] == region.name)
        & (rows["purchase"] == purchase.value)
        & rows["baseline_vcpus"].notna()
    )
    if not burstable:
        keep &= ~rows["burstable"].astype(bool)
    return rows[keep].reset_index(drop=True)


def _reasons(whole: Packable, region: Region, purchase: Purchase) -> tuple[str, ...]:
    """Why some pods have no node at all."""
    if whole.offerings.empty:
        return (f"the price book has no {purchase.value} node types in {region.place}",)
    reasons = []
    for item in whole.instance.homeless.tolist():
        for row, _ in whole.services[item]:
            group = whole.pods[row]
            asked = f"{group.vcpus:g} vCPUs, {group.memory_gib:g} GiB"
            if group.gpus:
                models = " or ".join(sorted(group.gpu_models)) or "any model"
                asked += f", {group.gpus:g} GPUs ({models})"
            kinds = " or ".join(sorted(one.value for one in group.architectures))
            reasons.append(
                f"{group.name}: no {purchase.value} node type in {region.place} has {asked} "
                f"on {kinds} beside what the system takes"
            )
    return tuple(reasons)
