"""What demand may be, and what it counts to leave some of it unserved."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from scenarios.generate.chance import Chance
from scenarios.generate.company import Company
from scenarios.generate.needs import Needs

SCENARIOS: Final = ((0.5, 0.6), (0.9, 0.3), (0.99, 0.1))  # quantile and probability
UNMET_AT_MOST: Final = 0.05
"""Share of the demand of a service without state that may go unmet in an hour."""
TIMES: Final = (3.0, 10.0, 30.0)
"""An unserved request counts so many times what serving it costs: for some services it pays to
leave the rarest demand unserved, for most it does not."""


def demand_scenarios() -> list[dict[str, float]]:
    """As a world's policy has them."""
    return [{"quantile": quantile, "probability": chance} for quantile, chance in SCENARIOS]


def with_unmet_demand(company: Company, needs: Needs, chance: Chance) -> pd.DataFrame:
    """The services, each with how much of its demand may go unmet and what that counts."""
    services = company.services
    throughput = services["replica_throughput_rps"].to_numpy()
    serving = np.where(np.isfinite(needs.unit_usd_per_hour), needs.unit_usd_per_hour, 1.0)
    times = np.array(chance.pick(TIMES, (20, 40, 40), len(services)))
    usd = np.round(times * serving / (throughput * 3600) * 1e6, 2)
    may = ~services["stateful"].to_numpy()
    return services.assign(
        unmet_at_most=np.where(may, UNMET_AT_MOST, np.nan),
        unmet_usd_per_million_requests=np.where(may, np.maximum(usd, 0.01), np.nan),
    )
