"""Filling levels again by few moves: rules hold, and who does not move does what it did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np
from checker import broken
from numpy.typing import NDArray
from separable import TOLERANCE, decomposed, simple, solved
from small_worlds import Asked

from models.rules import (
    BudgetRule,
    LatencyRule,
    MaxPlacesRule,
    MinReplicasRule,
    QuotaRule,
    Rule,
    SpotRiskRule,
    WorkflowRule,
)
from optimizer.decompose.again import lawful
from optimizer.decompose.answer import Decomposed, read_decomposed
from optimizer.decompose.asking import given_ends
from optimizer.decompose.fleet import Fleet
from optimizer.decompose.mending import few_moves, many_moves
from optimizer.formulate.reach import measure
from optimizer.solve.answers import Solved

Bools = NDArray[np.bool_]
Row = tuple[int, int, int]


def planned(seeds: range) -> Iterator[tuple[Asked, Decomposed, Fleet]]:
    """Small worlds without workflows that have a decomposed plan."""
    for seed in seeds:
        asked = simple(seed)
        found = decomposed(asked)
        bound = any(isinstance(rule, WorkflowRule) for rule in asked.world.rules)
        if isinstance(found, Decomposed) and found.fleet is not None and not bound:
            yield asked, found, found.fleet


def moves(found: Decomposed, fleet: Fleet) -> Iterator[tuple[Fleet, Bools]]:
    """What few moves and many moves make of a plan, at its prices and at cheaper levels."""
    case, prices = found.case, found.prices
    own = case.tariff.routes(replace(prices, ends=np.zeros_like(prices.ends)))
    cheaper = replace(prices, covered=prices.covered * 0.5)
    return chain(
        few_moves(fleet, prices, own),
        many_moves(fleet, prices, [prices, cheaper], own, np.zeros(len(own))),
    )


def rows_of(fleet: Fleet, cells: Bools) -> list[Row]:
    """Cell, candidate and count of what some cells run."""
    mine = cells[fleet.cell]
    return sorted(
        zip(*(of[mine].tolist() for of in (fleet.cell, fleet.candidate, fleet.count)), strict=True)
    )


def test_whatever_moves_is_lawful_and_all_others_stay() -> None:
    lawful_ones = moved_ones = 0
    for asked, found, fleet in planned(range(60)):
        case, least = found.case, solved(asked)
        if not len(case.limits.quota_limit) and not len(case.covered.cover):
            continue
        own = case.tariff.routes(replace(found.prices, ends=np.zeros_like(found.prices.ends)))
        cell_of_lane = np.repeat(
            np.arange(len(case.cells.asks.need)), np.diff(case.cells.asks.lane_start)
        )
        for mended, moved in moves(found, fleet):
            assert rows_of(mended, ~moved) == rows_of(fleet, ~moved)
            stays = ~moved[cell_of_lane]
            assert np.array_equal(mended.share[stays], fleet.share[stays])
            routes = given_ends(case, own, mended.share)
            settled = lawful(mended, found.prices, routes, np.zeros(len(own), np.bool_))
            moved_ones += bool(moved.any())
            if settled is None:
                continue
            lawful_ones += 1
            placement = read_decomposed(
                replace(found, usd=settled.usd), settled, measure(asked.world)
            )
            assert broken(asked, placement) == []
            if isinstance(least, Solved):
                assert settled.usd >= least.bound * (1 - TOLERANCE)
    assert lawful_ones >= 10
    assert moved_ones >= 3


def without(asked: Asked, gone: int) -> Asked:
    """The same world without one of its services."""
    world = asked.world
    name = world.services[gone].name
    rules = tuple(left for rule in world.rules if (left := _without(rule, name)) is not None)
    dependencies = tuple(d for d in world.dependencies if name not in (d.caller, d.callee))
    services = tuple(s for s in world.services if s.name != name)
    outlook, stay = asked.outlook, np.arange(len(world.services)) != gone
    return replace(
        asked,
        world=replace(
            world, services=services, dependencies=dependencies, rules=rules, workflows=()
        ),
        demand_rps=asked.demand_rps[stay],
        direct_rps=asked.direct_rps[stay],
        outlook=replace(
            outlook,
            scenario_rps=outlook.scenario_rps[:, stay],
            direct_rps=outlook.direct_rps[:, stay],
        ),
    )


def _without(rule: Rule, name: str) -> Rule | None:
    """The rule for all services but one; None: it binds no other."""
    if isinstance(rule, LatencyRule | MinReplicasRule | MaxPlacesRule):
        return None if rule.service == name else rule
    if isinstance(rule, WorkflowRule | SpotRiskRule | QuotaRule | BudgetRule):
        return rule
    left = tuple(s for s in rule.services if s != name)
    return replace(rule, services=left) if left else None


def test_when_a_service_goes_or_comes_rules_hold_and_the_bound_is_one() -> None:
    compared = kept = 0
    for asked, found, _ in planned(range(60)):
        if len(asked.world.services) < 2:
            continue
        less = without(asked, 0)
        if not less.outlook.scenario_rps.any():
            continue
        fewer = decomposed(less, found.left_behind())
        if not isinstance(fewer, Decomposed):
            continue
        for now, seen in ((less, fewer), (asked, decomposed(asked, fewer.left_behind()))):
            least = solved(now)
            if not isinstance(least, Solved):
                continue
            assert isinstance(seen, Decomposed)
            compared += 1
            assert seen.bound_usd <= least.objective * (1 + TOLERANCE)
            if seen.fleet is not None:
                kept += seen.changed is not None
                assert seen.usd >= least.bound * (1 - TOLERANCE)
                placement = read_decomposed(seen, seen.fleet, measure(now.world))
                assert broken(now, placement) == []
    assert compared >= 4
    assert kept >= 1
