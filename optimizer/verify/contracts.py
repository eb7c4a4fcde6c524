"""What commitments cost, and the most that they can cover of what a plan runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from models.commitments import Commitment, level_per_usd, owned_levels
from models.errors import SolverFailed
from models.placement import CENT_OF_A_CENT, COMMITMENT_PURCHASE, BillLine, Term
from optimizer.verify.case import TOLERANCE, Case, Floats, Ints
from optimizer.verify.findings import Difference, Given, Subject, Violation, given

LEAST_LEVEL = Decimal("0.000001")
"""Bought levels are whole multiples of this."""


@dataclass(frozen=True, eq=False)
class Contracts:
    """The world's commitments at the levels that the plan buys, [commitment] USD over the horizon.

    ``cost_usd`` is paid whether used or not; ``covered_usd`` is the list price of what they cover
    at best. Where several cover the same usage, which of them does is of no account.
    """

    commitments: tuple[Commitment, ...]
    cost_usd: tuple[Decimal, ...]
    covered_usd: Floats

    def lines(self, term: Term) -> Iterator[BillLine]:
        """The lines of ``Term.COMMITMENTS`` or ``Term.COVERED``."""
        covered = [
            -Decimal(repr(usd)).quantize(CENT_OF_A_CENT) for usd in self.covered_usd.tolist()
        ]
        amounts = self.cost_usd if term is Term.COMMITMENTS else covered
        for commitment, usd in zip(self.commitments, amounts, strict=True):
            if usd:
                cloud = commitment.cloud.value
                yield BillLine(term, cloud, "", "", COMMITMENT_PURCHASE, usd, commitment.name)

    def all_lines(self) -> Iterator[BillLine]:
        yield from (*self.lines(Term.COMMITMENTS), *self.lines(Term.COVERED))


def contracts_of(case: Case) -> Contracts:
    """Owned levels while they are in force, and what the plan says that it buys."""
    world = case.world
    bought = _bought(case)
    owned = owned_levels(world.commitments, world.starts, case.hours)
    cost = []
    for k, commitment in enumerate(world.commitments):
        level_hours = Decimal(repr(float(commitment.owned))) * int(np.count_nonzero(owned[k]))
        level_hours += bought[k] * case.hours
        cost.append(Decimal(repr(float(commitment.usd_per_level_hour))) * level_hours)
    level = owned + np.array([float(amount) for amount in bought]).reshape(-1, 1)
    return Contracts(world.commitments, tuple(cost), _covered_at_best(case, level))


def check_contracts(case: Case) -> Iterator[Violation]:
    """Whether what is bought is on offer."""
    known = {commitment.name: commitment for commitment in case.world.commitments}
    for i, entry in enumerate(case.plan.commitments):
        commitment = known.get(entry.commitment)
        if commitment is None:
            what = f"the world has no commitment {entry.commitment} (/commitments/{i})"
            yield given(Given.COMMITMENTS, what)
            continue
        beyond = entry.bought - commitment.at_most
        if beyond > TOLERANCE * (1.0 + commitment.at_most):
            yield given(
                Given.COMMITMENTS,
                f"{entry.bought:g} of {entry.commitment} are bought, {commitment.at_most:g} are "
                "on offer",
                by=beyond,
                unit=commitment.unit,
            )


def contract_differences(case: Case, contracts: Contracts) -> Iterator[Difference]:
    """What is stated to be owned, and what commitments cost in all. What each of them covers is a
    matter of how usage is shared out."""
    costs = zip(contracts.commitments, contracts.cost_usd, strict=True)
    known = {commitment.name: (commitment, cost) for commitment, cost in costs}
    for i, entry in enumerate(case.plan.commitments):
        if entry.commitment not in known:
            continue
        commitment, cost = known[entry.commitment]
        if entry.owned is not None and entry.owned != commitment.owned:
            yield Difference(
                Subject.FACTS, f"/commitments/{i}/owned", f"what is owned of {entry.commitment}",
                f"{entry.owned:g} {commitment.unit}", f"{commitment.owned:g} {commitment.unit}",
            )  # fmt: skip
        if entry.cost_usd is not None and Decimal(entry.cost_usd) != cost:
            yield Difference(
                Subject.BILL, f"/commitments/{i}/cost_usd", f"the cost of {entry.commitment}",
                f"{entry.cost_usd} USD", f"{cost} USD",
            )  # fmt: skip


def _bought(case: Case) -> list[Decimal]:
    """The level of each commitment that the plan buys; 0 where it does not say."""
    stated = {entry.commitment: entry.bought for entry in case.plan.commitments}
    return [
        Decimal(repr(float(stated.get(commitment.name, 0.0)))).quantize(LEAST_LEVEL)
        for commitment in case.world.commitments
    ]


def _covered_at_best(case: Case, level: Floats) -> Floats:
    """max Σ u over covered usage u ≥ 0 at list price, such that no commitment is used beyond its
    level and no usage is covered twice: per hour, and per offering that the plan uses.

    ``level`` [commitment, hour]; the result is [commitment].
    """
    book, groups = case.world.book.offerings, case.groups
    rows, offering = np.unique(groups.offering, return_inverse=True)
    rate = level_per_usd(case.world.commitments, book.iloc[rows], case.world.regions)
    covered = np.zeros(len(rate))
    if not np.isfinite(rate).any():
        return covered
    usage = np.zeros((len(rows), case.hours))
    np.add.at(usage, offering.ravel(), groups.count)
    usage *= book["price_usd_per_hour"].to_numpy(np.float64)[rows][:, None]
    moments, times = np.unique(np.vstack([usage, level]), axis=1, return_counts=True)
    k, e = np.nonzero(np.isfinite(rate))
    for t, hours in enumerate(times.tolist()):
        listed, limit = moments[: len(rows), t], moments[len(rows) :, t]
        found = _best(rate[k, e], k, e, limit, listed)
        covered += hours * np.bincount(k, weights=found, minlength=len(rate))
    return covered


def _best(rate: Floats, k: Ints, e: Ints, level: Floats, usage: Floats) -> Floats:
    """Covered usage of one hour, for every pair of a commitment ``k`` and an offering ``e``."""
    pairs = np.arange(len(k))
    takes = csr_array((rate, (k, pairs)), shape=(len(level), len(k)))
    counts = csr_array((np.ones(len(k)), (e, pairs)), shape=(len(usage), len(k)))
    limits = LinearConstraint(vstack([takes, counts]), -np.inf, np.concatenate([level, usage]))
    found = milp(-np.ones(len(k)), constraints=limits, bounds=Bounds(0.0, np.inf))
    if found.x is None:
        raise SolverFailed(f"what commitments cover could not be told: {found.message}")
    return np.asarray(found.x, np.float64)
