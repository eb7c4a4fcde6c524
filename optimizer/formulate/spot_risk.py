"""Rows of spot risk rules: whatever few pools are interrupted at once, enough is left.

The loss of pools is random, and rows must be certain. From the chance q_f that pool f is gone, and
the chance ε that a rule grants, comes Γ: the fewest pools such that more than Γ of all pools that
the service could use are gone with a chance of at most ε (exact tail of a Poisson-binomial
distribution). What the rows then guarantee is the budgeted robustness of Bertsimas and Sim (The
price of robustness, Operations Research 52(1), 2004): after the loss of *any* Γ pools, enough is
left. More than is spare is lost only when more than Γ pools are, whatever their sizes: with a
chance of at most ε.

The worst Γ pools among those with capacities c_f are a linear program whose optimum is whole;
by its dual they hold at most

    min Γ·θ + Σ_f π_f   such that   θ + π_f ≥ c_f,   θ, π ≥ 0,

so that a row per pool stands in for one per set of Γ pools.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.interruptions import chance_of_outage, per_month_of, pools_at_once
from models.offerings import MONTHLY_INTERRUPTION
from models.rules import SpotRiskRule
from models.world import World
from optimizer.formulate.layout import Layout, Triplets, runs
from optimizer.formulate.market import Options, family_codes
from optimizer.formulate.spread import OriginSet, sets_under, whole_replicas
from optimizer.problem import Draft, Floats, Ints


@dataclass(frozen=True, eq=False)
class PoolsAtRisk:
    """Every pool of spot capacity that one service could use, under one rule.

    ``code`` (sorted; see ``_codes``), ``names`` and ``chance`` (that the pool is gone in an hour)
    are parallel. ``at_once`` is Γ.
    """

    rule: SpotRiskRule
    service: int
    code: Ints
    names: tuple[str, ...]
    chance: Floats
    at_once: int


def _codes(options: Options, world: World) -> Ints:
    """[option]: a number per place and family of instance types."""
    return family_codes(world)[options.offering] * len(world.regions) + options.region


def pools_at_risk(layout: Layout, offered: Options) -> tuple[PoolsAtRisk, ...]:
    """The pools of every service under a spot risk rule.

    ``offered`` are all options of all services, dominated or not: what a rule grants does not
    depend on what is worth using.
    """
    found = []
    for rule in layout.world.rules:
        if isinstance(rule, SpotRiskRule):
            for name in rule.services:
                s = layout.service_names.index(name)
                usable = layout.reach[s].any(axis=0)
                mine = (offered.service == s) & offered.spot & usable[offered.region]
                found.append(_pools(rule, s, offered.where(mine), layout.world))
    return tuple(found)


def _pools(rule: SpotRiskRule, s: int, offered: Options, world: World) -> PoolsAtRisk:
    book = world.book.offerings
    code, first, pool = np.unique(_codes(offered, world), return_index=True, return_inverse=True)
    known = np.full(len(code), -np.inf)
    if MONTHLY_INTERRUPTION in book:
        monthly = book[MONTHLY_INTERRUPTION].to_numpy(np.float64)[offered.offering]
        told = ~np.isnan(monthly)
        np.maximum.at(known, pool[told], monthly[told])
    names, chance = [], []
    for i, worst in zip(first.tolist(), known.tolist(), strict=True):
        region = world.regions[offered.region[i]]
        family = str(book["family"].iloc[offered.offering[i]])
        told_rate = None if worst == -np.inf else per_month_of(worst)
        per_month = rule.per_month(region, family, told_rate)
        names.append(f"{region.place}:{family}")
        chance.append(chance_of_outage(per_month, rule.outage_hours))
    chances = np.array(chance, np.float64)
    at_once = pools_at_once(chances, rule.chance_at_most)
    return PoolsAtRisk(rule, s, code, tuple(names), chances, at_once)


def spot_risk_within(draft: Draft, layout: Layout, at_risk: tuple[PoolsAtRisk, ...]) -> None:
    """Σ_{r ∈ reach(G)} k[s,r,b] - Γ·θ[b] - Σ_f π[f,b] ≥ ⌈share · Σ_{g∈G} D[s,g,t]/q_s⌉, with
    θ[b] + π[f,b] ≥ Σ_{o∈f} k_o n[s,o,b] for the pools f in reach(G), and sets G of origins as in
    ``spread_survives``. Where Γ is 0, as no loss is likely enough to count, and where G cannot be
    served by spot, nothing is written unless other rows leave some of this demand unmet.
    """
    codes = _codes(layout.options, layout.world)
    for pools in at_risk:
        if pools.at_once or not layout.meets_planned(pools.service):
            for origins in sets_under(pools.rule, layout, pools.service):
                _one_set(draft, layout, pools, codes, origins)


def _one_set(
    draft: Draft, layout: Layout, pools: PoolsAtRisk, codes: Ints, origins: OriginSet
) -> None:
    s, rule = pools.service, pools.rule
    options = layout.options_of(s, origins.regions)
    options = options[layout.options.spot[options]]
    if not len(options) or not pools.at_once:
        if not layout.meets_planned(s):
            _what_is_left(draft, layout, pools, origins, [])
        return
    here, row_of = np.unique(np.searchsorted(pools.code, codes[options]), return_inverse=True)
    blocks = np.arange(int(layout.count_blocks[s]))
    members = "+".join(layout.origin_names[g] for g in origins.origins)
    who = ([rule.name], layout.service_names, [members])
    total = (blocks * 0, blocks * 0 + s, blocks * 0, blocks)
    pool, block = runs(here, np.full(len(here), len(blocks)))
    each = (pool * 0, pool * 0 + s, pool * 0, pool, block)
    names = (*who, pools.names, layout.period_names)
    theta = draft.add_columns("lost_each", "replicas", total, (*who, layout.period_names))
    pi = draft.add_columns("lost_beyond", "replicas", each, names)
    owner, within = runs(np.arange(len(options)), np.full(len(options), len(blocks)))
    rows = np.arange(len(pool))
    draft.add_rows(
        "spot_losses_are_counted",
        "replicas",
        each,
        names,
        [
            (rows, theta[block], np.ones(len(rows))),
            (rows, pi, np.ones(len(rows))),
            (
                row_of[owner] * len(blocks) + within,
                layout.option_column[options][owner] + within,
                -layout.options.replicas[options][owner].astype(np.float64),
            ),
        ],
        lower=0.0,
        rule=rule,
    )
    lost = [
        (blocks, theta, np.full(len(blocks), -float(pools.at_once))),
        (block, pi, np.full(len(rows), -1.0)),
    ]
    _what_is_left(draft, layout, pools, origins, lost)


def _what_is_left(
    draft: Draft, layout: Layout, pools: PoolsAtRisk, origins: OriginSet, lost: list[Triplets]
) -> None:
    s, rule = pools.service, pools.rule
    blocks = np.arange(int(layout.count_blocks[s]))
    members = "+".join(layout.origin_names[g] for g in origins.origins)
    needed = layout.replicas_needed[s, origins.origins].sum(axis=0)
    draft.add_rows(
        "spot_risk_within",
        "replicas",
        (blocks * 0, blocks * 0 + s, blocks * 0, blocks),
        ([rule.name], layout.service_names, [members], layout.period_names),
        [layout.replica_terms(s, origins.regions), *lost],
        lower=whole_replicas(rule.share * layout.peak_per_block(s, needed)),
        rule=rule,
    )
