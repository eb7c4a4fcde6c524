"""What the verifier knows of the world, so that it never certifies what it does not.

A field of the world's nouns that is neither known here nor at its default is reported as *not
checked*. A test holds this list against the nouns: whoever adds a field teaches the verifier what
it means, or names it in ``UNCHECKED`` with what users are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, Final

from models.changes import ChangeCosts
from models.commitments import Discount, ResourceCommitment, SpendCommitment
from models.demand import History
from models.egress import EgressPrice
from models.events import DemandEvent
from models.latency import RoundTrips
from models.places import PlaceFilter, Region
from models.risk import CvarPolicy
from models.rules import (
    AllowedPlacesRule,
    BudgetRule,
    CertificationRule,
    DisruptionRule,
    InterruptionFactor,
    InterruptionRate,
    LatencyRule,
    MaxPlacesRule,
    MinReplicasRule,
    QuotaRule,
    ResidencyRule,
    SpotRiskRule,
    SpotShareRule,
    SpreadRule,
    WorkflowRule,
)
from models.services import Dependency, Origin, Replica, Service, Step, Workflow
from models.world import DemandFactor, DemandScenario, Policy, World
from optimizer.verify.findings import NotChecked

_WRITTEN: Final = ("name", "at", "why")
_CONTRACT: Final = (
    *_WRITTEN, "cloud", "term_years", "where", "families", "owned", "at_most", "expires",
)  # fmt: skip

KNOWN: Final[Mapping[type, frozenset[str]]] = {
    noun: frozenset(names)
    for noun, names in {
        World: (
            "name", "description", "at", "starts", "services", "origins", "dependencies",
            "workflows", "rules", "policy", "fleet", "history", "regions", "book", "egress",
            "round_trips", "demand_factors", "commitments", "events",
        ),
        Policy: (
            "horizon_hours", "demand_quantile", "headroom", "count_hours", "route_hours",
            "purchases", "burstable", "gap_target", "time_limit_s", "carbon_usd_per_tonne",
            "demand_scenarios", "unmet_at_most", "unmet_usd_per_million_requests", "cvar",
            "changes", "minimum_run_hours", "unserved_share",
        ),
        Discount: ("share", "where", "families"),
        SpendCommitment: (*_CONTRACT, "discounts"),
        ResourceCommitment: (*_CONTRACT, "usd_per_vcpu_hour", "memory_gib_per_vcpu"),
        ChangeCosts: (
            "usd_per_started_instance", "usd_per_gib_of_state_moved", "amortise_over_hours",
            "minimum_saving_usd_per_month", "minimum_saving_share",
        ),
        DemandScenario: ("quantile", "probability"),
        CvarPolicy: ("level", "weight"),
        Service: (
            "name", "replica", "team", "architectures", "min_replicas", "stateful", "state_gib",
            "spot_tolerant", "max_places", "response_kib", "unmet_at_most",
            "unmet_usd_per_million_requests", "minimum_run_hours", "at",
        ),
        Replica: (
            "vcpus", "memory_gib", "throughput_rps", "service_time_ms", "gpus", "gpu_models",
            "boot_s",
        ),
        Origin: ("name", "coordinates", "country", "continent", "at"),
        Dependency: (
            "caller", "callee", "calls_per_request", "request_kib", "response_kib", "at",
        ),
        Workflow: ("name", "steps", "latency_objective_ms", "origins", "at"),
        Step: ("service", "after"),
        Region: (
            "cloud", "name", "display_name", "coordinates", "country", "continent",
            "jurisdictions", "zones", "certifications", "gco2e_per_kwh",
        ),
        PlaceFilter: ("places", "clouds", "countries", "continents", "jurisdictions"),
        EgressPrice: (
            "same_continent_usd_per_gb", "same_cloud_usd_per_gb", "internet_usd_per_gb", "source",
            "as_of",
        ),
        RoundTrips: ("measured_ms", "factor"),
        History: ("frame", "note"),
        DemandEvent: ("name", "kind", "starts", "ends", "services", "origins", "factor"),
        DemandFactor: ("factor", "services", "origins", "first_hour", "last_hour"),
        LatencyRule: (*_WRITTEN, "service", "within_ms", "origins"),
        WorkflowRule: (*_WRITTEN, "workflow", "within_ms"),
        MinReplicasRule: (*_WRITTEN, "service", "at_least"),
        MaxPlacesRule: (*_WRITTEN, "service", "at_most"),
        ResidencyRule: (*_WRITTEN, "services", "jurisdictions", "origins"),
        CertificationRule: (*_WRITTEN, "services", "certificates"),
        AllowedPlacesRule: (*_WRITTEN, "services", "allow", "forbid"),
        SpreadRule: (*_WRITTEN, "services", "survives", "share"),
        SpotShareRule: (*_WRITTEN, "services", "at_most"),
        SpotRiskRule: (
            *_WRITTEN, "services", "chance_at_most", "interruptions_per_month", "share",
            "outage_hours", "rates", "factors",
        ),
        InterruptionRate: ("value", "where", "families"),
        InterruptionFactor: ("value", "where", "families"),
        QuotaRule: (
            *_WRITTEN, "where", "families", "spot", "vcpus_at_most", "instances_at_most",
        ),
        DisruptionRule: (*_WRITTEN, "services", "at_most_per_day", "in_all_per_day"),
        BudgetRule: (*_WRITTEN, "usd_per_month", "team", "cloud"),
    }.items()
}  # fmt: skip

UNCHECKED: Final[Mapping[tuple[type, str], str]] = {}
"""Fields that nothing here looks at, with what users are told when a world uses one."""


def unknown_features(world: World) -> tuple[NotChecked, ...]:
    """Everything that ``world`` uses and that the verifier cannot judge, each kind once."""
    found: dict[str, NotChecked] = {}
    for noun in _nouns(world):
        for field in _unknown_fields(type(noun)):
            if not _is_default(field, getattr(noun, field.name)):
                name = f"{type(noun).__name__}.{field.name}"
                why = UNCHECKED.get((type(noun), field.name), "this version cannot judge it")
                found[name] = NotChecked(name, why)
    return tuple(found.values())


def _nouns(world: World) -> Iterator[Any]:
    yield from (world, world.policy, world.policy.changes, world.history, world.round_trips)
    yield from world.policy.demand_scenarios
    if world.policy.cvar is not None:
        yield world.policy.cvar
    for service in world.services:
        yield from (service, service.replica)
    yield from (*world.origins, *world.dependencies, *world.regions, *world.demand_factors)
    yield from world.events
    for workflow in world.workflows:
        yield from (workflow, *workflow.steps)
    for commitment in world.commitments:
        yield commitment
        if isinstance(commitment, SpendCommitment):
            yield from commitment.discounts
    for rule in world.rules:
        yield rule
        if isinstance(rule, SpotRiskRule):
            yield from (*rule.rates, *rule.factors)
    yield from world.egress.values()


def _unknown_fields(noun: type[Any]) -> tuple[Field[Any], ...]:
    known = KNOWN.get(noun, frozenset())
    return tuple(field for field in fields(noun) if field.name not in known)


def _is_default(field: Field[Any], value: object) -> bool:
    if field.default is not MISSING:
        return bool(value == field.default)
    return field.default_factory is not MISSING and bool(value == field.default_factory())
