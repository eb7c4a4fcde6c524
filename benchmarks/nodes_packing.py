"""Vector bin packing instances from the literature, with known optima: how many are reached.

Baseline: the best of first-fit decreasing on the sum and on the largest of the relative sizes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.registry import Case, Metric, benchmark

INSTANCES = "packing/vbp_instances.parquet"
ITEMS = "packing/vbp_items.parquet"
SAMPLE = int(os.environ.get("PACKING_SAMPLE", "200"))
SEED = 20_241
LIMIT_S = 10.0  # of the processor, so that other work on the machine does not count


@benchmark(
    "nodes-packing",
    "optima reached on vector bin packing instances (PACKING_SAMPLE=0: on all of them)",
    needs=(INSTANCES, ITEMS),
)
def nodes_packing(data: Path | None) -> Iterator[Case]:
    if data is None:
        return
    known = pd.read_parquet(data / INSTANCES).dropna(subset=["opt"])
    chosen = known.sample(SAMPLE, random_state=SEED) if SAMPLE else known
    for name, part in chosen.groupby("set"):
        yield Case(str(name), partial(measure, data, tuple(part["instance_id"])))


def measure(data: Path, names: tuple[str, ...], folder: Path) -> Iterator[Metric]:
    """Pack each instance within the time limit; the sums tell how often the optimum came."""
    del folder
    from optimizer.nodes.deadline import Deadline
    from optimizer.nodes.pack import pack

    instances = pd.read_parquet(data / INSTANCES).set_index("instance_id")
    items = dict(list(pd.read_parquet(data / ITEMS).groupby("instance_id")))
    pack(
        _instance([[3, 2], [2, 3]], [2, 2], [6, 6]), gap=0.0, deadline=Deadline.after(1)
    )  # compile
    reached = proven = first_fit = too_high = 0
    seconds = []
    for name in names:
        row, table = instances.loc[name], items[name]
        instance = _instance(table["size"].tolist(), table["count"].tolist(), row["capacity"])
        began = process_time()
        packed = pack(instance, gap=0.0, deadline=Deadline.after(LIMIT_S, process_time))
        seconds.append(process_time() - began)
        _check(instance, packed)
        optimum = int(instances["opt"].to_dict()[name])
        reached += packed.cost == optimum
        proven += packed.cost == packed.bound
        too_high += packed.bound > optimum
        first_fit += _first_fit(instance) == optimum
    count = len(names)
    yield Metric("instances", count, "1")
    yield Metric("optimum_reached", reached / count, "1", baseline=first_fit / count)
    yield Metric("optimum_proven", proven / count, "1")
    yield Metric("bounds_above_optimum", too_high, "1")
    yield Metric("median_time", float(np.median(seconds)), "CPU s")
    yield Metric("longest_time", float(np.max(seconds)), "CPU s")


def _instance(sizes: Any, counts: Any, capacity: Any) -> Any:
    from optimizer.nodes.instance import Instance, everything_together

    given = np.array([list(size) for size in sizes], np.int64)
    distinct, which = np.unique(given, axis=0, return_inverse=True)
    demand = np.bincount(which.ravel(), weights=np.asarray(counts)).astype(np.int64)
    return Instance(
        sizes=distinct,
        demand=demand,
        capacities=np.array([list(capacity)], np.int64),
        prices=np.ones(1, np.int64),
        most=demand[None, :].copy(),
        apart=everything_together(),
    )


def _check(instance: Any, packed: Any) -> None:
    """Every item is packed, and no bin is too full."""
    packing = packed.packing
    if not (packing.held == instance.demand).all():
        raise RuntimeError("items are missing, or packed twice")
    if not (packing.pods @ instance.sizes <= instance.capacities[0]).all():
        raise RuntimeError("a bin is too full")


def _first_fit(instance: Any) -> int:
    relative = instance.sizes / np.maximum(instance.capacities[0], 1)
    counts = []
    for bulk in (relative.sum(axis=1), relative.max(axis=1)):
        bins: list[Any] = []
        for item in np.repeat(np.argsort(-bulk), instance.demand[np.argsort(-bulk)]).tolist():
            size = instance.sizes[item]
            room = next((free for free in bins if (size <= free).all()), None)
            if room is None:
                room = instance.capacities[0].copy()
                bins.append(room)
            room -= size
        counts.append(len(bins))
    return min(counts)
