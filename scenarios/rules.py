"""Rules as written, turned into the rules that the optimizer keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from models.places import Cloud
from models.rules import (
    AllowedPlacesRule,
    BudgetRule,
    CertificationRule,
    DisruptionRule,
    InterruptionRate,
    LatencyRule,
    MaxPlacesRule,
    MinReplicasRule,
    QuotaRule,
    ResidencyRule,
    Rule,
    SpotRiskRule,
    SpotShareRule,
    SpreadRule,
    WorkflowRule,
)
from scenarios.entries import ServiceEntry, WorkflowEntry
from scenarios.faults import Faults
from scenarios.known import Known, check_names, check_team, place_filter, selected_services
from scenarios.rule_entries import (
    AllowedPlacesEntry,
    BudgetEntry,
    CertificationEntry,
    DisruptionEntry,
    QuotaEntry,
    ResidencyEntry,
    SpotRiskEntry,
    SpotShareEntry,
    SpreadEntry,
)
from scenarios.tables import Written


def service_rules(services: Iterable[Written[ServiceEntry]]) -> list[Rule]:
    """The rules that fields of services stand for, named ``field:service``."""
    rules: list[Rule] = []
    for written in services:
        entry = written.entry
        if entry.latency_objective_ms is not None:
            rules.append(
                LatencyRule(
                    name=f"latency:{entry.name}",
                    at=written.at("latency_objective_ms"),
                    service=entry.name,
                    within_ms=entry.latency_objective_ms,
                )
            )
        if entry.min_replicas > 0:
            rules.append(
                MinReplicasRule(
                    name=f"min_replicas:{entry.name}",
                    at=written.at("min_replicas"),
                    service=entry.name,
                    at_least=entry.min_replicas,
                )
            )
        if entry.max_places is not None:
            rules.append(
                MaxPlacesRule(
                    name=f"max_places:{entry.name}",
                    at=written.at("max_places"),
                    service=entry.name,
                    at_most=entry.max_places,
                )
            )
    return rules


def workflow_rules(workflows: Iterable[Written[WorkflowEntry]]) -> list[Rule]:
    """The objectives of workflows as rules, named ``workflow:name``."""
    return [
        WorkflowRule(
            name=f"workflow:{written.entry.name}",
            at=written.at("latency_objective_ms"),
            workflow=written.entry.name,
            within_ms=written.entry.latency_objective_ms,
        )
        for written in workflows
    ]


def written_rules(
    entries: Sequence[Written[Any]], taken: Iterable[Rule], known: Known, faults: Faults
) -> list[Rule]:
    """Rules from the entries of a list, with faults for unknown names, and for names of rules
    that stand twice or are ``taken``."""
    numbers: Counter[str] = Counter()
    places = {rule.name: rule.at for rule in taken}
    rules = []
    for written in entries:
        kind = written.entry.kind
        numbers[kind] += 1
        while not written.entry.name and f"{kind}-{numbers[kind]}" in places:
            numbers[kind] += 1
        name = written.entry.name or f"{kind}-{numbers[kind]}"
        if name in places:
            message = f"the rule name {name!r} is already in use ({places[name]})"
            faults.add(written.at("name"), message, "give each rule a name of its own")
        places[name] = written.at()
        rules.append(_rule(name, written, known, faults))
    return rules


def _rule(name: str, written: Written[Any], known: Known, faults: Faults) -> Rule:
    head: dict[str, Any] = {"name": name, "at": written.at(), "why": written.entry.why}
    match written.entry:
        case QuotaEntry() as entry:
            return _quota(entry, head, written, known, faults)
        case BudgetEntry() as entry:
            if entry.team is not None:
                check_team(entry.team, written.at("team"), known, faults)
            cloud = None if entry.cloud is None else Cloud(entry.cloud)
            return BudgetRule(
                **head, usd_per_month=entry.usd_per_month, team=entry.team, cloud=cloud
            )
        case entry:
            services = selected_services(entry.services, written, known, faults)
            return _service_rule({**head, "services": services}, written, known, faults)


def _service_rule(
    head: dict[str, Any], written: Written[Any], known: Known, faults: Faults
) -> Rule:
    match written.entry:
        case ResidencyEntry() as entry:
            areas, origins = known.jurisdictions, known.origins
            check_names(entry.within, written, ("within",), "jurisdiction", areas, faults)
            check_names(entry.origins, written, ("origins",), "origin", origins, faults)
            within = frozenset(entry.within)
            return ResidencyRule(**head, jurisdictions=within, origins=entry.origins)
        case CertificationEntry() as entry:
            certificates = known.certificates
            check_names(
                entry.certificates, written, ("certificates",), "certificate", certificates, faults
            )
            return CertificationRule(**head, certificates=frozenset(entry.certificates))
        case AllowedPlacesEntry() as entry:
            if entry.allow is None and entry.forbid is None:
                message = "allowed_places allows and forbids nothing"
                faults.add(written.at(), message, "give 'allow' or 'forbid'")
            for key in ("allow", "forbid"):
                if (places := getattr(entry, key)) is not None:
                    head[key] = place_filter(places, written, (key,), known, faults)
            return AllowedPlacesRule(**head)
        case SpreadEntry() as entry:
            return SpreadRule(**head, survives=entry.survives, share=entry.share)
        case SpotShareEntry() as entry:
            return SpotShareRule(**head, at_most=entry.at_most)
        case DisruptionEntry() as entry:
            if entry.at_most_per_day is None and entry.in_all_per_day is None:
                hint = "give 'at_most_per_day' or 'in_all_per_day'"
                faults.add(written.at(), "a disruption rule without a limit", hint)
            return DisruptionRule(
                **head,
                at_most_per_day=entry.at_most_per_day,
                in_all_per_day=entry.in_all_per_day,
            )
        case SpotRiskEntry() as entry:
            return SpotRiskRule(
                **head,
                chance_at_most=entry.chance_at_most,
                interruptions_per_month=entry.interruptions_per_month,
                share=entry.share,
                outage_hours=entry.outage_hours,
                rates=_rates(entry, written, known, faults),
            )
        case entry:
            raise TypeError(f"no rule is made of {type(entry).__name__}")


def _rates(
    entry: SpotRiskEntry, written: Written[Any], known: Known, faults: Faults
) -> tuple[InterruptionRate, ...]:
    rates = []
    for i, rate in enumerate(entry.rates):
        path = ("rates", i)
        check_names(rate.families, written, (*path, "families"), "family", known.families, faults)
        where = place_filter(rate.where, written, (*path, "where"), known, faults)
        rates.append(InterruptionRate(rate.interruptions_per_month, where, rate.families))
    return tuple(rates)


def _quota(
    entry: QuotaEntry, head: dict[str, Any], written: Written[Any], known: Known, faults: Faults
) -> Rule:
    if entry.vcpus_at_most is None and entry.instances_at_most is None:
        faults.add(written.at(), "a quota without a limit",
                   "give 'vcpus_at_most' or 'instances_at_most'")  # fmt: skip
    check_names(entry.families, written, ("families",), "family", known.families, faults)
    return QuotaRule(
        **head,
        where=place_filter(entry.where, written, ("where",), known, faults),
        families=entry.families,
        spot=entry.spot,
        vcpus_at_most=entry.vcpus_at_most,
        instances_at_most=entry.instances_at_most,
    )
