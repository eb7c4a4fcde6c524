"""Workflow objectives, rules and budgets that an invented company can keep, by construction.

Why every generated world is feasible, with margin:

* each of the three origins has a place of each cloud a few hundred kilometres away, so latency
  objectives (service time plus 60 ms or more) and workflow objectives (a third more than their
  service times, plus 40 ms per nested call, plus 150 ms) hold inside every continent;
* residency binds European users to the European Union, which has a place of each cloud;
* no team is kept out of more than one cloud, and teams that need GPUs are never kept out of AWS;
* quotas limit Azure's spot and Google Cloud only, so on-demand capacity of AWS, or of Azure for
  those who are kept out of AWS, has no limit;
* teams that must survive a region or a cloud may use all three clouds and need no GPUs, and
  every service may have six places: two near each origin;
* what must survive a zone may take as many instances as that needs;
* budgets come from an upper estimate: dear instances for half more than the peak, always.

Strict worlds (``kinds.Strict``) are feasible, too, without that margin:

* tight workflow objectives (their service times, plus 30 ms and 2 ms per nested call) can be kept
  in any one place near an origin, 26 ms away at most, and only journeys within one team are bound
  so: there is a cloud that all of its services may use;
* quotas and the budget limit what can be had elsewhere (``limits`` says where);
* owned commitments of a cloud cost a fraction of what its budget allows, and of demand scenarios
  all can be served, because capacity is unlimited.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from scenarios.generate.chance import Chance, Floats
from scenarios.generate.company import Company, Journey

HOURS_PER_MONTH: Final = 730.0
# Upper estimates for on-demand prices in the generated worlds' places, and for egress.
USD_PER_VCPU_HOUR: Final = 0.065
USD_PER_GPU_HOUR: Final = 0.9
USD_PER_GB: Final = 0.15
GB_PER_KIB: Final = 1024 / 1e9
TIGHT_SHARE: Final = 0.6
"""Of the workflows within a team, so many have objectives that rule out combinations of places."""
COMPANY_WIDE: Final = {"spread": "survive-a-zone", "spot_share": "web-spot-at-most-half"}


def workflow_items(
    journeys: Iterable[Journey],
    company: Company,
    series: Sequence[tuple[str, str]],
    luck: Chance | None = None,
) -> list[dict[str, Any]]:
    """Workflows as a world file has them, for the origins in ``series`` (service, origin).

    With ``luck``, many of those that stay within a team have objectives so tight that some places
    are too far apart for them.
    """
    team_of = dict(zip(company.names, company.team.tolist(), strict=True))
    time_ms = dict(
        zip(company.names, company.services["replica_service_time_ms"].tolist(), strict=True)
    )
    users: dict[str, list[str]] = {}
    for service, origin in series:
        users.setdefault(service, []).append(origin)
    items = []
    for journey in journeys:
        ends_ms: dict[str, float] = {}
        for step in journey.steps:
            begins = max((ends_ms[name] for name in step.after), default=0.0)
            ends_ms[step.service] = begins + time_ms[step.service]
        at_home = all(team_of[step.service] == journey.team for step in journey.steps)
        drawn = luck is not None and float(luck.uniform(0, 1, 1)[0]) < TIGHT_SHARE
        objective_ms = _objective_ms(max(ends_ms.values()), journey.depth, drawn and at_home)
        steps = [
            {"service": step.service, "after": list(step.after)} if step.after
            else {"service": step.service}
            for step in journey.steps
        ]  # fmt: skip
        items.append(
            {
                "name": f"journey-{journey.team + 1:04d}",
                "latency_objective_ms": objective_ms,
                "origins": users[journey.steps[0].service],
                "steps": steps,
            }
        )
    return items


def _objective_ms(own_ms: float, depth: int, tight: bool) -> int:
    """For calls that nest ``depth`` deep and take ``own_ms`` without the network."""
    if tight:
        return int(np.ceil(own_ms + 30 + 2 * depth))
    return int(np.ceil((4 / 3 * own_ms + 40 * depth + 150) / 10)) * 10


def rule_items(company: Company, chance: Chance) -> list[dict[str, Any]]:
    """Rules of the company and of its teams, as a world file has them."""
    services = company.services
    waited_for = services["spot_tolerant"].to_numpy() & (company.layer == 0)
    rules: list[dict[str, Any]] = []
    for kind, bound, terms in (
        ("spread", services["stateful"].to_numpy(), {"survives": "zone", "share": 0.5}),
        ("spot_share", waited_for, {"at_most": 0.5}),
    ):
        if bound.any():
            rules.append({"kind": kind, "name": COMPANY_WIDE[kind],
                          "services": list(services["name"][bound]), **terms})  # fmt: skip
    teams = int(company.team[-1]) + 1
    gpu_teams = set(company.team[company.services["replica_gpus"].to_numpy() > 0].tolist())
    luck = chance.uniform(0, 1, teams, 5)
    for team in range(teams):
        rules += _team_rules(team, team in gpu_teams, luck[team].tolist())
    return rules


def _team_rules(team: int, needs_gpus: bool, luck: list[float]) -> list[dict[str, Any]]:
    name = f"team-{team + 1:04d}"
    services = {"team": name}
    rules: list[dict[str, Any]] = []
    if luck[0] < 0.15:
        rules.append({"kind": "residency", "name": f"eu-data-{name}", "services": services,
                      "within": ["EU"], "origins": ["europe"]})  # fmt: skip
    if luck[1] < 0.10:
        rules.append({"kind": "certification", "name": f"cards-{name}", "services": services,
                      "certificates": ["pci-dss"]})  # fmt: skip
    kept_out = luck[2] < 0.09
    if kept_out:
        clouds = ("azure", "gcp") if needs_gpus else ("aws", "azure", "gcp")
        unwanted = clouds[int(luck[2] / 0.09 * len(clouds))]
        rules.append({"kind": "allowed_places", "name": f"not-on-{unwanted}-{name}",
                      "services": services, "forbid": {"clouds": [unwanted]}})  # fmt: skip
    if luck[3] < 0.12 and not needs_gpus and not kept_out:
        survives, share = ("cloud", 0.3) if luck[3] < 0.04 else ("region", 0.5)
        rules.append({"kind": "spread", "name": f"survive-a-{survives}-{name}",
                      "services": services, "survives": survives, "share": share})  # fmt: skip
    if luck[4] < 0.05:
        rules.append({"kind": "spot_share", "name": f"no-spot-{name}", "services": services,
                      "at_most": 0.0})  # fmt: skip
    return rules


def ample_quotas(company: Company, peak_rps: Floats) -> list[dict[str, Any]]:
    """vCPUs per region: a share of what the whole company takes at its peak, at least 64.

    ``peak_rps`` has shape [service].
    """
    throughput = company.services["replica_throughput_rps"].to_numpy()
    vcpus = float((peak_rps / throughput * company.services["replica_vcpus"].to_numpy()).sum())
    return [
        {"kind": "quota", "name": name, "where": {"clouds": [cloud]}, "spot": spot,
         "vcpus_at_most": max(64, round(share * vcpus))}
        for name, cloud, spot, share in (
            ("gcp-spot-cpus", "gcp", True, 0.08),
            ("gcp-on-demand-cpus", "gcp", False, 0.25),
            ("azure-spot-cpus", "azure", True, 0.08),
        )
    ]  # fmt: skip


def ample_budgets(company: Company, peak_rps: Floats, mean_rps: Floats) -> list[dict[str, Any]]:
    """In all, for the three dearest teams, and half of everything for Google Cloud.

    ``peak_rps`` and ``mean_rps`` have shape [service].
    The estimate pays for half more replicas than the last week's peak takes, around the clock,
    and for an instance that is just large enough for one replica in each of six places.
    """
    services = company.services
    replicas = peak_rps / services["replica_throughput_rps"].to_numpy()
    # A replica takes more vCPUs than it asks for when memory decides.
    asked = services["replica_vcpus"].to_numpy()
    vcpus = np.maximum(asked, services["replica_memory_gib"].to_numpy() / 4) / 0.9
    smallest = 2.0 ** np.ceil(np.log2(np.maximum(vcpus, 2)))
    gpus = services["replica_gpus"].to_numpy()
    usd_per_hour = (1.5 * replicas * vcpus + 6 * smallest) * USD_PER_VCPU_HOUR
    usd_per_hour += (1.5 * replicas + 6) * gpus * USD_PER_GPU_HOUR
    gb_per_hour = mean_rps * (services["response_kib"].to_numpy() + 1.0) * 3600 * GB_PER_KIB
    usd_per_month = (usd_per_hour + 1.5 * gb_per_hour * USD_PER_GB) * HOURS_PER_MONTH
    by_team = np.bincount(company.team, weights=usd_per_month)
    dearest = np.argsort(-by_team, kind="stable")[:3].tolist()
    total = float(by_team.sum())
    return [
        {"kind": "budget", "name": "total", "usd_per_month": int(np.ceil(total))},
        {"kind": "budget", "name": "gcp-contract", "usd_per_month": int(np.ceil(total / 2)),
         "cloud": "gcp"},
        *(
            {"kind": "budget", "name": f"budget-team-{team + 1:04d}",
             "usd_per_month": int(np.ceil(by_team[team])), "team": f"team-{team + 1:04d}"}
            for team in sorted(dearest)
        ),
    ]  # fmt: skip
