"""Small packing problems, a naive model that solves them, and a checker that shares no code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pulp

from models.nodes import Node, Pods, Reserve, SharedNodes
from models.offerings import BOOK_COLUMNS
from optimizer.nodes.instance import Instance, Packing, everything_together


def random_instance(seed: int) -> Instance:
    """A few items and types, some of them with conflicts and limits."""
    chance = np.random.default_rng(seed)
    items, types, resources = (int(n) for n in chance.integers((1, 1, 1), (5, 4, 4)))
    capacities = chance.integers(4, 20, (types, resources))
    sizes = chance.integers(0, 8, (items, resources))
    sizes[:, 0] = np.maximum(sizes[:, 0], 1)
    capacities[0] = np.maximum(capacities[0], sizes.max(axis=0))  # somewhere every item fits
    apart = everything_together()
    if items > 1 and chance.random() < 0.4:
        apart = np.zeros((items, items), np.bool_)
        apart[0, 1] = apart[1, 0] = True
    most = chance.integers(0, 4, (types, items))
    most[0] = np.maximum(most[0], 1)
    return Instance(
        sizes=sizes,
        demand=chance.integers(1, 4, items),
        capacities=capacities,
        prices=chance.integers(1, 12, types),
        most=most,
        apart=apart,
    )


def cheapest(instance: Instance) -> int:
    """The least cost, by a model with a variable per pod, item and node (solved by CBC)."""
    pods = int(instance.demand.sum())
    nodes = list(product(range(instance.types), range(pods)))
    model = pulp.LpProblem("packing", pulp.LpMinimize)
    items = range(instance.items)
    on = {n: pulp.LpVariable(f"on_{n[0]}_{n[1]}", cat="Binary") for n in nodes}
    runs = {
        (n, i): pulp.LpVariable(f"runs_{n[0]}_{n[1]}_{i}", 0, int(instance.demand[i]), "Integer")
        for n in nodes
        for i in items
    }
    has = {
        (n, i): pulp.LpVariable(f"has_{n[0]}_{n[1]}_{i}", cat="Binary")
        for n in nodes
        for i in items
    }
    model += pulp.lpSum(int(instance.prices[n[0]]) * on[n] for n in nodes)
    for i in items:
        model += pulp.lpSum(runs[n, i] for n in nodes) == int(instance.demand[i])
    for n in nodes:
        for d in range(instance.sizes.shape[1]):
            used = pulp.lpSum(int(instance.sizes[i, d]) * runs[n, i] for i in items)
            model += used <= int(instance.capacities[n[0], d]) * on[n]
        for i in items:
            model += runs[n, i] <= int(instance.most[n[0], i]) * has[n, i]
            for j in range(i):
                if instance.apart.size and instance.apart[i, j]:
                    model += has[n, i] + has[n, j] <= 1
    model.solve(pulp.PULP_CBC_CMD(msg=False))
    assert pulp.LpStatus[model.status] == "Optimal"
    least: float = pulp.value(model.objective)
    return round(least)


def faults_of(instance: Instance, packing: Packing) -> list[str]:
    """What is wrong with a packing, item by item."""
    faults = []
    held: Counter[int] = Counter()
    for kind, row, copies in zip(packing.types, packing.pods, packing.copies, strict=True):
        for d in range(instance.sizes.shape[1]):
            used = sum(int(row[i]) * int(instance.sizes[i, d]) for i in range(instance.items))
            if used > instance.capacities[kind, d]:
                faults.append(f"resource {d} of a node is exceeded")
        for i in range(instance.items):
            held[i] += int(row[i]) * int(copies)
            if row[i] < 0 or row[i] > instance.most[kind, i]:
                faults.append(f"{row[i]} pods of item {i} on one node")
            others = [j for j in range(i) if instance.apart.size and instance.apart[i, j]]
            faults += [f"items {i} and {j} share a node" for j in others if row[i] and row[j]]
    if any(held[i] != instance.demand[i] for i in range(instance.items)):
        faults.append("pods are missing, or packed twice")
    return faults


def broken_rules(
    pods: Sequence[Pods], shared: SharedNodes, offerings: pd.DataFrame, reserve: Reserve, zones: int
) -> list[str]:
    """What is wrong with named nodes, in floating point and from the pods' own words."""
    faults = []
    named = {group.name: group for group in pods}
    types = offerings.set_index("instance_type").to_dict("index")
    by_zone: dict[str, Counter[int]] = {group.name: Counter() for group in pods}
    for node in shared.nodes:
        faults += _broken_on(node, types[node.instance_type], named, reserve)
        for name, count in node.pods:
            by_zone[name][node.zone] += count * node.copies
    for name, group in named.items():
        if by_zone[name].total() != group.count:
            faults.append(f"{by_zone[name].total()} pods of {name} instead of {group.count}")
        if group.spread_zones and zones > 1:
            counts = [by_zone[name][zone] for zone in range(1, zones + 1)]
            if max(counts) - min(counts) > 1:
                faults.append(f"{name} is not spread: {counts}")
    return faults


def _broken_on(
    node: Node, offering: dict[Hashable, Any], named: dict[str, Pods], reserve: Reserve
) -> list[str]:
    faults = []
    if Decimal(repr(float(offering["price_usd_per_hour"]))) != node.price_usd_per_hour:
        faults.append("a price is not the book's")
    on_it = {name: count for name, count in node.pods if count}
    vcpus = sum(named[name].vcpus * count for name, count in on_it.items())
    memory = sum(named[name].memory_gib * count for name, count in on_it.items())
    gpus = sum(named[name].gpus * count for name, count in on_it.items())
    if vcpus > offering["vcpus"] - reserve.vcpus + 1e-9:
        faults.append("too many vCPUs")
    if memory > offering["memory_gib"] - reserve.memory_gib + 1e-9:
        faults.append("too much memory")
    if gpus > offering["gpus"] or sum(on_it.values()) > reserve.pods_per_node:
        faults.append("too many GPUs or pods")
    for name, count in on_it.items():
        group = named[name]
        if offering["architecture"] not in group.architectures:
            faults.append(f"{name} runs on {offering['architecture']}")
        if group.per_node is not None and count > group.per_node:
            faults.append(f"{count} pods of {name} on a node")
        if group.apart_from & on_it.keys():
            faults.append(f"{name} shares a node with whom it may not")
    return faults


def offerings_of(rows: Sequence[tuple[str, float, float, float, str, float]]) -> pd.DataFrame:
    """A book's offerings in aws/eu-central-1: type, price, vCPUs, GiB, architecture, GPUs."""
    frame = pd.DataFrame(
        [
            {
                "cloud": "aws", "region": "eu-central-1", "instance_type": name,
                "purchase": "on_demand", "price_usd_per_hour": price, "vcpus": vcpus,
                "baseline_vcpus": vcpus, "memory_gib": memory, "architecture": architecture,
                "family": name.partition(".")[0], "gpus": gpus, "gpu_model": "T4" if gpus else "",
                "burstable": False, "source": "test", "price_date": "2026-01-01",
            }
            for name, price, vcpus, memory, architecture, gpus in rows
        ]
    )  # fmt: skip
    return frame[list(BOOK_COLUMNS)]
