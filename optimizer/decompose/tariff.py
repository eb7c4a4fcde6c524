"""What candidates and routes cost when shared things have prices."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Prices:
    """What is charged for shared things. All in USD of the horizon's bill."""

    quota: Floats  # [quota row, hour] per vCPU or instance
    budget: Floats  # [budget] per USD
    covered: Floats  # [commitment class, hour] per USD at list price
    ends: Floats  # [price of a link's end at a place]
    rooms: Floats  # [slot] per replica, cells of several origins


@dataclass(frozen=True, eq=False)
class Tariff:
    """What prices are added to, of a fleet or of a shard of it.

    Every candidate and lane is priced apart from all others: a shard's are those of its fleet, to
    the last bit.
    """

    spans: tuple[tuple[int, int], ...]
    cost_usd_per_hour: Floats  # [candidate] with carbon
    price_usd_per_hour: Floats  # [candidate]
    counts_candidate: Bools  # [budget, candidate]
    quota_use: sparse.csr_array  # [candidate, quota row]
    list_usd: sparse.csr_array  # [class, candidate] USD an hour that commitments may cover
    route_usd: Floats  # [lane] data to users
    lane_service: NDArray[np.int32]
    lane_region: NDArray[np.int32]
    counts_service: Bools  # [budget, service]
    counts_region: Bools  # [budget, region]
    end_lane: Ints  # [price of a link's end] the lane it stands on

    def candidates(self, prices: Prices) -> Floats:
        """USD of each candidate over each span [candidate, span]."""
        counted = np.zeros(len(self.cost_usd_per_hour))
        for b in np.flatnonzero(prices.budget).tolist():
            counted += prices.budget[b] * self.counts_candidate[b]
        base = self.cost_usd_per_hour + self.price_usd_per_hour * counted
        hours = np.array([end - start for start, end in self.spans], np.float64)
        usd = base[:, None] * hours
        if len(prices.quota):
            usd += self.quota_use @ self._by_span(prices.quota)
        if len(prices.covered):
            usd -= self.list_usd.T @ self._by_span(prices.covered)
        return np.maximum(usd, 0.0)

    def _by_span(self, hourly: Floats) -> Floats:
        """Sums of ``hourly`` [row, hour] over the hours of each span."""
        return np.stack([hourly[:, start:end].sum(axis=1) for start, end in self.spans], axis=1)

    def routes(self, prices: Prices) -> Floats:
        """USD of each lane if all of the origin's traffic goes there."""
        usd = self.route_usd.copy()
        for b in np.flatnonzero(prices.budget > 0).tolist():
            usd += prices.budget[b] * self.route_usd * self.counts_lane(b)
        np.add.at(usd, self.end_lane, prices.ends)
        return usd

    def counts_lane(self, budget: int) -> Bools:
        """Whether a budget counts what the lane costs [lane]."""
        counts: Bools = self.counts_service[budget, self.lane_service]
        return counts & self.counts_region[budget, self.lane_region]

    def part(self, candidates: slice, lanes: slice, ends: Ints) -> Tariff:
        """The tariff of some candidates and lanes; ``ends``: prices that stand on these lanes."""
        return replace(
            self,
            cost_usd_per_hour=self.cost_usd_per_hour[candidates],
            price_usd_per_hour=self.price_usd_per_hour[candidates],
            counts_candidate=self.counts_candidate[:, candidates],
            quota_use=self.quota_use[candidates],
            list_usd=self.list_usd[:, candidates],
            route_usd=self.route_usd[lanes],
            lane_service=self.lane_service[lanes],
            lane_region=self.lane_region[lanes],
            end_lane=self.end_lane[ends] - lanes.start,
        )
