"""Pods with names and rules on priced nodes, checked from their own words."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from packing import broken_rules, offerings_of

from models.nodes import NoNodes, Pods, Reserve, SharedNodes
from models.offerings import Architecture, PriceBook
from optimizer.nodes.share import share_nodes
from providers.geography.regions import load_regions

REGION = load_regions()["aws/eu-central-1"]
ROWS = [
    ("m5.large", 0.115, 2.0, 8.0, "x86_64", 0.0),
    ("m5.2xlarge", 0.46, 8.0, 32.0, "x86_64", 0.0),
    ("c5.xlarge", 0.194, 4.0, 8.0, "x86_64", 0.0),
    ("r5.xlarge", 0.304, 4.0, 32.0, "x86_64", 0.0),
    ("m6g.xlarge", 0.184, 4.0, 16.0, "arm64", 0.0),
    ("g4dn.xlarge", 0.658, 4.0, 16.0, "x86_64", 1.0),
]
OFFERINGS = offerings_of(ROWS)
BOOK = PriceBook("test", date(2026, 1, 1), OFFERINGS, OFFERINGS.iloc[:0])
BOTH = frozenset({Architecture.X86_64, Architecture.ARM64})


def random_pods(seed: int) -> list[Pods]:
    chance = np.random.default_rng(seed)
    groups: list[Pods] = []
    for k in range(int(chance.integers(2, 9))):
        others = [group.name for group in groups if group.gpus == 0]
        groups.append(
            Pods(
                name=f"s{k}",
                vcpus=float(chance.choice([0.1, 0.29, 0.5, 1.0, 1.9])),
                memory_gib=float(chance.choice([0.1, 0.5, 1.0, 3.3, 7.0])),
                count=int(chance.integers(1, 12)),
                gpus=float(k == 1 and seed % 3 == 0),
                architectures=BOTH if chance.random() < 0.3 else frozenset({Architecture.X86_64}),
                per_node=int(chance.integers(1, 4)) if chance.random() < 0.3 else None,
                apart_from=frozenset(others[:1]) if chance.random() < 0.3 else frozenset(),
                spread_zones=bool(chance.random() < 0.4),
            )
        )
    return groups


@pytest.mark.parametrize("seed", range(12))
def test_nodes_keep_every_rule(seed: int) -> None:
    pods = random_pods(seed)
    reserve = Reserve(0.1, 0.5, 20)
    found = share_nodes(pods, REGION, BOOK, reserve=reserve, gap=0.2, time_limit_s=60.0)
    assert isinstance(found, SharedNodes)
    assert broken_rules(pods, found, OFFERINGS, reserve, REGION.zones) == []
    assert 0 < found.bound_usd_per_hour <= found.usd_per_hour
    if found.first_fit_usd_per_hour is not None:
        assert found.bound_usd_per_hour <= found.first_fit_usd_per_hour


def test_zones_cost_the_same_so_their_bound_is_that_of_the_pods_alone() -> None:
    loose = Pods("web", 0.5, 1.0, 60)
    spread = Pods("web", 0.5, 1.0, 60, spread_zones=True)
    one, other = (
        share_nodes([pods], REGION, BOOK, gap=0.05, time_limit_s=60.0) for pods in (loose, spread)
    )
    assert isinstance(one, SharedNodes)
    assert isinstance(other, SharedNodes)
    assert {node.zone for node in one.nodes} == {0}
    assert {node.zone for node in other.nodes} == set(range(1, REGION.zones + 1))
    assert other.usd_per_hour >= one.bound_usd_per_hour
    assert float(other.bound_usd_per_hour) == pytest.approx(float(one.bound_usd_per_hour), rel=0.05)


def test_a_price_of_pods_is_exact() -> None:
    found = share_nodes([Pods("web", 1.9, 7.5, 3)], REGION, BOOK)
    assert isinstance(found, SharedNodes)
    assert [(node.instance_type, node.copies) for node in found.nodes] == [("m5.large", 3)]
    assert str(found.usd_per_hour) == "0.345"
    assert found.gap == 0
    assert found.nodes[0].pods == (("web", 1),)


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        (Pods("big", 64, 8, 1), "big: no on_demand node type in aws/eu-central-1 has 64 vCPUs"),
        (Pods("gpu", 1, 1, 1, gpus=2), "2 GPUs (any model)"),
        (Pods("gpu", 1, 1, 1, gpus=1, gpu_models=frozenset({"H100"})), "1 GPUs (H100)"),
        (Pods("all", 8, 1, 1), "beside what the system takes"),
    ],
)
def test_pods_that_nothing_holds_are_named(pods: Pods, said: str) -> None:
    found = share_nodes([Pods("web", 1, 1, 1), pods], REGION, BOOK)
    assert isinstance(found, NoNodes)
    assert said in found.reasons[0]
    assert len(found.reasons) == 1


def test_a_place_without_prices_has_no_nodes() -> None:
    found = share_nodes([Pods("web", 1, 1, 1)], load_regions()["gcp/us-central1"], BOOK)
    assert found == NoNodes(
        "gcp/us-central1", ("the price book has no on_demand node types in gcp/us-central1",)
    )
