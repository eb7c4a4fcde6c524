"""The second look: a plan and its world to everything that holds and does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from models.errors import Fault, FaultyInput, Location
from models.placement import Bill
from models.world import World
from optimizer.verify.amounts import bill_differences, unknown_terms
from optimizer.verify.billing import Spending
from optimizer.verify.bounds import Bound, check_bound, proof_differences
from optimizer.verify.case import Case, Demand, demand_of
from optimizer.verify.changes import Changes
from optimizer.verify.claims import (
    demand_differences,
    fact_differences,
    world_differences,
)
from optimizer.verify.contracts import check_contracts, contract_differences, contracts_of
from optimizer.verify.entries import PlanEntry
from optimizer.verify.findings import Verification, Violation
from optimizer.verify.givens import check_givens, sold
from optimizer.verify.known import unknown_features
from optimizer.verify.law import lawful
from optimizer.verify.reading import read_plan
from optimizer.verify.reckoning import reckon
from optimizer.verify.rules import check_rule
from optimizer.watch import SILENT, Watch

TodaysBill = Callable[[World, Demand], Bill]
"""What today's fleet costs; how is no affair of the plan's rules, and is computed elsewhere."""


def verify(
    path: Path,
    world: World,
    todays_bill: TodaysBill,
    bound: Bound | None = None,
    watch: Watch = SILENT,
) -> Verification:
    """Check the plan in ``path`` against every rule of ``world``, its bill, and what it proves.

    ``bound`` derives the bound anew; None leaves that out. Raises ``FaultyInput`` for a file that
    is no plan, or a plan of other hours than the world's.
    """
    with watch.stage("read the plan"):
        plan, unknown_keys = read_plan(path)
        must_be_for_these_hours(path, plan, world)
    with watch.stage("forecast demand"):
        demand = demand_of(world)
        today = todays_bill(world, demand)
    found = examine(plan, world, demand, today, bound, watch)
    return replace(found, file=str(path), not_checked=(*found.not_checked, *unknown_keys))


def examine(
    plan: PlanEntry,
    world: World,
    demand: Demand,
    today: Bill,
    bound: Bound | None = None,
    watch: Watch = SILENT,
) -> Verification:
    """Check a plan that is read already, for demand that is known already."""
    with watch.stage("check every rule"):
        case = Case(world, plan, demand)
        violations, spending = _violations(case)
    with watch.stage("compute the bill"):
        cost = reckon(case, spending)
        differences = (
            *world_differences(world, plan),
            *demand_differences(case),
            *fact_differences(case),
            *bill_differences(plan, cost, today),
            *contract_differences(case, spending.contracts),
            *proof_differences(plan, cost),
        )
    not_checked = (*unknown_features(world), *unknown_terms(plan))
    with watch.stage("derive the bound"):
        is_lawful = not violations and not not_checked
        checked = check_bound(world, demand, plan, cost, bound, is_lawful)
    return Verification(
        world,
        "",
        violations,
        differences,
        not_checked,
        cost.expected.bill,
        None if plan.bill is None else Decimal(plan.bill.total_usd),
        checked,
        bool(plan.world.digests),
    )


def must_be_for_these_hours(path: Path, plan: PlanEntry, world: World) -> None:
    """Raise ``FaultyInput`` unless plan and world are about the same hours."""
    at, faults = Location(str(path)), []
    if plan.starts_at != world.starts:
        starts = world.starts.strftime("%Y-%m-%dT%H:%M:%SZ")
        what = f"/starts: the plan starts at {plan.starts}, the world's next hour is {starts}"
        hint = "give the world, and its demand history, as it was for the plan"
        faults.append(Fault(at, what, hint))
    if plan.hours != world.policy.horizon_hours:
        what = f"/hours: the plan is for {plan.hours} h, the world for {world.policy.horizon_hours}"
        faults.append(Fault(at, what, "give the world that the plan was made for"))
    if faults:
        raise FaultyInput(faults)


def _violations(case: Case) -> tuple[tuple[Violation, ...], Spending]:
    allowed = lawful(case, sold(case))
    changes = Changes(case, allowed)
    spending = Spending(case, contracts_of(case), (changes.moves(), changes.hurdles))
    found = [*check_givens(case, allowed), *check_contracts(case), *changes.violations()]
    for rule in case.world.rules:
        found += check_rule(rule, case, allowed, spending)
    return tuple(found), spending
