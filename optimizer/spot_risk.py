"""How a placement stands up to the interruption of spot capacity."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.interruptions import chance_of_more
from models.offerings import Purchase
from models.placement import SPOT_RISK_COLUMNS
from optimizer.formulate.layout import Layout
from optimizer.formulate.spot_risk import PoolsAtRisk


def spot_risk_table(
    at_risk: tuple[PoolsAtRisk, ...], layout: Layout, counts: pd.DataFrame
) -> pd.DataFrame:
    """The columns of SPOT_RISK_COLUMNS; ``counts`` has those of COUNT_COLUMNS."""
    if not at_risk:
        return pd.DataFrame(columns=list(SPOT_RISK_COLUMNS))
    book = layout.world.book.offerings
    family = book.drop_duplicates(["cloud", "instance_type"]).set_index(["cloud", "instance_type"])
    spot = counts[counts["purchase"] == Purchase.SPOT.value]
    types = pd.MultiIndex.from_frame(spot[["cloud", "instance_type"]])
    family_names = family["family"].astype(str).reindex(types).to_numpy()
    used = pd.DataFrame(
        {
            "service": spot["service"].to_numpy(),
            "pool": spot["cloud"].to_numpy() + "/" + spot["region"].to_numpy() + ":" + family_names,
            "period": spot["period"].to_numpy(),
        }
    ).drop_duplicates()
    rows = []
    for pools in at_risk:
        name = layout.service_names[pools.service]
        chance = dict(zip(pools.names, pools.chance.tolist(), strict=True))
        mine = used[used["service"] == name]
        # Where nobody asks for the service it may run, for its minimum, in pools not at risk.
        hours = [
            [chance[pool] for pool in hour if pool in chance]
            for _, hour in mine.groupby("period")["pool"]
        ]
        worst = max((chance_of_more(np.array(hour), pools.at_once) for hour in hours), default=0.0)
        rows.append(
            (
                pools.rule.name,
                name,
                pools.rule.chance_at_most,
                len(pools.names),
                pools.at_once,
                chance_of_more(pools.chance, pools.at_once),
                max(map(len, hours), default=0),
                worst,
            )
        )
    return pd.DataFrame(rows, columns=list(SPOT_RISK_COLUMNS))
