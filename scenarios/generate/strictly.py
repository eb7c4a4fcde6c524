"""A gentle world made strict: limits that bind, contracts, scenarios, and no unwanted kinds.

Everything is made first, from random numbers of its own, and what is not wanted is left out then:
so that a kind that is missing changes nothing else.
"""

from __future__ import annotations

from typing import Any

from scenarios.generate.chance import Chance, Floats
from scenarios.generate.company import Company
from scenarios.generate.contracts import contract_items
from scenarios.generate.kinds import Kind, Strict, of_kinds
from scenarios.generate.limits import binding_budget, binding_quotas
from scenarios.generate.needs import needs_of
from scenarios.generate.outlook import demand_scenarios, with_unmet_demand


def strictly(
    parts: dict[str, Any], strict: Strict, company: Company, demand_rps: Floats, seed: int
) -> dict[str, Any]:
    """``parts`` of a world file, with the kinds of rules that ``strict`` asks for, and no others.

    ``demand_rps`` has shape [service, origin, hour]; ``parts["rules"]`` hold what is there beside
    quotas and the budget that bind.
    """
    kinds, offerings = strict.kinds, strict.offerings
    needs = needs_of(company, demand_rps, parts["rules"], offerings)
    rules = [
        *parts["rules"],
        *binding_quotas(needs, Chance(seed, "quotas")),
        *binding_budget(needs),
    ]
    services, calls, policy = company.services, company.calls, parts["policy"]
    made: dict[str, Any] = {**parts, "rules": of_kinds(rules, kinds)}
    if Kind.SCENARIOS in kinds:
        services = with_unmet_demand(company, needs, Chance(seed, "scenarios"))
        made["policy"] = {**policy, "demand_scenarios": demand_scenarios()}
    if Kind.LATENCY not in kinds:
        services = services.drop(columns="latency_objective_ms")
    if Kind.TRANSFER not in kinds:
        calls = calls.assign(request_kib=0.0, response_kib=0.0)
    if Kind.WORKFLOWS not in kinds:
        made["workflows"] = []
    if Kind.COMMITMENTS in kinds:
        made["commitments"] = contract_items(needs, offerings, Chance(seed, "commitments"))
    return {**made, "services": services, "dependencies": calls}
