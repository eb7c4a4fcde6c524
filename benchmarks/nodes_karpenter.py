"""Pods as in Karpenter's scheduling benchmark, on its made-up node types and on real ones.

Karpenter's ``fake.InstanceTypes(400)`` (pkg/cloudprovider/fake/instancetype.go): type i has i
vCPUs, 2 i GiB and room for 10 i pods, at 0.1 USD per vCPU and per 10^9 bytes an hour; 100 mCPU and
10 MiB are kept back on each. Pods take {100, 250, 500, 1000, 1500} mCPU and {100, 256, 512, 1024,
2048, 4096} MiB each (scheduling_benchmark_test.go); its affinities and spreads are left out.

Baselines: Karpenter's scheduler (first-fit decreasing, nodes with the fewest pods first, the type
of a node settled at the end); the same with the nodes in the order in which they were opened; and
first-fit decreasing onto nodes of the one type that suits it best, each then shrunk to the
cheapest type that holds its pods.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks.registry import Case, Metric, benchmark

PODS = 20_000
TYPES = 400
SEED = 42
MILLI_CPUS = (100, 250, 500, 1000, 1500)
MEBIBYTES = (100, 256, 512, 1024, 2048, 4096)
PLACES = ("aws/us-east-1", "azure/eastus", "gcp/us-central1")
CANDIDATES = 20
GAP = 0.001
LIMIT_S = 60.0
MONEY_PER_USD = 10**6


@benchmark("nodes-karpenter", "cost, proven gap and time of packing 20,000 pods onto shared nodes")
def nodes_karpenter(data: Path | None) -> Iterator[Case]:
    del data
    yield Case("Karpenter's 400 types", measure_made_up)
    for place in PLACES:
        yield Case(place, partial(measure_real, place))


def drawn() -> tuple[Any, Any]:
    """Distinct pods (mCPU, MiB), and how many of each."""
    chance = np.random.default_rng(SEED)
    pods = np.column_stack((chance.choice(MILLI_CPUS, PODS), chance.choice(MEBIBYTES, PODS)))
    return np.unique(pods, axis=0, return_counts=True)


def measure_made_up(folder: Path) -> Iterator[Metric]:
    """Karpenter's own node types."""
    del folder
    from optimizer.nodes.instance import Instance, everything_together

    sizes, demand = drawn()
    i = np.arange(1, TYPES + 1)
    instance = Instance(
        sizes=np.column_stack((sizes, np.ones(len(sizes), np.int64))),
        demand=demand,
        capacities=np.column_stack((1000 * i - 100, 2048 * i - 10, 10 * i)),
        prices=np.rint((0.1 * i + 0.1 * i * 2**31 / 1e9) * MONEY_PER_USD).astype(np.int64),
        most=np.tile(demand, (TYPES, 1)),
        apart=everything_together(),
    )
    yield from _measured(instance, MONEY_PER_USD)


def measure_real(place: str, folder: Path) -> Iterator[Metric]:
    """On-demand types of the embedded book; 0.1 vCPU, 0.5 GiB kept back, 110 pods a node."""
    del folder
    from models.nodes import Pods, Reserve
    from models.offerings import Purchase
    from optimizer.nodes.build import MONEY_PER_USD as UNITS
    from optimizer.nodes.build import packable
    from optimizer.nodes.share import node_types
    from providers.geography.regions import load_regions
    from providers.pricebook.embedded import load_embedded_book

    known = load_regions()
    book = load_embedded_book(known)
    offerings = node_types(book, known[place], Purchase.ON_DEMAND, burstable=False)
    pods = [
        Pods(f"{cpu}m-{memory}Mi", cpu / 1000, memory / 1024, count)
        for (cpu, memory), count in zip(*(part.tolist() for part in drawn()), strict=True)
    ]
    yield from _measured(packable(pods, offerings, Reserve()).instance, UNITS)


def _onto_one_type(instance: Any) -> int:
    """First-fit decreasing onto the best of the types that look cheapest by volume."""
    from optimizer.nodes.autoscaler import first_fit

    total = instance.demand @ instance.sizes
    by_volume = (total / np.maximum(instance.capacities, 1)).max(axis=1) * instance.prices
    costs = []
    for kind in np.argsort(by_volume)[:CANDIDATES].tolist():
        made = first_fit(instance.only(np.array([kind])), fewest_first=False)
        if made is not None:
            costs.append(made.right_sized(instance).cost(instance))
    return min(costs)


def _measured(instance: Any, units: int) -> Iterator[Metric]:
    from optimizer.nodes.autoscaler import first_fit
    from optimizer.nodes.deadline import Deadline
    from optimizer.nodes.pack import pack

    began = perf_counter()
    plain = first_fit(instance, fewest_first=False)
    karpenter = first_fit(instance, fewest_first=True)
    pack(instance, gap=1.0, deadline=Deadline.after(1))
    compiling = perf_counter() - began
    began, began_cpu = perf_counter(), process_time()
    packed = pack(instance, gap=GAP, deadline=Deadline.after(LIMIT_S))
    seconds, cpu = perf_counter() - began, process_time() - began_cpu
    if not (packed.packing.held == instance.demand).all():
        raise RuntimeError("pods are missing, or packed twice")
    used = packed.packing.pods @ instance.sizes
    if not (used <= instance.capacities[packed.packing.types]).all():
        raise RuntimeError("a node is too full")
    assert plain is not None
    assert karpenter is not None
    heuristics = {
        "karpenter_like": karpenter.cost(instance),
        "first_fit_decreasing": plain.cost(instance),
        "first_fit_best_type": _onto_one_type(instance),
    }
    cost = packed.cost / units
    yield Metric("node_types", instance.types, "1")
    yield Metric("cost", cost, "USD/h")
    yield Metric("bound", packed.bound / units, "USD/h")
    yield Metric("gap", packed.gap, "1")
    for name, amount in heuristics.items():
        yield Metric(name, amount / units, "USD/h", baseline=cost)
        yield Metric(f"below_{name}", amount / units - cost, "USD/h")
    yield Metric("nodes", int(packed.packing.copies.sum()), "1", int(karpenter.copies.sum()))
    yield Metric("time", seconds, "s")
    yield Metric("time_of_processor", cpu, "s")
    yield Metric("loading_and_heuristics", compiling, "s")
