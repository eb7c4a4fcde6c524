"""The claim that nothing cheaper exists: what can be said of it at once, and who derives it anew.

A plan shows by itself that its work can be done for its cost. That nothing lawful costs less than
the stated bound does not show; somebody must derive a bound again. How is a matter of its own:
a ``Bound`` may solve the problem a second time, or evaluate dual prices that the plan states.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from models.placement import Proof
from models.world import World
from optimizer.verify.case import Demand
from optimizer.verify.entries import PlanEntry
from optimizer.verify.findings import BoundCheck, BoundState, Difference, Subject
from optimizer.verify.reckoning import Reckoning

SAME = 1e-6
"""Relative difference below which two bounds are the same: solvers work in floating point."""
OPTIMAL_GAP = 1e-6


@dataclass(frozen=True, slots=True)
class Derived:
    """What was derived: no lawful plan costs less than ``bound_usd`` over the horizon.

    ``cheaper_usd`` is the cost of a lawful plan that was found on the way, if any was.
    """

    bound_usd: float
    how: str
    seconds: float
    cheaper_usd: float | None = None


class Bound(Protocol):
    """A way to derive a lower bound on what any lawful plan of a world costs."""

    def derive(self, world: World, demand: Demand, plan: PlanEntry, claimed_usd: float) -> Derived:
        """The best bound found, in search of one that is at least ``claimed_usd``.

        ``plan`` is the file that makes the claim, and may hold what helps to derive it.
        """
        ...


def check_bound(
    world: World,
    demand: Demand,
    plan: PlanEntry,
    found: Reckoning,
    bound: Bound | None,
    lawful: bool,
) -> BoundCheck:
    """Whether the stated bound holds. ``bound`` None: nobody is asked to derive it anew.

    A lawful plan that costs less than its own bound refutes it without any solver.
    """
    if plan.proof.bound_usd is None:
        return BoundCheck(BoundState.NOT_CLAIMED, "the file states no bound")
    claimed = float(plan.proof.bound_usd)
    cost = float(found.counted_usd + found.rounding_usd)
    if lawful and claimed > cost * (1 + SAME):
        words = "the plan itself keeps every rule and costs less than its bound"
        return BoundCheck(BoundState.REFUTED, words, claimed)
    if bound is None:
        return BoundCheck(BoundState.SKIPPED, "nobody derived it anew", claimed)
    derived = bound.derive(world, demand, plan, claimed)
    given = claimed, derived.bound_usd, derived.how, derived.seconds
    if derived.bound_usd >= claimed - SAME * abs(claimed):
        return BoundCheck(BoundState.CONFIRMED, "derived anew", *given)
    if derived.cheaper_usd is not None and derived.cheaper_usd < claimed * (1 - SAME):
        words = "a plan that keeps every rule and costs less than the bound exists"
        return BoundCheck(BoundState.REFUTED, words, *given)
    words = "what was derived in the time given is weaker than what the file states"
    return BoundCheck(BoundState.NOT_CONFIRMED, words, *given)


def proof_differences(plan: PlanEntry, found: Reckoning) -> Iterator[Difference]:
    """Whether cost, bound, gap and grade of the stated proof fit each other and the bill."""
    proof = plan.proof
    objective = None if proof.objective_usd is None else Decimal(proof.objective_usd)
    cost = found.counted_usd
    slack = found.rounding_usd + cost * Decimal(repr(SAME))
    most = cost + found.dearer_usd + slack
    if objective is not None and not cost - slack <= objective <= most:
        yield Difference(
            Subject.PROOF, "/proof/objective_usd", "the cost that the proof is about",
            f"{objective:,.6f} USD", f"{cost:,.6f} USD",
        )  # fmt: skip
    if objective is None or proof.bound_usd is None:
        return
    gap = max(0.0, float(objective - Decimal(proof.bound_usd))) / max(abs(float(objective)), 1e-9)
    if proof.gap is not None and abs(proof.gap - gap) > 2 * SAME:
        yield Difference(
            Subject.PROOF, "/proof/gap", "the gap between the stated cost and bound",
            f"{proof.gap:.4%}", f"{gap:.4%}",
        )  # fmt: skip
    target = plan.policy.gap_target
    beyond = {
        Proof.OPTIMAL.value: gap > OPTIMAL_GAP + SAME,
        Proof.WITHIN_GAP.value: target is not None and gap > target + SAME,
    }
    if proof.proof is not None and beyond.get(proof.proof, False):
        yield Difference(
            Subject.PROOF, "/proof/proof", "the grade of the proof", proof.proof,
            f"a gap of {gap:.4%}",
        )  # fmt: skip
