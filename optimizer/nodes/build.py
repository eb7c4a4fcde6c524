"""From pods and offerings to whole numbers, and back to named nodes.

CPU counts in thousandths of a vCPU, memory in KiB, GPUs in thousandths, money in 1e-8 USD. What
pods request is rounded up, what nodes offer and cost is rounded down, so that every packing holds
in truth and its bound is not too high.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
import pandas as pd

from models.nodes import Node, Pods, Reserve
from optimizer.nodes.instance import Instance, Packing, everything_together
from optimizer.nodes.knapsack import Flags, Ints

MONEY_PER_USD: Final = 10**8
_KIB_PER_GIB: Final = 2**20
_ROUNDING: Final = 1e-6  # of a unit: 0.29 vCPUs are 290 thousandths, whatever floats say


@dataclass(frozen=True, eq=False)
class Packable:
    """An instance, and who its items and types are.

    ``services`` are the rows of ``pods`` behind each item with how many of each; ``zone_of`` is
    the zone of each type, from 1, or 0. ``offerings`` has one row per type of node in one zone.
    """

    instance: Instance
    pods: tuple[Pods, ...]
    services: tuple[tuple[tuple[int, int], ...], ...]
    offerings: pd.DataFrame
    zone_of: Ints

    def nodes(self, packing: Packing) -> Iterator[Node]:
        """The nodes of a packing by name, equal ones together, the dearest first."""
        waiting = [list(parts) for parts in self.services]
        counted: dict[tuple[int, tuple[tuple[str, int], ...]], int] = {}
        rows = np.repeat(np.arange(len(packing.types)), packing.copies)
        for row in rows.tolist():
            held: dict[str, int] = {}
            for item in np.flatnonzero(packing.pods[row]).tolist():
                _take(waiting[item], int(packing.pods[row, item]), self.pods, held)
            key = (int(packing.types[row]), tuple(sorted(held.items())))
            counted[key] = counted.get(key, 0) + 1
        prices = self.instance.prices
        for (kind, content), copies in sorted(
            counted.items(), key=lambda entry: (-prices[entry[0][0]], entry[0])
        ):
            offering = self.offerings.iloc[kind % len(self.offerings)]
            yield Node(
                instance_type=str(offering["instance_type"]),
                purchase=str(offering["purchase"]),
                price_usd_per_hour=Decimal(repr(float(offering["price_usd_per_hour"]))),
                price_date=str(offering["price_date"]),
                zone=int(self.zone_of[kind]),
                copies=copies,
                pods=content,
            )


def _take(
    waiting: list[tuple[int, int]], count: int, pods: Sequence[Pods], held: dict[str, int]
) -> None:
    """Name ``count`` pods of an item: those of its first services that still have some."""
    while count:
        row, left = waiting[-1]
        taken = min(left, count)
        held[pods[row].name] = held.get(pods[row].name, 0) + taken
        count -= taken
        waiting.pop()
        if left > taken:
            waiting.append((row, left - taken))


def packable(
    pods: Sequence[Pods], offerings: pd.DataFrame, reserve: Reserve, zones: int = 0
) -> Packable:
    """Pods and the offerings of one place as an instance.

    Pods of one size that no rule tells apart become one item. With ``zones`` there is one type per
    offering and zone, and pods that are spread become one item per zone; without, spreading is
    left out, which can only make the packing cheaper.
    """
    items = list(_items(pods, zones))
    sizes = np.array([_size(pods[parts[0][0]]) for parts, _ in items], np.int64)
    demand = np.array([sum(count for _, count in parts) for parts, _ in items], np.int64)
    copies = max(zones, 1)
    zone_of = np.repeat(
        np.arange(1, copies + 1) if zones else np.zeros(1, np.int64), len(offerings)
    )
    capacities = np.tile(_capacities(offerings, reserve), (copies, 1))
    prices = np.floor(
        offerings["price_usd_per_hour"].to_numpy(np.float64) * MONEY_PER_USD + _ROUNDING
    )
    most = np.tile(_most(pods, [parts[0][0] for parts, _ in items], offerings), (copies, 1))
    most = np.minimum(most, demand)
    item_zone = np.array([zone for _, zone in items], np.int64)
    elsewhere = (item_zone > 0) & (item_zone != zone_of[:, None])
    most[elsewhere] = 0
    needed = sizes.any(axis=0)  # no GPUs asked for: one resource less to look at
    instance = Instance(
        np.ascontiguousarray(sizes[:, needed]),
        demand,
        np.ascontiguousarray(np.maximum(capacities[:, needed], 0)),
        np.tile(prices.astype(np.int64), copies),
        most,
        _apart(pods, [parts[0][0] for parts, _ in items]),
    )
    parts = tuple(tuple(parts) for parts, _ in items)
    return Packable(instance, tuple(pods), parts, offerings, zone_of)


def _items(pods: Sequence[Pods], zones: int) -> Iterator[tuple[list[tuple[int, int]], int]]:
    """Rows and counts of each item's services, and the zone it must run in, or 0."""
    named = {other for group in pods for other in group.apart_from}
    together: dict[tuple[object, int], list[tuple[int, int]]] = {}
    extra = 0
    for row, group in enumerate(pods):
        own = group.per_node is not None or bool(group.apart_from) or group.name in named
        alike: object = row if own else (_size(group), _kind(group))
        if not (zones and group.spread_zones):
            together.setdefault((alike, 0), []).append((row, group.count))
            continue
        least, more = divmod(group.count, zones)
        for k in range(zones):
            # the odd ones out take turns, so that no zone gets them all
            count = least + ((k - extra) % zones < more)
            if count:
                together.setdefault((alike, k + 1), []).append((row, count))
        extra += more
    for (_, zone), parts in together.items():
        yield parts, zone


def _kind(group: Pods) -> tuple[object, ...]:
    return (group.gpu_models, group.architectures)


def _size(group: Pods) -> tuple[int, int, int, int]:
    amounts = (group.vcpus * 1000, group.memory_gib * _KIB_PER_GIB, group.gpus * 1000)
    cpu, memory, gpus = (int(np.ceil(amount - _ROUNDING)) for amount in amounts)
    return cpu, memory, gpus, 1


def _capacities(offerings: pd.DataFrame, reserve: Reserve) -> Ints:
    """What a node of each type has left for pods; negative where the system takes it all."""
    vcpus = offerings["baseline_vcpus"].to_numpy(np.float64) - reserve.vcpus
    memory = offerings["memory_gib"].to_numpy(np.float64) - reserve.memory_gib
    gpus = offerings["gpus"].to_numpy(np.float64)
    pods = np.full(len(offerings), float(reserve.pods_per_node))
    amounts = np.column_stack((vcpus * 1000, memory * _KIB_PER_GIB, gpus * 1000, pods))
    return np.floor(amounts + _ROUNDING).astype(np.int64)


def _most(pods: Sequence[Pods], rows: Sequence[int], offerings: pd.DataFrame) -> Ints:
    """How many pods of each item the rules let a node of each type hold."""
    architecture = offerings["architecture"].to_numpy(object)
    model = offerings["gpu_model"].to_numpy(object)
    most = np.zeros((len(offerings), len(rows)), np.int64)
    for item, row in enumerate(rows):
        group = pods[row]
        may = np.isin(architecture, [one.value for one in group.architectures])
        if group.gpu_models:
            may &= np.isin(model, list(group.gpu_models))
        most[may, item] = np.iinfo(np.int32).max if group.per_node is None else group.per_node
    return most


def _apart(pods: Sequence[Pods], rows: Sequence[int]) -> Flags:
    """Which items may not share a node; empty when all may."""
    if not any(group.apart_from for group in pods):
        return everything_together()
    names = [pods[row].name for row in rows]
    apart = np.array([[name in pods[row].apart_from for name in names] for row in rows], np.bool_)
    return np.ascontiguousarray(apart | apart.T)
