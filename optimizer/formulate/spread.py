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
from models.rules import Extent, SpreadRule
from optimizer.formulate.layout import Layout
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
    """Σ_{r ∈ reach(G) \\ lost} Σ_o k_o n[s,o,t] - (worst zone lost) ≥ ⌈share · Σ_{g∈G} D/q⌉."""
    for rule in layout.world.rules:
        if isinstance(rule, SpreadRule):
            for name in rule.services:
                _one_service(draft, layout, rule, layout.service_names.index(name))


def _one_service(draft: Draft, layout: Layout, rule: SpreadRule, s: int) -> None:
    try:
        sets = origin_sets(layout.reach[s])
    except ValueError as error:
        message = f"rule {rule.name}: {layout.service_names[s]} has {error}; at most " + str(
            MOST_ORIGIN_KINDS
        )
        raise FaultyInput([Fault(rule.at, message, "merge origins that are close together")]) from (
            error
        )
    periods = np.arange(layout.periods)
    if rule.survives is Extent.ZONE:
        _zone_balance(draft, layout, rule, s)
    for origin_set in sets:
        needed = layout.replicas_needed[s, origin_set.origins].sum(axis=0)
        asked = whole_replicas(rule.share * needed)
        for lost_name, lost in _losses(layout, rule.survives, origin_set.regions):
            left = np.setdiff1d(origin_set.regions, lost)
            terms = [layout.replica_terms(s, layout.options_of(s, left), periods)]
            if rule.survives is Extent.ZONE and layout.world.regions[lost[0]].zones > 1:
                there = layout.options_of(s, lost)
                terms.append(layout.replica_terms(s, there, periods))
                terms.append(layout.zone_terms(s, there, periods))
            members = "+".join(layout.origin_names[g] for g in origin_set.origins)
            draft.add_rows(
                f"spread_survives_{rule.survives.value}",
                "replicas",
                (periods * 0, periods * 0 + s, periods * 0, periods * 0, periods),
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


def _zone_balance(draft: Draft, layout: Layout, rule: SpreadRule, s: int) -> None:
    """Z_r · z[s,o,b] ≥ n[s,o,b]: instances of one option stand evenly in the region's zones."""
    options = layout.options_of(s)
    options = options[layout.zone_column[options] >= 0]
    blocks = int(layout.count_blocks[s])
    zones = np.array([region.zones for region in layout.world.regions], np.float64)
    owner = np.repeat(options, blocks)
    block = np.tile(np.arange(blocks), len(options))
    rows = np.arange(len(owner))
    draft.add_rows(
        "zones_are_even",
        "instances",
        (rows * 0, rows * 0 + s, rows),
        (
            [rule.name],
            layout.service_names,
            [f"{o}.{b}" for o, b in zip(owner.tolist(), block.tolist(), strict=True)],
        ),
        [
            (rows, layout.zone_column[owner] + block, zones[layout.options.region[owner]]),
            (rows, layout.option_column[owner] + block, np.full(len(rows), -1.0)),
        ],
        lower=0.0,
        rule=rule,
    )
