"""Derives the bound of a plan anew by solving its world again.

Everything else about a plan is checked without the formulation; a bound on all plans cannot be had
without some formulation of what a plan is. This one is compared with a naive second model by the
tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from time import perf_counter

from models.world import World
from optimizer import late
from optimizer.formulate.assemble import formulate
from optimizer.formulate.market import survey
from optimizer.formulate.reach import measure
from optimizer.plan import MOST_SERVICES_AT_ONCE
from optimizer.solve.answers import Answer, Backend, OutOfTime, ProvenInfeasible, Solved
from optimizer.verify.bounds import SAME, Derived
from optimizer.verify.case import Demand
from optimizer.verify.entries import PlanEntry


@dataclass(frozen=True, slots=True)
class SolveAgain:
    """First the linear relaxation, which often is enough; then whole numbers, to the gap that was
    claimed, and on to none, until the stated bound is reached or time runs out."""

    solver: Backend
    time_limit_s: float

    def derive(self, world: World, demand: Demand, plan: PlanEntry, claimed_usd: float) -> Derived:
        """Large worlds by decomposition where their rules allow it, and as one problem where that
        proves too little."""
        if len(world.services) <= MOST_SERVICES_AT_ONCE:
            return self._as_one(world, demand, plan, claimed_usd)
        parts = self._in_parts(world, demand)
        if parts is None:
            return self._as_one(world, demand, plan, claimed_usd)
        left = self.time_limit_s - parts.seconds
        if left <= 0 or parts.bound_usd >= claimed_usd - SAME * abs(claimed_usd):
            return parts
        whole = replace(self, time_limit_s=left)._as_one(world, demand, plan, claimed_usd)
        seconds = parts.seconds + whole.seconds
        best = max(parts, whole, key=lambda one: one.bound_usd)
        return replace(best, seconds=seconds, cheaper_usd=whole.cheaper_usd)

    def _in_parts(self, world: World, demand: Demand) -> Derived | None:
        """None where rules tie services together in a way that cannot be taken apart."""
        started = perf_counter()
        answer = late.decomposition()
        limited = replace(world, policy=replace(world.policy, time_limit_s=self.time_limit_s))
        found = answer.decompose(
            limited, survey(world), measure(world), demand.total_rps, demand.direct_rps,
            demand.outlook,
        )  # fmt: skip
        if isinstance(found, answer.NotSeparable):
            return None
        return Derived(found.bound_usd, "decomposing the world again", perf_counter() - started)

    def _as_one(self, world: World, demand: Demand, plan: PlanEntry, claimed_usd: float) -> Derived:
        started = perf_counter()
        problem = formulate(
            world,
            survey(world),
            measure(world),
            demand.total_rps,
            demand.direct_rps,
            demand.outlook,
        ).problem
        best, cheapest, how = -math.inf, math.inf, "no plan keeps every rule"
        gap = min(plan.proof.gap or 0.0, world.policy.gap_target)
        attempts = ((problem.relaxed(), 0.0), (problem, gap), (problem, 0.0))
        for number, (attempt, target) in enumerate(attempts):
            left = self.time_limit_s - (perf_counter() - started)
            if left <= 0 or best >= claimed_usd - SAME * abs(claimed_usd):
                break
            answer = self.solver.solve(attempt, gap=target, time_limit_s=left)
            bound, cost = _read(answer)
            if number > 0:
                cheapest = min(cheapest, cost)
            if bound > best:
                best = bound
                what = "linear relaxation" if number == 0 else "problem"
                solver = f", {answer.solver}" if isinstance(answer, Solved) else ""
                how = f"solving the {what} again ({self.solver.name}{solver})"
        cheaper = cheapest if math.isfinite(cheapest) else None
        return Derived(best, how, perf_counter() - started, cheaper)


def _read(answer: Answer) -> tuple[float, float]:
    """The bound and the cost that an answer proves; an infeasible problem has no plan at all."""
    match answer:
        case Solved():
            return answer.bound, answer.objective
        case OutOfTime():
            return answer.bound, math.inf
        case ProvenInfeasible():
            return math.inf, math.inf
