"""The bill of a plan, computed from what it runs, list prices and where its traffic goes.

Compute is exact. Data between services is paired place by place: for every dependency, origin and
hour, how much of the caller's share in one place goes to which place of the callee is the cheapest
transport between the two, found by a linear program with a variable per pair of used places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import assert_never

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from models.egress import GB_PER_KIB, SECONDS_PER_HOUR
from models.errors import SolverFailed
from models.placement import CENT_OF_A_CENT, Bill, BillLine, ShadowLine, Term
from models.places import Cloud, Region
from models.services import Dependency
from models.world import HOURS_PER_MONTH
from optimizer.verify.case import Bools, Case, Floats, Ints
from optimizer.verify.contracts import Contracts
from optimizer.verify.shadows import shadow_lines

MOST_PAIRS_AT_ONCE = 50_000


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every pair of places between which calls may go. Arrays are parallel.

    ``block`` numbers the (dependency, origin, stretch of equal routes) that a pair belongs to, in
    which the shares of the caller's places ``out`` and of the callee's places ``into`` each sum
    to 1. ``request_gb`` leave the caller's place ``here`` and ``response_gb`` the callee's
    ``there`` if all calls of the block went this way.
    """

    block: Ints
    caller: Ints
    callee: Ints
    here: Ints
    there: Ints
    out: Floats
    into: Floats
    request_gb: Floats
    response_gb: Floats


@dataclass(frozen=True, eq=False)
class Charges:
    """Amounts of data transfer, USD, with whose they are and where. Arrays are parallel."""

    term: tuple[Term, ...]
    service: Ints
    region: Ints
    usd: Floats


class Spending:
    """What a plan costs over its horizon: as expected, or in one of the demand scenarios.

    ``beside`` are the lines of what changes of today's fleet: moves, and minimum savings.
    ``weights`` [scenario] of the scenarios; None: their probabilities.
    """

    def __init__(
        self,
        case: Case,
        contracts: Contracts,
        beside: tuple[tuple[BillLine, ...], tuple[ShadowLine, ...]] = ((), ()),
        weights: Floats | None = None,
    ) -> None:
        self.case, self.contracts, self.beside = case, contracts, beside
        self.weights = case.demand.outlook.probability if weights is None else weights
        self.compute = tuple(_compute_lines(case))
        self._prices = np.array(
            [
                (
                    0.0,
                    price.same_continent_usd_per_gb,
                    price.same_cloud_usd_per_gb,
                    price.internet_usd_per_gb,
                )
                for price in (case.world.egress[place] for place in case.place_names)
            ]
        ).reshape(-1, 4)
        self._levels = _levels(case.world.regions)
        self._pairs = _pairs(case, self.weights)
        self._to_users = _usd_to_users(case, self.weights, self._prices)

    @cached_property
    def bill(self) -> Bill:
        """Under the cheapest pairing."""
        usd = self._transfer(self._pair_usd())
        lines = [*self.compute]
        for term in Term:
            lines += self._lines(term, usd)
        shadow = (*shadow_lines(self.case, self.weights), *self.beside[1])
        return Bill(self.case.hours, tuple(lines), shadow)

    def least_usd_per_month(self, team: str | None, cloud: Cloud | None, enough: float) -> float:
        """What one team's services, or one cloud's regions, cost at least, a month of 730 h.

        Stops at the cheapest pairing of all when that is no more than ``enough``: only beyond does
        it matter that a dearer pairing may be the cheaper one for a team or cloud.
        """
        world = self.case.world
        services = np.array([team in (None, s.team) for s in world.services], np.bool_)
        regions = np.array([cloud in (None, r.cloud) for r in world.regions], np.bool_)
        monthly = HOURS_PER_MONTH / self.case.hours
        fixed = sum(
            float(line.usd)
            for line in (*self.compute, *self.beside[0])
            if services[self.case.services[line.service]] and regions[self.case.places[line.place]]
        )
        if team is None:  # commitments are of no team
            for line in (
                *self.contracts.lines(Term.COMMITMENTS),
                *self.contracts.lines(Term.COVERED),
            ):
                fixed += float(line.usd) if cloud in (None, Cloud(line.cloud)) else 0.0
        fixed += float(self._to_users[np.ix_(services, regions)].sum())
        all_pairs = self._pair_usd()
        counted = self._pair_usd(services, regions)
        spent = (fixed + float(self._flow(all_pairs) @ counted)) * monthly
        if spent <= enough or (team is None and cloud is None):
            return spent
        return (fixed + float(self._flow(counted) @ counted)) * monthly

    def dearer_usd(self) -> float:
        """How much more it costs if calls go the dearest way that the routes allow."""
        usd = self._pair_usd()
        return float((self._flow(-usd) - self._flow(usd)) @ usd)

    def _pair_usd(self, services: Bools | None = None, regions: Bools | None = None) -> Floats:
        """USD of each pair if all of its block's calls took it; of some payers only, if given."""
        pairs, level = self._pairs, self._levels[self._pairs.here, self._pairs.there]
        request = pairs.request_gb * self._prices[pairs.here, level]
        response = pairs.response_gb * self._prices[pairs.there, level]
        if services is not None and regions is not None:
            request = request * (services[pairs.caller] & regions[pairs.here])
            response = response * (services[pairs.callee] & regions[pairs.there])
        total: Floats = request + response
        return total

    def _flow(self, usd: Floats) -> Floats:
        """The cheapest share of its block's calls that each pair carries."""
        return _transport(self._pairs, usd)

    def _transfer(self, usd: Floats) -> Charges:
        pairs, share = self._pairs, self._flow(usd)
        level = self._levels[pairs.here, pairs.there]
        services, regions = np.nonzero(self._to_users > 0)
        terms = [_TERM_OF_LEVEL[i] for i in level.tolist()]
        return Charges(
            (*(Term.EGRESS_INTERNET for _ in services), *terms, *terms),
            np.concatenate([services, pairs.caller, pairs.callee]),
            np.concatenate([regions, pairs.here, pairs.there]),
            np.concatenate(
                [
                    self._to_users[services, regions],
                    share * pairs.request_gb * self._prices[pairs.here, level],
                    share * pairs.response_gb * self._prices[pairs.there, level],
                ]
            ),
        )

    def _lines(self, term: Term, charges: Charges) -> Iterator[BillLine]:
        """The lines of one part of the bill besides compute."""
        match term:
            case Term.COMPUTE:
                return
            case Term.COMMITMENTS | Term.COVERED:
                yield from self.contracts.lines(term)
                return
            case Term.MOVES:
                yield from self.beside[0]
                return
            case Term.EGRESS_INTER_REGION | Term.EGRESS_INTERNET:
                own = np.array([charged is term for charged in charges.term], np.bool_)
            case _:
                assert_never(term)
        usd = np.zeros(self._to_users.shape)
        np.add.at(usd, (charges.service[own], charges.region[own]), charges.usd[own])
        for s, r in zip(*np.nonzero(usd >= float(CENT_OF_A_CENT) / 2), strict=True):
            region = self.case.world.regions[r]
            exact = Decimal(repr(float(usd[s, r]))).quantize(CENT_OF_A_CENT)
            name = self.case.world.services[s].name
            yield BillLine(term, region.cloud.value, region.place, name, "", exact)


_TERM_OF_LEVEL = (
    Term.EGRESS_INTER_REGION,  # stays in the region: free
    Term.EGRESS_INTER_REGION,
    Term.EGRESS_INTER_REGION,
    Term.EGRESS_INTERNET,
)


def _compute_lines(case: Case) -> Iterator[BillLine]:
    """Instance hours times the book's price, exactly: a float is the decimal it is written as."""
    book = case.world.book.offerings
    groups = case.groups
    prices = book["price_usd_per_hour"].to_numpy(np.float64)[groups.offering].tolist()
    bought = book["purchase"].astype(str).to_numpy()[groups.offering].tolist()
    hours = groups.count.sum(axis=1).tolist()
    totals: dict[tuple[int, int, str], Decimal] = {}
    for s, r, purchase, price, count in zip(
        groups.service.tolist(), groups.region.tolist(), bought, prices, hours, strict=True
    ):
        usd = Decimal(repr(float(price))) * count
        totals[s, r, purchase] = totals.get((s, r, purchase), Decimal(0)) + usd
    for (s, r, purchase), usd in sorted(totals.items()):
        region = case.world.regions[r]
        if usd:
            yield BillLine(
                Term.COMPUTE, region.cloud.value, region.place, case.world.services[s].name,
                purchase, usd,
            )  # fmt: skip


def _levels(regions: Sequence[Region]) -> Ints:
    """How far data goes from region to region: 0 stays, 1 continent, 2 cloud, 3 beyond."""

    def level(here: Region, there: Region) -> int:
        if here is there:
            return 0
        if here.cloud is not there.cloud:
            return 3
        return 1 if here.continent == there.continent else 2

    far = [[level(here, there) for there in regions] for here in regions]
    return np.array(far, np.int64).reshape(len(regions), len(regions))


def _usd_to_users(case: Case, weights: Floats, prices: Floats) -> Floats:
    """[service, region]: responses to direct requests leave for the internet."""
    direct_rps = np.tensordot(weights, case.demand.outlook.direct_rps, axes=1)
    usd = np.zeros((len(case.services), len(case.places)))
    for s, service in enumerate(case.world.services):
        if service.response_kib > 0:
            gb_per_rps = SECONDS_PER_HOUR * service.response_kib * GB_PER_KIB
            rps = np.einsum("grt,gt->r", case.shares(s), direct_rps[s])
            usd[s] = rps * gb_per_rps * prices[:, 3]
    return usd


def _pairs(case: Case, weights: Floats) -> Pairs:
    total_rps = np.tensordot(weights, case.demand.outlook.scenario_rps, axes=1)
    rows: list[tuple[float, ...]] = []
    block = 0
    for edge in case.world.dependencies:
        if edge.request_kib > 0 or edge.response_kib > 0:
            for stretch in _stretches(case, edge, total_rps):
                rows += [(block, *row) for row in _pairs_of(case, edge, *stretch)]
                block += 1
    table = np.array(rows, np.float64).reshape(len(rows), 9).T
    whole = [column.astype(np.int64) for column in table[:5]]
    return Pairs(*whole, *table[5:])


def _stretches(
    case: Case, edge: Dependency, total_rps: Floats
) -> Iterator[tuple[Floats, Floats, float]]:
    """Calls of one origin while neither side's routes change: shares of caller and callee by
    region, and how many calls there are, in rps hours."""
    a, b = case.services[edge.caller], case.services[edge.callee]
    out, into = case.shares(a), case.shares(b)
    calls = total_rps[a] * edge.calls_per_request
    for g in range(len(case.origins)):
        both = np.concatenate([out[g], into[g]]).T  # [hour, regions twice]
        routes, which = np.unique(both, axis=0, return_inverse=True)
        amounts = np.bincount(which.ravel(), weights=calls[g], minlength=len(routes))
        middle = len(case.places)
        for route, amount in zip(routes, amounts.tolist(), strict=True):
            if amount > 0 and route[:middle].any() and route[middle:].any():
                yield route[:middle], route[middle:], amount


def _pairs_of(
    case: Case, edge: Dependency, out: Floats, into: Floats, calls: float
) -> Iterable[tuple[float, ...]]:
    """All places of the caller with all places of the callee; shares made to sum to 1."""
    a, b = case.services[edge.caller], case.services[edge.callee]
    gb = calls * SECONDS_PER_HOUR * GB_PER_KIB
    out, into = out / out.sum(), into / into.sum()
    return [
        (a, b, p, q, out[p], into[q], gb * edge.request_kib, gb * edge.response_kib)
        for p in np.flatnonzero(out).tolist()
        for q in np.flatnonzero(into).tolist()
    ]


def _transport(pairs: Pairs, usd: Floats) -> Floats:
    """The share of each pair in a cheapest transport; blocks do not touch each other."""
    share = pairs.out * pairs.into  # the only way when one side has but one place
    sides = [np.stack([pairs.block, end]) for end in (pairs.here, pairs.there)]
    rows = [np.unique(side, axis=1, return_inverse=True)[1].ravel() for side in sides]
    alone = _is_alone(pairs)
    chosen = np.flatnonzero(~alone)
    for part in _parts(pairs.block[chosen]):
        own = chosen[part]
        share[own] = _solve(usd[own], [row[own] for row in rows], [pairs.out[own], pairs.into[own]])
    return share


def _is_alone(pairs: Pairs) -> Bools:
    """Whether one of the two sides of the pair's block has a single place."""
    if not len(pairs.block):
        return np.zeros(0, np.bool_)
    blocks = int(pairs.block.max()) + 1
    single = np.zeros(blocks, np.bool_)
    for end in (pairs.here, pairs.there):
        low, high = np.full(blocks, np.iinfo(np.int64).max), np.full(blocks, -1)
        np.minimum.at(low, pairs.block, end)
        np.maximum.at(high, pairs.block, end)
        single |= low == high
    alone: Bools = single[pairs.block]
    return alone


def _parts(blocks: Ints) -> Iterator[slice]:
    """Runs of whole blocks of about ``MOST_PAIRS_AT_ONCE`` pairs."""
    start = 0
    while start < len(blocks):
        last = blocks[min(start + MOST_PAIRS_AT_ONCE, len(blocks)) - 1]
        end = int(np.searchsorted(blocks, last, side="right"))
        yield slice(start, end)
        start = end


def _solve(usd: Floats, rows: Sequence[Ints], shares: Sequence[Floats]) -> Floats:
    matrices, right = [], []
    for row, share in zip(rows, shares, strict=True):
        names, first, number = np.unique(row, return_index=True, return_inverse=True)
        ones = (np.ones(len(row)), (number.ravel(), np.arange(len(row))))
        matrices.append(csr_array(ones, shape=(len(names), len(row))))
        right.append(share[first])
    scale = max(float(np.abs(usd).max(initial=0.0)), 1e-12)
    exactly = np.concatenate(right)
    found = milp(  # without whole numbers: a linear program, whose rows may be sparse
        usd / scale,
        constraints=LinearConstraint(vstack(matrices), exactly, exactly),
        bounds=Bounds(0.0, np.inf),
    )
    if found.x is None:
        raise SolverFailed(f"calls could not be paired with places: {found.message}")
    flow: Floats = np.asarray(found.x, np.float64)
    return flow
