"""Rows that couple services: quotas and budgets."""

from __future__ import annotations

import numpy as np

from models.places import Cloud
from models.rules import BudgetRule, QuotaRule
from models.world import HOURS_PER_MONTH
from optimizer.formulate.layout import Layout
from optimizer.formulate.market import counted_by
from optimizer.problem import Draft, Floats, Ints


def quota_holds(draft: Draft, layout: Layout) -> None:
    """Σ_{o counted, o∈r} v_o n[·,o,t] ≤ limit, per region and hour (v_o: vCPUs, or 1)."""
    for rule in layout.world.rules:
        if not isinstance(rule, QuotaRule):
            continue
        counted = counted_by(rule, layout.world)[layout.options.offering]
        limits = (
            ("vcpus", rule.vcpus_at_most, layout.options.vcpus),
            ("instances", rule.instances_at_most, np.ones(len(layout.options))),
        )
        for unit, limit, size in limits:
            if limit is not None:
                for r in np.unique(layout.options.region[counted]):
                    chosen = np.flatnonzero(counted & (layout.options.region == r))
                    _one_quota(draft, layout, rule, unit, limit, size, chosen, int(r))


def _one_quota(
    draft: Draft,
    layout: Layout,
    rule: QuotaRule,
    unit: str,
    limit: float,
    size: Floats,
    options: Ints,
    region: int,
) -> None:
    periods = np.arange(layout.periods)
    blocks = np.array([layout.count_block_of(s) for s in layout.options.service[options].tolist()])
    draft.add_rows(
        f"quota_holds_{unit}",
        unit,
        (periods * 0, periods * 0 + region, periods),
        ([rule.name], layout.place_names, layout.period_names),
        [
            (
                np.tile(periods, len(options)),
                (layout.option_column[options][:, None] + blocks).ravel(),
                np.repeat(size[options], len(periods)),
            )
        ],
        upper=limit,
        rule=rule,
    )


def spend_within_budget(draft: Draft, layout: Layout) -> None:
    """(730 / hours) · cost ≤ budget, for everything, one team's services or one cloud's regions.

    Only what is paid counts. Must come after everything that costs.
    A cloud's commitments, and what they cover, count where the whole cloud does. No team owns
    them: budgets of teams look at list prices. Must come after everything that costs.
    """
    monthly = HOURS_PER_MONTH / layout.periods
    for rule in layout.world.rules:
        if not isinstance(rule, BudgetRule):
            continue
        team = None
        if rule.team is not None:
            teams = [s.team == rule.team for s in layout.world.services]
            team = np.array([*teams, False], np.bool_)
        cloud = None
        if rule.cloud is not None:
            clouds = [*(r.cloud for r in layout.world.regions), *Cloud]
            cloud = np.array([c is rule.cloud for c in clouds], np.bool_)
        spent = draft.cost_of(team, cloud, paid_only=True) * monthly
        paid = np.flatnonzero(spent)
        draft.add_rows(
            "spend_within_budget",
            "USD per month",
            (np.array([0]),),
            ([rule.name],),
            [(paid * 0, paid, spent[paid])],
            upper=rule.usd_per_month,
            rule=rule,
        )
