"""Rows of the spread rules: what is left after a loss still serves a share of demand.

Counting capacity alone is not enough: capacity in Asia does not help users in Europe whose
latency objective it cannot keep. Users can be rerouted lawfully exactly when Hall's condition
holds: for every set G of origins, the capacity left in the places that at least one of them may
use is at least what all of them ask for (the min-cut of origins → places). So there is a row per
loss and per set of origins that matters, and no rerouting variables.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from models.errors import Fault, FaultyInput
from models.rules import Extent, Rule, SpreadRule
from optimizer.formulate.layout import Layout, runs
from optimizer.problem import Bools, Draft, Floats, Ints

MOST_ORIGIN_KINDS = 10


@dataclass(frozen=True, eq=False)
class OriginSet:
    """Origins, and every region that at least one of them may use."""

    origins: Ints
    regions: Ints


def origin_sets(reach: Bools) -> tuple[OriginSet, ...]:
    """The sets of origins whose Hall condition is not implied by others'.

    ``reach`` [origin, region] of one service. Origins with the same reach stand or fall
    together, and a set that falls apart into parts with disjoint reach is implied by its parts.
    Raises ``ValueError`` beyond ``MOST_ORIGIN_KINDS`` kinds of origins (2^kinds sets).
    """
    kinds: dict[bytes, list[int]] = {}
    for g in np.flatnonzero(reach.any(axis=1)):
        kinds.setdefault(reach[g].tobytes(), []).append(int(g))
    if len(kinds) > MOST_ORIGIN_KINDS:
        raise ValueError(f"{len(kinds)} kinds of origins by the places they may use")
    groups = list(kinds.values())
    widest: dict[bytes, OriginSet] = {}
    for size in range(1, len(groups) + 1):
        for chosen in combinations(groups, size):
            if not _hangs_together([reach[group[0]] for group in chosen]):
                continue
            regions = np.any([reach[group[0]] for group in chosen], axis=0)
            members = np.array(sorted(g for group in chosen for g in group))
            # a larger set with the same places asks for more: it replaces the smaller one
            widest[regions.tobytes()] = OriginSet(members, np.flatnonzero(regions))
    return tuple(widest.values())


def _hangs_together(reaches: list[Bools]) -> bool:
    joined, left = reaches[0].copy(), reaches[1:]
    while left:
        apart = [reach for reach in left if not (reach & joined).any()]
        if len(apart) == len(left):
            return False
        joined = np.any([joined, *(r for r in left if (r & joined).any())], axis=0)
        left = apart
    return True


def whole_replicas(needed: Floats) -> Floats:
    """Replicas come whole: round up, forgiving what floating point adds."""
    rounded: Floats = np.ceil(needed - 1e-7)
    return rounded


def spread_survives(draft: Draft, layout: Layout) -> None:
    """Σ_{r ∈ reach(G) \\ lost} k[s,r,t] (+ v[s,lost,t]) ≥ ⌈share · Σ_{g∈G} D[s,g,t]/q_s⌉.

    The survivors v count when a zone is lost and not the whole region.
    """
    for rule in layout.world.rules:
        if isinstance(rule, SpreadRule):
            for name in rule.services:
                _one_service(draft, layout, rule, layout.service_names.index(name))


def sets_under(rule: Rule, layout: Layout, s: int) -> tuple[OriginSet, ...]:
    """``origin_sets`` of a service; too many are a fault of the rule that asks for them."""
    try:
        return origin_sets(layout.reach[s])
    except ValueError as error:
        message = f"rule {rule.name}: {layout.service_names[s]} has {error}; at most " + str(
            MOST_ORIGIN_KINDS
        )
        raise FaultyInput([Fault(rule.at, message, "merge origins that are close together")]) from (
            error
        )


def _one_service(draft: Draft, layout: Layout, rule: SpreadRule, s: int) -> None:
    sets = sets_under(rule, layout, s)
    blocks = np.arange(int(layout.count_blocks[s]))
    for origin_set in sets:
        needed = layout.replicas_needed[s, origin_set.origins].sum(axis=0)
        asked = whole_replicas(rule.share * layout.peak_per_block(s, needed))
        for lost_name, lost in _losses(layout, rule.survives, origin_set.regions):
            left = np.setdiff1d(origin_set.regions, lost)
            terms = [layout.replica_terms(s, left)]
            if rule.survives is Extent.ZONE and layout.survivor_column[s, lost[0]] >= 0:
                terms.append(layout.survivor_terms(s, int(lost[0])))
            members = "+".join(layout.origin_names[g] for g in origin_set.origins)
            draft.add_rows(
                f"spread_survives_{rule.survives.value}",
                "replicas",
                (blocks * 0, blocks * 0 + s, blocks * 0, blocks * 0, blocks),
                (
                    [rule.name],
                    layout.service_names,
                    [lost_name],
                    [members],
                    layout.period_names,
                ),
                terms,
                lower=asked,
                rule=rule,
            )


def _losses(layout: Layout, extent: Extent, regions: Ints) -> list[tuple[str, Ints]]:
    if extent is Extent.CLOUD:
        clouds: dict[str, list[int]] = {}
        for r in regions:
            clouds.setdefault(layout.world.regions[r].cloud.value, []).append(int(r))
        return [(cloud, np.array(inside)) for cloud, inside in clouds.items()]
    return [(layout.place_names[r], np.array([r])) for r in regions]


def survivors_are_held(draft: Draft, layout: Layout) -> None:
    """Instances of one option stand evenly in the Z zones of their region, so that

    Z_r · z[s,o,b] ≥ n[s,o,b]   and   v[s,r,b] ≤ Σ_{o∈r} k_o (n[s,o,b] - z[s,o,b]).
    """
    options = np.flatnonzero(layout.zone_column >= 0)
    blocks = layout.count_blocks[layout.options.service[options]]
    owner, block = runs(options, blocks)
    zones = np.array([region.zones for region in layout.world.regions], np.float64)
    rows = np.arange(len(owner))
    service, region = layout.options.service[owner], layout.options.region[owner]
    count, worst = layout.option_column[owner] + block, layout.zone_column[owner] + block
    draft.add_rows(
        "zones_are_even",
        "instances",
        (service, region, rows),
        (layout.service_names, layout.place_names, _numbers(len(rows))),
        [(rows, worst, zones[region]), (rows, count, np.full(len(rows), -1.0))],
        lower=0.0,
    )
    survivors_at = np.full(layout.survivor_column.shape, -1)
    where = np.nonzero(layout.survivor_column >= 0)
    per_place = layout.count_blocks[where[0]]
    survivors_at[where] = np.cumsum(per_place) - per_place
    place, place_block = runs(np.arange(len(per_place)), per_place)
    survivors = layout.survivor_column[where][place] + place_block
    held = layout.options.replicas[owner].astype(np.float64)
    at = survivors_at[service, region] + block
    draft.add_rows(
        "survivors_are_held",
        "replicas",
        (where[0][place], where[1][place], place_block),
        (layout.service_names, layout.place_names, layout.period_names),
        [
            (at, count, held),
            (at, worst, -held),
            (np.arange(len(survivors)), survivors, np.full(len(survivors), -1.0)),
        ],
        lower=0.0,
    )


def _numbers(size: int) -> list[str]:
    return [str(i) for i in range(size)]
