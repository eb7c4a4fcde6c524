"""Demand that cells may leave unmet: how many replicas may be missing, and what that costs.

With a the share of a service's demand that may go unmet, ρ the price of an hour without a replica
and D[t, ω] the replicas that a cell's traffic keeps busy in hour t of scenario ω, K replicas leave
at least max(0, D[t, ω] - K) unmet, at Σ π_ω ρ max(0, D[t, ω] - K) in all. Traffic that is shared
out as replicas are (x_p = k_p / K) attains that in every hour of every scenario at once.

A plan that leaves at most a of each cell's demand unmet keeps the service's cap, hence ``low``. In
a bound all that may go unmet of a service may do so in one cell, hence ``low_bound``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.demand import Outlook
from models.world import World
from optimizer.compiled import compiled
from optimizer.decompose.tables import Asks
from optimizer.formulate.spread import whole_replicas
from optimizer.formulate.terms import UnmetTerms
from optimizer.shortfall import NOISE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Where:
    """Which service, span and origins each cell is about."""

    service: Ints  # [cell]
    span: Ints  # [cell]
    cluster: Ints  # [cell]
    origins: tuple[Ints, ...]  # [cluster]
    spans: tuple[tuple[int, int], ...]


def dominating(outlook: Outlook) -> int | None:
    """The scenario that asks for the most in every hour of every origin; None: there is none."""
    highest = outlook.highest_rps
    found = np.flatnonzero((outlook.scenario_rps >= highest).all(axis=(1, 2, 3)))
    return int(found[0]) if len(found) else None


def with_unmet(
    world: World, outlook: Outlook, asks: Asks, where: Where, minimum: Ints
) -> tuple[Asks, NDArray[np.int16]]:
    """``asks`` with what cells may leave unmet, and the scenario of every pair in ``unmet_busy``.

    ``minimum`` [service]: replicas that run whatever demand is.
    """
    terms = UnmetTerms.of(world)
    top = dominating(outlook)
    if not (terms.at_most > 0).any() or top is None:
        return asks, np.zeros(0, np.int16)
    rate = np.array([service.replica.throughput_rps for service in world.services])
    low, low_bound, most = asks.need.copy(), asks.need.copy(), np.zeros(len(asks.need))
    cells, busy, cap, scenario = [], [], [], []
    part_cells, parts = [], []
    at_most = terms.at_most[where.service]
    for i, origins in enumerate(where.origins):
        for j, (start, end) in enumerate(where.spans):
            mine = np.flatnonzero((where.cluster == i) & (where.span == j) & (at_most > 0))
            if not len(mine) or not len(origins):
                continue
            s = where.service[mine]
            asked = outlook.scenario_rps[:, s, :, start:end] / rate[s, None, None]
            here, whole = asked[:, :, origins].sum(axis=2), asked.sum(axis=2)
            spared = at_most[mine][:, None] * whole
            low[mine] = _least((1.0 - at_most[mine][:, None]) * here)
            low_bound[mine] = np.minimum(_least(here - spared), low[mine])
            most[mine] = np.minimum(spared[top].max(axis=1), here[top].max(axis=1))
            pair = here.swapaxes(0, 1).reshape(len(mine), -1)
            cells.append(np.repeat(mine, pair.shape[1]))
            busy.append(pair.ravel())
            cap.append(spared.swapaxes(0, 1).ravel())
            scenario.append(
                np.tile(np.repeat(np.arange(len(asked), dtype=np.int16), end - start), len(mine))
            )
            if len(origins) > 1:
                part = asked[:, :, origins].transpose(1, 0, 3, 2).reshape(len(mine), -1)
                part_cells.append(np.repeat(mine, part.shape[1]))
                parts.append(part.ravel())
    low, low_bound = _with_minimum(asks, low, low_bound, minimum[where.service])
    cell = np.concatenate([*cells, np.zeros(0, np.int64)])
    all_busy = np.concatenate([*busy, np.zeros(0)])
    all_cap = np.concatenate([*cap, np.zeros(0)])
    all_scenario = np.concatenate([*scenario, np.zeros(0, np.int16)])
    sizes = np.diff(asks.group_start)
    # Others must know of every hour what is missing, together or of each origin.
    alone = np.repeat(sizes == 1, sizes) & (np.diff(asks.entry_start) == 1)
    kept = np.flatnonzero(~alone[cell] | (all_busy > np.minimum(low, low_bound)[cell]))
    kept = kept[np.argsort(cell[kept], kind="stable")]
    cell, all_scenario = cell[kept], all_scenario[kept]
    part_cell = np.concatenate([*part_cells, np.zeros(0, np.int64)])
    order = np.argsort(part_cell, kind="stable")
    price = terms.usd_per_replica_hour[where.service]
    found = asks._replace(
        low=low,
        low_bound=low_bound,
        least_of_group=np.minimum(minimum[where.service], _of_group(asks, asks.need)),
        unmet_most=most,
        unmet_top=np.where(most > 0, price * outlook.probability[top], 0.0),
        unmet_start=np.searchsorted(cell, np.arange(len(low) + 1)).astype(np.int64),
        unmet_busy=all_busy[kept],
        unmet_usd=price[cell] * outlook.probability[all_scenario],
        unmet_cap=all_cap[kept],
        part_start=np.searchsorted(part_cell[order], np.arange(len(low) + 1)).astype(np.int64),
        unmet_part=np.concatenate([*parts, np.zeros(0)])[order],
    )
    return found, all_scenario


def _least(busy: Floats) -> Ints:
    """Whole replicas for the most of ``busy`` [scenario, cell, hour] or [cell, hour]."""
    peak = busy.max(axis=2).max(axis=0) if busy.ndim == 3 else busy.max(axis=1)
    return np.maximum(whole_replicas(peak), 0.0).astype(np.int64)


def _of_group(asks: Asks, values: Ints) -> Ints:
    """[cell]: the sum over all cells of its group."""
    starts = asks.group_start[:-1]
    return np.repeat(np.add.reduceat(values, starts), np.diff(asks.group_start))


def _with_minimum(asks: Asks, low: Ints, low_bound: Ints, minimum: Ints) -> tuple[Ints, Ints]:
    """A minimum is about all cells of a group together, and nothing buys it off.

    Groups of one cell hold it themselves. In plans the cells of others serve all of their demand
    unless they reach the minimum anyway; in bounds only what goes beyond their demand stays.
    """
    sizes = np.diff(asks.group_start)
    extra = np.repeat(asks.group_extra, sizes)
    alone = np.repeat(sizes == 1, sizes)
    short = _of_group(asks, low) < minimum
    least = np.where(extra > 0, asks.need, np.minimum(minimum, asks.need))
    plan = np.where(alone, np.maximum(low, least), np.where(short | (extra > 0), asks.need, low))
    bound = np.where(alone, np.maximum(low_bound, least), low_bound)
    return plan.astype(np.int64), bound.astype(np.int64)


@compiled
def unmet_replicas(asks: Asks, slot_capacity: Floats, share: Floats) -> tuple[Ints, Ints, Floats]:
    """Slot, entry of ``unmet_busy`` and replicas that places lack at these ``share`` [lane]."""
    slots, pairs, lacking = [0], [0], [0.0]
    for cell in range(len(asks.need)):
        low, high = asks.slot_start[cell], asks.slot_start[cell + 1]
        entries = asks.entry_start[cell + 1] - asks.entry_start[cell]
        for pair in range(asks.unmet_start[cell], asks.unmet_start[cell + 1]):
            part = asks.part_start[cell] + (pair - asks.unmet_start[cell]) * entries
            for slot in range(low, high):
                lane = asks.lane_start[cell] + slot - low
                asked = 0.0
                for e in range(entries):
                    busy = asks.unmet_busy[pair] if entries == 1 else asks.unmet_part[part + e]
                    asked += share[lane + e * (high - low)] * busy
                if asked - slot_capacity[slot] > NOISE * (1.0 + asked):
                    slots.append(slot)
                    pairs.append(pair)
                    lacking.append(asked - slot_capacity[slot])
    return np.array(slots[1:]), np.array(pairs[1:]), np.array(lacking[1:])


@compiled
def unmet_usd(asks: Asks, slot_capacity: Floats, share: Floats) -> Floats:
    """What the demand that cells leave unmet costs [cell]."""
    slot, pair, lacking = unmet_replicas(asks, slot_capacity, share)
    usd = np.zeros(len(asks.need))
    cell = 0
    for i in range(len(slot)):
        while asks.slot_start[cell + 1] <= slot[i]:
            cell += 1
        usd[cell] += lacking[i] * asks.unmet_usd[pair[i]]
    return usd
