"""The tail of the bill: the dearest outcomes weigh more than their probability.

The decision is about (1 - w) E[bill] + w CVaR_α[bill]. What all scenarios cost alike moves every
bill, and with it the CVaR, by the same amount, so that the tail is one of what differs, e_ω: data
transfer and unmet demand. After Rockafellar and Uryasev (2000),

    CVaR_α[e] = min η + Σ_ω π_ω z_ω / (1 - α)
    z_ω ≥ e_ω - η,  z_ω ≥ 0                        (tail_of_the_bill)

η is the value at risk; it is not negative because no e_ω is.
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
    names = layout.world.policy.scenario_names
    differs = draft.uncertain_cost()
    scenario = np.arange(len(probability))
    (at_risk,) = draft.add_columns("value_at_risk", "USD", (np.zeros(1, np.int64),), (["bill"],))
    beyond = draft.add_columns("beyond", "USD", (scenario,), (names,))
    rows, columns = np.nonzero(differs)
    draft.add_rows(
        "tail_of_the_bill",
        "USD",
        (scenario,),
        (names,),
        [
            (scenario, beyond, np.ones(len(scenario))),
            (scenario, scenario * 0 + at_risk, np.ones(len(scenario))),
            (rows, columns, -differs[rows, columns]),
        ],
        lower=0.0,
    )
    mean = probability @ differs
    moved = np.flatnonzero(mean)
    draft.add_weight(moved, -cvar.weight * mean[moved])
    draft.add_weight(np.array([at_risk]), np.array([cvar.weight]))
    draft.add_weight(beyond, cvar.weight * probability / (1.0 - cvar.level))
