"""The tail of the bill: the dearest outcomes weigh more than their probability.

The decision is about (1 - w) E[bill] + w CVaR_α[bill]. What all scenarios cost alike moves every
bill, and with it the CVaR, by the same amount, so that the tail is one of what differs, e_ω: data
transfer and unmet demand. After Rockafellar and Uryasev (2000),

    CVaR_α[e] = min η + Σ_ω π_ω z_ω / (1 - α)
    z_ω ≥ Σ_s e[s,ω] - η,  z_ω ≥ 0                 (tail_of_the_bill)
    e[s,ω] ≥ what service s spends in scenario ω   (scenario_is_spent)

η is the value at risk; it is not negative because no e is. A column per service and scenario keeps
the rows short: one long row per scenario takes solvers twice as long.
"""

from __future__ import annotations

import numpy as np

from optimizer.formulate.layout import Layout
from optimizer.problem import Draft


def tail_of_the_bill(draft: Draft, layout: Layout) -> None:
    """Columns, rows and weights of the tail. Must come after everything that costs."""
    cvar = layout.world.policy.cvar
    probability = layout.outlook.probability
    if cvar is None or cvar.weight == 0 or len(probability) == 1:
        return
    columns, service, usd = draft.uncertain_cost()
    names = layout.world.policy.scenario_names
    scenario = np.arange(len(probability))
    at_risk = draft.add_columns("value_at_risk", "USD", (scenario[:1],), (["bill"],))
    beyond = draft.add_columns("beyond", "USD", (scenario,), (names,))
    spenders, spender = np.unique(service, return_inverse=True)
    owner, of = np.repeat(spenders, len(names)), np.tile(scenario, len(spenders))
    spent = draft.add_columns("spent", "USD", (owner, of), (layout.service_names, names))
    rows = np.arange(len(spent))
    draft.add_rows(
        "scenario_is_spent",
        "USD",
        (owner, of),
        (layout.service_names, names),
        [
            (rows, spent, np.ones(len(rows))),
            *((spender * len(names) + w, columns, -usd[w]) for w in scenario.tolist()),
        ],
        lower=0.0,
    )
    draft.add_rows(
        "tail_of_the_bill",
        "USD",
        (scenario,),
        (names,),
        [
            (scenario, beyond, np.ones(len(scenario))),
            (scenario, np.repeat(at_risk, len(scenario)), np.ones(len(scenario))),
            (of, spent, np.full(len(spent), -1.0)),
        ],
        lower=0.0,
    )
    draft.add_weight(columns, -cvar.weight * (probability @ usd))
    draft.add_weight(at_risk, np.array([cvar.weight]))
    draft.add_weight(beyond, cvar.weight * probability / (1.0 - cvar.level))
