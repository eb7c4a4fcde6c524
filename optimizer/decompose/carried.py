"""Prices of the last plan, for whatever of it is still there in the next world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.decompose.dual import Case, first_prices
from optimizer.decompose.last import Last, call_names, commitment_names, numbered
from optimizer.decompose.matching import Match
from optimizer.decompose.tariff import Prices

Floats = NDArray[np.float64]


def prices_of(last: Last, case: Case, found: Match) -> Prices:
    """The last prices, for whatever of them is still there; what is new costs nothing."""
    prices = first_prices(case)
    if last.quota.shape[1] == case.periods:
        rows = pd.Index(last.quotas).get_indexer(numbered(case.limits.quota_names))
        known = rows >= 0
        prices.quota[known] = last.quota[rows[known]]
    budgets = pd.Index(last.budget_rules).get_indexer([r.name for r in case.limits.budget_rules])
    prices.budget[budgets >= 0] = last.budget[budgets[budgets >= 0]]
    covered = _covered(last, case, prices)
    rooms = (
        np.where(found.slot >= 0, last.rooms[found.slot], 0.0) if len(last.rooms) else prices.rooms
    )
    return replace(prices, covered=covered, rooms=rooms, ends=_ends(last, case, found))


def _covered(last: Last, case: Case, first: Prices) -> Floats:
    """Prices of usage that commitments may cover [class, hour]; ``first``: where nothing is known.

    Classes are told apart by the rates at which commitments cover them, which change with prices of
    offerings. A class at other rates than any before gets the least price at which no level earns
    more than it did.
    """
    cover = case.covered.cover
    if last.worth.shape[1] != case.periods:
        return first.covered
    known = pd.Index(last.commitments).get_indexer(commitment_names(case))
    old = known >= 0
    counted = 1.0 + first.budget @ case.covered.counts
    price = first.covered.copy()
    for e in np.flatnonzero((cover.covers & old[:, None]).any(axis=0)).tolist():
        k = np.flatnonzero(cover.covers[:, e] & old)
        keeps = cover.level_per_usd[k, e, None] * last.worth[known[k]]
        price[e] = np.maximum(counted[k, None] - keeps, 0.0).max(axis=0)
    if len(old) == len(last.commitments) and old.all():
        rates = np.round(cover.level_per_usd, 12)
        before = np.round(last.class_rates[known], 12)
        of = {before[:, e].tobytes(): e for e in range(before.shape[1])}
        for e in range(len(price)):
            if (at := of.get(rates[:, e].tobytes())) is not None:
                price[e] = last.covered[at]
    return price


def _ends(last: Last, case: Case, found: Match) -> Floats:
    """Prices of the ends of calls, by who calls whom and lane."""
    links = case.links
    ends = np.zeros(len(links.lane_of))
    if not len(ends) or not len(last.ends):
        return ends
    call = pd.Index(last.calls).get_indexer(call_names(case))
    mine = call[np.repeat(np.repeat(links.dependency, 2), np.diff(links.start))]
    side = np.repeat(np.arange(2 * len(links)) % 2, np.diff(links.start))
    lane = found.lane[links.lane_of]
    width = int(last.end_lane.max()) + 1
    keys = (last.end_call * 2 + last.end_side) * width + last.end_lane
    order = np.argsort(keys)
    wanted = (mine * 2 + side) * width + lane
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    known = (mine >= 0) & (lane >= 0) & (keys[order][at] == wanted)
    ends[known] = last.ends[order[at[known]]]
    return ends
