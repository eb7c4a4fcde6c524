"""Reads a placement off the values of a solved problem."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.placement import (
    BINDING_COLUMNS,
    Certificate,
    Placement,
)
from optimizer.bill import bills_of_scenarios, make_bill
from optimizer.coverage import uses_of
from optimizer.formulate.assemble import Formulation
from optimizer.formulate.layout import runs
from optimizer.problem import Floats, Problem
from optimizer.solve.answers import Solved
from optimizer.spot_risk import spot_risk_table
from optimizer.tables import LEAST_SHARE, counts_table, routes_table
from optimizer.trim import trimmed

NO_SLACK = 1e-6
"""Slack, relative to the row's right-hand side, below which a row is called binding."""


def read_placement(
    formulation: Formulation, answer: Solved, backend: str, build_s: float
) -> Placement:
    """The placement that ``answer`` means, with its exact bill and its certificate."""
    problem, layout = formulation.problem, formulation.layout
    answer = trimmed(formulation, answer)
    counts = read_counts(formulation, answer.values)
    return Placement(
        starts=layout.world.starts,
        hours=layout.periods,
        counts=counts,
        routes=_routes(formulation, answer.values),
        bill=make_bill(formulation, answer.values, counts),
        certificate=Certificate(
            proof=answer.proof,
            objective_usd=answer.objective,
            bound_usd=answer.bound,
            gap=answer.gap,
            backend=backend,
            solver=answer.solver,
            rows=int(problem.matrix.shape[0]),
            columns=int(problem.matrix.shape[1]),
            integer_columns=int(problem.integer.sum()),
            nonzeros=int(problem.matrix.nnz),
            build_s=build_s,
            solve_s=answer.seconds,
        ),
        binding=_binding(problem, answer.values),
        exclusions=formulation.exclusions.table(),
        spot_risk=spot_risk_table(formulation.at_risk, layout, counts),
        scenarios=bills_of_scenarios(formulation, answer.values, counts),
        commitments=uses_of(formulation, answer.values),
    )


def read_counts(formulation: Formulation, values: Floats) -> pd.DataFrame:
    """What runs, with the columns of COUNT_COLUMNS."""
    layout = formulation.layout
    option = np.repeat(np.arange(len(layout.options)), layout.periods)
    period = np.tile(np.arange(layout.periods), len(layout.options))
    blocks = np.stack([layout.count_block_of(s) for s in range(len(layout.service_names))])
    column = layout.option_column[option] + blocks[layout.options.service[option], period]
    count = np.round(values[column]).astype(np.int64)
    some = count > 0
    option, period, count = option[some], period[some], count[some]
    options = layout.options
    return counts_table(
        layout.world,
        options.service[option],
        options.offering[option],
        period,
        count,
        options.replicas[option],
        options.price_usd_per_hour[option],
    )


def _routes(formulation: Formulation, values: Floats) -> pd.DataFrame:
    layout = formulation.layout
    blocks = layout.route_blocks[layout.route_service]
    route, block = runs(np.arange(len(blocks)), blocks)
    share = values[layout.route_column[route] + block]
    route, block, share = (of[share >= LEAST_SHARE] for of in (route, block, share))
    hours = np.where(blocks[route] == 1, layout.periods, layout.world.policy.route_hours)
    first = block * hours
    return routes_table(
        layout.world,
        layout.route_service[route],
        layout.route_origin[route],
        layout.route_region[route],
        first,
        np.minimum(hours, layout.periods - first),
        share,
        layout.distances.from_origin,
    )


def _binding(problem: Problem, values: Floats) -> pd.DataFrame:
    """How many rows of each rule leave no slack.

    Rows in which nothing stands but zeros hold nothing back, such as the least replicas of a
    place that is not open (0 ≥ 0), and do not count.
    """
    activity = problem.matrix @ values
    slack = np.minimum(activity - problem.row_lower, problem.row_upper - activity)
    size = 1.0 + np.where(
        np.isfinite(problem.row_upper), np.abs(problem.row_upper), np.abs(problem.row_lower)
    )
    in_use = abs(problem.matrix) @ (np.abs(values) > NO_SLACK) > 0
    tight = in_use & (slack <= NO_SLACK * size)
    rows = []
    for index, rule in enumerate(problem.rules):
        own = problem.row_rule == index
        if own.any():
            rows.append(
                (rule.name, rule.in_words, str(rule.at), int(own.sum()), int(tight[own].sum()))
            )
    return pd.DataFrame(rows, columns=list(BINDING_COLUMNS))
