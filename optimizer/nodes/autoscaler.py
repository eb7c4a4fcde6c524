"""What node autoscalers do: first-fit decreasing onto nodes whose type is settled at the end.

After Karpenter's scheduler (pkg/controllers/provisioning/scheduling): pods by CPU, then memory, the
largest first; each onto the first open node that may still become a type that holds it all, else
onto a new node; a node ends as the cheapest type that holds its pods. Karpenter tries the nodes
with the fewest pods first, plain first-fit decreasing those that were opened first.
"""

from __future__ import annotations

import numpy as np

from optimizer.compiled import compiled
from optimizer.nodes.instance import Instance, Packing
from optimizer.nodes.knapsack import Flags, Ints, fits, take


def first_fit(instance: Instance, *, fewest_first: bool) -> Packing | None:
    """The nodes that an autoscaler would start; None when it finds no type for some pod."""
    order = np.lexsort((*-instance.sizes.T[::-1],))
    pods = np.repeat(order, instance.demand[order])
    biggest = np.argsort(-(instance.capacities / instance.capacities.max(axis=0)).sum(axis=1))
    nodes, count = first_fit_decreasing(
        pods,
        instance.sizes,
        instance.capacities[biggest],
        instance.holds[biggest],
        instance.apart,
        fewest_first,
    )
    if count < 0:
        return None
    unsized = Packing(np.zeros(count, np.int64), nodes[:count].copy(), np.ones(count, np.int64))
    return unsized.right_sized(instance)


@compiled
def first_fit_decreasing(
    pods: Ints, sizes: Ints, capacities: Ints, holds: Ints, apart: Flags, fewest_first: bool
) -> tuple[Ints, int]:
    """Pods by item of every node, and how many nodes; -1 when a pod fits no type.

    ``pods`` are items in the order to schedule; types should come largest first.
    """
    items, resources = sizes.shape
    nodes = np.zeros((64, items), np.int64)
    used = np.zeros((64, resources), np.int64)
    most = np.zeros((64, resources), np.int64)  # of any type that the node may still become
    queue = np.zeros(64, np.int64)  # nodes in the order in which they are tried
    count = 0
    for i in pods:
        if count == len(nodes):
            nodes = np.concatenate((nodes, np.zeros_like(nodes)))
            used = np.concatenate((used, np.zeros_like(used)))
            most = np.concatenate((most, np.zeros_like(most)))
            queue = np.concatenate((queue, np.zeros_like(queue)))
        queue[count] = count  # a new one comes last
        for d in range(resources):
            most[count, d] = capacities[:, d].max()
        place = 0
        while place <= count:
            n = queue[place]
            if _takes(nodes[n], used[n], most[n], i, sizes[i], capacities, holds, apart):
                break
            place += 1
        if place > count:
            return nodes, -1
        n = queue[place]
        count = max(count, place + 1)
        held = nodes[n].sum()
        while fewest_first and place > 0 and nodes[queue[place - 1]].sum() > held:
            queue[place] = queue[place - 1]
            place -= 1
        while fewest_first and place + 1 < count and nodes[queue[place + 1]].sum() < held:
            queue[place] = queue[place + 1]
            place += 1
        queue[place] = n
    return nodes, count


@compiled
def _takes(
    pods: Ints,
    used: Ints,
    most: Ints,
    i: int,
    size: Ints,
    capacities: Ints,
    holds: Ints,
    apart: Flags,
) -> bool:
    """Puts a pod on a node if it may still become a type that holds it all; says whether."""
    if not fits(used + size, most):
        return False
    if apart.size > 0:
        for other in range(len(pods)):
            if apart[i, other] and pods[other] > 0:
                return False
    take(used, size, -1)
    pods[i] += 1
    reach = np.full(len(used), -1)
    for t in range(len(capacities)):
        if fits(used, capacities[t]) and fits(pods, holds[t]):
            reach = np.maximum(reach, capacities[t])
    if reach[0] < 0:
        take(used, size, 1)
        pods[i] -= 1
        return False
    most[:] = reach
    return True
