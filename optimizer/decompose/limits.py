"""Limits that services share, priced: quotas and budgets.

Per quota row q and hour t a price ν ≥ 0 per vCPU (or instance); per budget b a price μ ≥ 0 per
USD. With them the problem falls apart into cells, and for all prices

    Σ cells' least at the priced offerings and routes  -  Σ ν · limit  -  Σ μ · budget

is no more than the cost of any plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.rules import BudgetRule, QuotaRule, Rule
from models.world import HOURS_PER_MONTH
from optimizer.decompose.cells import Cells
from optimizer.formulate.market import counted_by

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Limits:
    """Shared limits. Quota rows are per rule, unit and region; they hold in every hour."""

    quota_rules: tuple[Rule, ...]  # [quota row]
    quota_names: tuple[str, ...]  # [quota row] rule, place and unit
    quota_use: sparse.csr_array  # [candidate, quota row], vCPUs or instances per instance
    quota_limit: Floats
    budget_rules: tuple[BudgetRule, ...]
    budget_limit: Floats  # USD over the horizon
    counts_candidate: Bools  # [budget, candidate]
    counts_service: Bools  # [budget, service]
    counts_region: Bools  # [budget, region]


def find_limits(cells: Cells, hours: int) -> Limits:
    """The quotas and budgets of a world; quotas that nothing can exceed are left out."""
    world, goods = cells.world, cells.goods
    owner = np.zeros(len(cells.team), np.int64)
    owner[cells.assortment_of] = np.arange(len(cells.assortment_of))
    columns, limits, rules, names = [], [], [], []
    for rule in world.rules:
        if not isinstance(rule, QuotaRule):
            continue
        counted = counted_by(rule, world)[goods.offering]
        for unit, limit, size in (
            ("vCPUs", rule.vcpus_at_most, goods.vcpus),
            ("instances", rule.instances_at_most, np.ones(len(goods.vcpus))),
        ):
            if limit is not None:
                for r in np.unique(goods.region[counted]).tolist():
                    columns.append(np.where(counted & (goods.region == r), size, 0.0))
                    limits.append(limit)
                    rules.append(rule)
                    names.append(f"{rule.name}: {world.regions[r].place}, {unit}")
    use = np.array(columns, np.float64).reshape(len(columns), len(goods.vcpus)).T
    budgets = tuple(rule for rule in world.rules if isinstance(rule, BudgetRule))
    teams = np.array([service.team for service in world.services], dtype=object)
    clouds = np.array([region.cloud.value for region in world.regions], dtype=object)
    services = np.array(
        [np.full(len(teams), True) if b.team is None else teams == b.team for b in budgets],
        np.bool_,
    ).reshape(len(budgets), len(teams))
    regions = np.array(
        [
            np.full(len(clouds), True) if b.cloud is None else clouds == b.cloud.value
            for b in budgets
        ],
        np.bool_,
    ).reshape(len(budgets), len(clouds))
    return Limits(
        tuple(rules),
        tuple(names),
        sparse.csr_array(use),
        np.array(limits, np.float64),
        budgets,
        np.array([b.usd_per_month for b in budgets], np.float64) * hours / HOURS_PER_MONTH,
        services[:, owner[goods.assortment]] & regions[:, goods.region],
        services,
        regions,
    )
