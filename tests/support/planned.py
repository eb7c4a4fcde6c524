"""Plans of small worlds with given demand, as documents that can be tampered with."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from small_worlds import Asked

from models.demand import Forecast
from models.placement import Placement
from models.plan import Plan
from models.world import World
from optimizer.output.json_values import json_text
from optimizer.output.plan_json import outcome_document
from optimizer.read import read_placement
from optimizer.solve.answers import Solved
from optimizer.solve.ortools_backend import OrToolsBackend
from optimizer.today import look_at_today
from optimizer.verify.bounds import Bound
from optimizer.verify.case import Demand
from optimizer.verify.entries import PlanEntry
from optimizer.verify.findings import Verification
from optimizer.verify.verify import examine


def plan_of(asked: Asked) -> Plan | None:
    """The cheapest lawful plan, proven; None when there is none."""
    formulation = asked.formulate()
    answer = OrToolsBackend().solve(formulation.problem, gap=0.0, time_limit_s=30.0)
    if not isinstance(answer, Solved):
        return None
    return laid_out(asked, read_placement(formulation, answer, "ortools", 0.0))


def laid_out(asked: Asked, placement: Placement) -> Plan:
    """The placement with what it was made from; every quantile is the demand itself."""
    total = asked.demand_rps.sum(axis=1)
    expected = Forecast(asked.world.starts, (0.5, 0.9), (), np.zeros((0, 0)), np.zeros((0, 0, 2)))
    today = look_at_today(asked.world, asked.demand_rps, asked.direct_rps, asked.outlook)
    bands = np.repeat(total[:, :, None], 2, axis=2)
    return Plan(asked.world, expected, asked.demand_rps, total, bands, placement, today)


def document_of(plan: Plan) -> dict[str, Any]:
    """The plan as a reader of ``plan.json`` sees it."""
    document: dict[str, Any] = json.loads(json_text(outcome_document(plan)))
    return document


def demand_given(asked: Asked) -> Demand:
    mean = asked.demand_rps.sum(axis=1)
    return Demand(asked.demand_rps, asked.direct_rps, mean, asked.outlook)


def looked_at(
    asked: Asked,
    document: dict[str, Any],
    *,
    world: World | None = None,
    bound: Bound | None = None,
) -> Verification:
    """The second look at a document, in the world that was asked of or in another."""
    plan = PlanEntry.model_validate(document)
    of = world or asked.world
    today = look_at_today(of, asked.demand_rps, asked.direct_rps, asked.outlook)
    return examine(plan, of, demand_given(asked), today.bill, bound)
