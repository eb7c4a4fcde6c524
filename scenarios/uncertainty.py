"""Whether demand scenarios and the terms of unmet demand make sense together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scenarios.entries import PolicyEntry, ServiceEntry, WorldFile
from scenarios.faults import Faults
from scenarios.tables import Written

_ROUNDING = 1e-6


def check_uncertainty(
    top: Written[WorldFile], services: Sequence[Written[ServiceEntry]], faults: Faults
) -> None:
    """Add faults for scenarios whose probabilities do not add up or that stand twice, and for
    demand that may go unmet at no price."""
    policy = top.entry.policy
    _check_scenarios(top, policy, faults)
    usual = policy.unmet_usd_per_million_requests
    if policy.unmet_at_most > 0 and usual == 0:
        at = top.at("policy", "unmet_at_most")
        faults.add(at, "demand may go unmet at no price", _hint("the policy"))
        return
    for written in services:
        own, price = written.entry.unmet_at_most, written.entry.unmet_usd_per_million_requests
        share = policy.unmet_at_most if own is None else own
        if share > 0 and (usual if price is None else price) == 0:
            at = written.at("unmet_at_most" if own is not None else "name")
            message = f"demand for {written.entry.name!r} may go unmet at no price"
            faults.add(at, message, _hint("the service or the policy"))


def _check_scenarios(top: Written[WorldFile], policy: PolicyEntry, faults: Faults) -> None:
    scenarios = policy.demand_scenarios
    if policy.cvar is not None and len(scenarios) < 2:
        message = "the dearest scenarios are to weigh more, and there are not two to tell apart"
        faults.add(top.at("policy", "cvar"), message, "give 'demand_scenarios', or remove 'cvar'")
    if not scenarios:
        return
    path = ("policy", "demand_scenarios")
    total = sum(scenario.probability for scenario in scenarios)
    if abs(total - 1) > _ROUNDING:
        message = f"the probabilities of the scenarios sum to {total:g}, not to 1"
        faults.add(top.at(*path), message, "change one, or add what is missing as a scenario")
    seen = Counter[float]()
    for i, scenario in enumerate(scenarios):
        if seen[scenario.quantile]:
            message = f"the quantile {scenario.quantile:g} stands twice"
            faults.add(top.at(*path, i), message, "add the two probabilities up")
        seen[scenario.quantile] += 1


def _hint(whose: str) -> str:
    return f"give unmet_usd_per_million_requests of {whose}, or leave nothing unmet"
