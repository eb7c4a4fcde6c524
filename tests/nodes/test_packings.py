"""Packings against a naive model: lawful, no cheaper than possible, bounded from below."""

from __future__ import annotations

import numpy as np
import pytest
from packing import cheapest, faults_of, random_instance

from optimizer.nodes.autoscaler import first_fit
from optimizer.nodes.deadline import Deadline
from optimizer.nodes.instance import Instance, Packing, everything_together
from optimizer.nodes.pack import Packed, pack, prove, without_surplus


def packed(instance: Instance) -> Packed:
    """Ends by patience, not by time."""
    return pack(instance, gap=0.0, deadline=Deadline.after(600.0), patience=8)


@pytest.mark.parametrize("seed", range(25))
def test_small_packings_are_lawful_and_bounds_hold(seed: int) -> None:
    instance = random_instance(seed)
    least = cheapest(instance)
    found = packed(instance)
    assert faults_of(instance, found.packing) == []
    assert found.packing.cost(instance) == found.cost
    assert found.bound <= least <= found.cost
    assert found.cost <= least * 1.35  # a node more, now and then, where nodes are few
    assert prove(instance, gap=0.0, deadline=Deadline.after(5.0)) <= least
    for fewest_first in (False, True):
        autoscaled = first_fit(instance, fewest_first=fewest_first)
        if autoscaled is not None:
            assert faults_of(instance, autoscaled) == []
            assert autoscaled.cost(instance) >= least


def test_most_small_packings_are_optimal() -> None:
    seeds = range(40, 60)
    instances = [random_instance(seed) for seed in seeds]
    optimal = [packed(one).cost == cheapest(one) for one in instances]
    assert sum(optimal) >= 18


def triplets(bins: int, seed: int) -> Instance:
    """Bins of two resources that three items fill to the last unit, the items mixed up."""
    chance = np.random.default_rng(seed)
    first = chance.integers(300, 400, (bins, 2))
    second = chance.integers(250, 330, (bins, 2))
    sizes = np.concatenate((first, second, 1000 - first - second))
    distinct, demand = np.unique(sizes, axis=0, return_counts=True)
    return Instance(
        sizes=distinct,
        demand=demand,
        capacities=np.array([[1000, 1000]]),
        prices=np.ones(1, np.int64),
        most=demand[None, :].copy(),
        apart=everything_together(),
    )


@pytest.mark.parametrize("seed", range(3))
def test_bins_without_any_room_to_spare_are_found(seed: int) -> None:
    instance = triplets(20, seed)
    found = pack(instance, gap=0.0, deadline=Deadline.after(60.0))
    assert (found.cost, found.bound) == (20, 20)
    assert faults_of(instance, found.packing) == []


def test_many_pods_on_many_types_within_a_thousandth() -> None:
    chance = np.random.default_rng(5)
    cpu, memory = chance.choice([1, 2, 4, 10, 15], 3000), chance.choice([1, 5, 10, 40], 3000)
    pods = np.column_stack((cpu, memory))
    sizes, demand = np.unique(pods, axis=0, return_counts=True)
    i = np.arange(1, 61)
    instance = Instance(
        sizes=sizes,
        demand=demand,
        capacities=np.column_stack((10 * i - 1, 20 * i)),
        prices=31 * i + 5,
        most=np.tile(demand, (60, 1)),
        apart=everything_together(),
    )
    found = pack(instance, gap=0.001, deadline=Deadline.after(60.0))
    assert faults_of(instance, found.packing) == []
    assert found.gap <= 0.001
    autoscaled = first_fit(instance, fewest_first=True)
    assert autoscaled is not None
    assert found.cost < autoscaled.cost(instance)


def test_the_same_twice() -> None:
    one, two = (
        pack(triplets(12, 9), gap=0.0, deadline=Deadline.after(60.0)).packing for _ in range(2)
    )
    assert (one.pods == two.pods).all()


def test_dominated_types_are_left_out() -> None:
    instance = Instance(
        sizes=np.array([[1]]),
        demand=np.array([5]),
        capacities=np.array([[4], [4], [8], [3]]),
        prices=np.array([4, 5, 7, 4]),
        most=np.array([[9], [9], [9], [9]]),
        apart=everything_together(),
    )
    assert instance.undominated().tolist() == [0, 2]
    elsewhere = Instance(
        instance.sizes, instance.demand, instance.capacities, instance.prices,
        np.array([[9], [8], [9], [9]]), instance.apart,
    )  # fmt: skip
    assert instance.holds.tolist() == [[4], [4], [5], [3]]
    assert elsewhere.undominated().tolist() == [0, 1, 2]


def test_surplus_pods_leave_the_nodes_that_have_them() -> None:
    given = Packing(np.array([0, 0]), np.array([[2, 1], [1, 0]]), np.array([1, 2]))
    left = without_surplus(given, np.array([2, 1]))
    assert left.held.tolist() == [2, 1]
    assert (left.pods.sum(axis=1) > 0).all()
