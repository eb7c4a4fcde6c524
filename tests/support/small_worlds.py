"""Small worlds made by hand or from a seed, with demand given and not forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.changes import ChangeCosts
from models.commitments import Commitment, Discount, ResourceCommitment, SpendCommitment
from models.demand import HISTORY_COLUMNS, History, Outlook, service_demand_rps
from models.egress import EgressPrice
from models.errors import Location
from models.fleet import Fleet, Group
from models.latency import RoundTrips
from models.offerings import BOOK_COLUMNS, UNPRICED_COLUMNS, Architecture, PriceBook, Purchase
from models.places import Cloud, Coordinates, PlaceFilter, Region
from models.risk import CvarPolicy
from models.rules import (
    AllowedPlacesRule,
    BudgetRule,
    CertificationRule,
    DisruptionRule,
    Extent,
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
from models.services import Dependency, Origin, Replica, Service, Step, Workflow
from models.world import DemandScenario, Policy, World
from optimizer.formulate.assemble import Formulation, formulate
from optimizer.formulate.market import survey
from optimizer.formulate.reach import measure

STARTS = datetime(2026, 3, 2, tzinfo=UTC)

REGIONS = {
    "aws/east": Region(
        Cloud.AWS, "east", "East", Coordinates(39, -77), "US", "North America",
        frozenset({"US"}), 3, frozenset({"pci-dss"}), 350.0,
    ),
    "aws/west": Region(
        Cloud.AWS, "west", "West", Coordinates(45, -120), "US", "North America",
        frozenset({"US"}), 2, frozenset(), 90.0,
    ),
    "aws/eu": Region(
        Cloud.AWS, "eu", "Frankfurt", Coordinates(50, 8.7), "DE", "Europe",
        frozenset({"DE", "EU"}), 3, frozenset({"pci-dss"}), 300.0,
    ),
    "azure/eu": Region(
        Cloud.AZURE, "eu", "Amsterdam", Coordinates(52.4, 4.9), "NL", "Europe",
        frozenset({"NL", "EU"}), 1, frozenset({"pci-dss"}), 200.0,
    ),
    "gcp/eu": Region(
        Cloud.GCP, "eu", "Belgium", Coordinates(50.5, 3.8), "BE", "Europe",
        frozenset({"BE", "EU"}), 3, frozenset(), 120.0,
    ),
}  # fmt: skip

ORIGINS = {
    "america": Origin("america", Coordinates(40, -80), "US", "North America"),
    "europe": Origin("europe", Coordinates(51, 7), "DE", "Europe"),
}


def region(place: str) -> Region:
    return REGIONS[place]


def book(offers: Sequence[tuple[str, str, str, float, float, float]]) -> PriceBook:
    """Offers are (place, instance type, purchase, USD per hour, vCPUs, memory GiB).

    The family is what stands before the dot of the type; a type that ends in ``g`` before the
    dot is arm64.
    """
    rows = []
    for place, kind, purchase, price, vcpus, memory in offers:
        cloud, name = place.split("/")
        family = kind.split(".")[0]
        architecture = "arm64" if family.endswith("g") else "x86_64"
        rows.append(
            (cloud, name, kind, purchase, price, vcpus, vcpus, memory, architecture, family,
             0.0, "", False, "test", "2026-03-01")
        )  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(BOOK_COLUMNS))
    frame = frame.sort_values(["cloud", "region", "instance_type", "purchase"], ignore_index=True)
    unpriced = pd.DataFrame(columns=list(UNPRICED_COLUMNS))
    return PriceBook("test", date(2026, 3, 1), frame, unpriced)


def egress(regions: Sequence[Region]) -> dict[str, EgressPrice]:
    by_cloud = {Cloud.AWS: (0.02, 0.04, 0.09), Cloud.AZURE: (0.02, 0.05, 0.087),
                Cloud.GCP: (0.02, 0.08, 0.12)}  # fmt: skip
    return {r.place: EgressPrice(*by_cloud[r.cloud], "test", date(2026, 3, 1)) for r in regions}


def world(
    services: Sequence[Service],
    offers: PriceBook,
    *,
    places: Sequence[str] = tuple(REGIONS),
    origins: Sequence[str] = tuple(ORIGINS),
    rules: Sequence[Rule] = (),
    dependencies: Sequence[Dependency] = (),
    workflows: Sequence[Workflow] = (),
    policy: Policy | None = None,
    fleet: Fleet | None = None,
    round_trips: RoundTrips | None = None,
    commitments: Sequence[Commitment] = (),
) -> World:
    regions = tuple(REGIONS[place] for place in sorted(places))
    return World(
        name="small",
        description="a small world",
        at=Location("world.yaml", 1),
        starts=STARTS,
        services=tuple(services),
        origins=tuple(ORIGINS[name] for name in origins),
        dependencies=tuple(dependencies),
        workflows=tuple(workflows),
        rules=tuple(rules),
        policy=policy or Policy(horizon_hours=2, headroom=1.0, gap_target=0.0, time_limit_s=30),
        fleet=fleet or Fleet(),
        history=History(pd.DataFrame(columns=list(HISTORY_COLUMNS))),
        regions=regions,
        book=offers,
        egress=egress(regions),
        round_trips=round_trips or RoundTrips(),
        commitments=tuple(commitments),
    )


@dataclass(frozen=True, eq=False)
class Asked:
    """A world with the demand that is asked of it: arrays [service, origin, period]."""

    world: World
    direct_rps: NDArray[np.float64]
    demand_rps: NDArray[np.float64]
    outlook: Outlook

    def formulate(self) -> Formulation:
        return formulate(
            self.world,
            survey(self.world),
            measure(self.world),
            self.demand_rps,
            self.direct_rps,
            self.outlook,
        )


def asked(
    of: World,
    direct: Mapping[tuple[str, str], Sequence[float]],
    factors: Sequence[Mapping[str, float]] = (),
) -> Asked:
    """``direct`` maps (service, origin) to rps per hour.

    ``factors`` give, for each of the policy's demand scenarios, what it multiplies the demand of
    origins by.
    """
    names = [s.name for s in of.services]
    origins = [o.name for o in of.origins]
    series = list(direct)
    rps = np.array([direct[key] for key in series], np.float64).reshape(len(series), -1)

    def derived(
        times: Mapping[str, float], dependencies: Sequence[Dependency]
    ) -> NDArray[np.float64]:
        own = np.array([times.get(origin, 1.0) for _, origin in series])
        return service_demand_rps(names, origins, dependencies, series, rps * own[:, None])

    plain: Mapping[str, float] = {}
    sure = derived(plain, of.dependencies), derived(plain, ())
    outlook = Outlook.certain(*sure)
    if scenarios := of.policy.demand_scenarios:
        outlook = Outlook(
            np.stack([derived(times, of.dependencies) for times in factors]),
            np.stack([derived(times, ()) for times in factors]),
            np.array([scenario.probability for scenario in scenarios]),
        )
    return Asked(of, sure[1], sure[0], outlook)


def random_asked(seed: int) -> Asked:
    """A small world with every kind of rule now and then; often, not always, feasible."""
    rng = np.random.default_rng(seed)
    places = sorted(rng.choice(sorted(REGIONS), size=int(rng.integers(2, 5)), replace=False))
    count = int(rng.integers(1, 4))
    hours = int(rng.integers(1, 4))
    services = tuple(_random_service(rng, i) for i in range(count))
    dependencies = tuple(
        Dependency(
            services[i].name,
            services[i + 1].name,
            float(rng.choice([0.5, 1.0, 2.0])),
            float(rng.integers(0, 20)),
            float(rng.integers(0, 200)),
        )
        for i in range(count - 1)
        if rng.random() < 0.8
    )
    workflows, rules = _random_rules(rng, services, places)
    offers = book(_random_offers(rng, places))
    costs, limits, fleet = _random_changes(seed, services, offers)
    rules = (*rules, *_random_spot_risk(seed, services), *limits)
    of = world(
        services,
        offers,
        places=places,
        rules=rules,
        dependencies=dependencies,
        workflows=workflows,
        policy=Policy(
            horizon_hours=hours,
            headroom=1.0,
            count_hours=int(rng.choice([1, 1, 2])),
            route_hours=int(rng.choice([1, hours])),
            gap_target=0.0,
            time_limit_s=30,
            carbon_usd_per_tonne=_random_carbon_price(seed),
            changes=costs,
            minimum_run_hours=_random_minimum_run_hours(seed),
        ),
        commitments=_random_commitments(np.random.default_rng([seed, 1]), places),
        fleet=fleet,
    )
    direct = {
        (services[0].name, origin): rng.uniform(0, 400, hours).round(1).tolist()
        for origin in ORIGINS
        if rng.random() < 0.9
    }
    direct = direct or {(services[0].name, "europe"): [120.0] * hours}
    return _uncertain(seed, of, direct)


def _uncertain(seed: int, of: World, direct: Mapping[tuple[str, str], Sequence[float]]) -> Asked:
    """Now and then with demand scenarios and unmet demand; drawn apart, so that all else stays."""
    rng = np.random.default_rng([seed, 2])
    policy, factors = of.policy, list[dict[str, float]]()
    if rng.random() < 0.35:
        quantiles = (0.5, 0.9, 0.99)[: int(rng.integers(2, 4))]
        weights = rng.dirichlet(np.ones(len(quantiles)))
        scenarios = tuple(map(DemandScenario, quantiles, weights.tolist()))
        cvar = None
        if rng.random() < 0.5:
            cvar = CvarPolicy(float(rng.choice([0.5, 0.8, 0.95])), float(rng.choice([0.3, 1.0])))
        policy = replace(policy, demand_scenarios=scenarios, cvar=cvar)
        steps = np.sort(rng.uniform(0.2, 1.5, (len(quantiles), len(ORIGINS))), axis=0)
        factors = [dict(zip(ORIGINS, row, strict=True)) for row in steps.tolist()]
    if rng.random() < 0.3:
        policy = replace(
            policy,
            unmet_at_most=float(rng.choice([0.05, 0.2, 0.5])),
            unmet_usd_per_million_requests=float(rng.choice([0.05, 0.3, 2.0])),
        )
    return asked(replace(of, policy=policy), direct, factors)


def _random_carbon_price(seed: int) -> float:
    """Now and then so high that it outweighs money; drawn apart, so that all else stays."""
    rng = np.random.default_rng([seed, 1])
    return float(rng.integers(1_000, 30_000)) if rng.random() < 0.3 else 0.0


def _random_service(rng: np.random.Generator, i: int) -> Service:
    service = Service(
        f"s{i}",
        Replica(
            float(rng.choice([0.5, 1, 2])),
            float(rng.choice([1, 2, 4])),
            float(rng.integers(20, 120)),
            float(rng.integers(0, 40)),
        ),
        team=str(rng.choice(["red", "blue"])),
        architectures=frozenset(
            {Architecture.X86_64, Architecture.ARM64}
            if rng.random() < 0.5
            else {Architecture.X86_64}
        ),
        stateful=bool(rng.random() < 0.25),
        spot_tolerant=bool(rng.random() < 0.6),
        response_kib=float(rng.integers(0, 50)) if i == 0 else 0.0,
    )
    return replace(service, state_gib=40.0) if service.stateful else service


def _random_offers(
    rng: np.random.Generator, places: Sequence[str]
) -> list[tuple[str, str, str, float, float, float]]:
    offers: list[tuple[str, str, str, float, float, float]] = []
    for place in places:
        level = rng.uniform(0.8, 1.3)
        for family, ratio, unit in (("m", 4, 0.05), ("c", 2, 0.042), ("mg", 4, 0.04)):
            for vcpus in (2, 4, 8):
                if rng.random() < 0.6:
                    price = unit * vcpus * level * rng.uniform(0.9, 1.1)
                    kind = f"{family}.{vcpus}"
                    offers.append((place, kind, "on_demand", round(price, 4), vcpus, vcpus * ratio))
                    if rng.random() < 0.6:
                        spot = round(price * rng.uniform(0.2, 0.7), 4)
                        offers.append((place, kind, "spot", spot, vcpus, vcpus * ratio))
        offers.append((place, "m.16", "on_demand", round(0.9 * level, 4), 16, 64))
    return offers


def _random_commitments(rng: np.random.Generator, places: Sequence[str]) -> tuple[Commitment, ...]:
    """None in most worlds, in others up to four that overlap. They have a generator of their own,
    so that worlds of before they were thought of stay what they were."""
    if rng.random() < 0.6:
        return ()
    return tuple(_random_commitment(rng, i, places) for i in range(int(rng.integers(1, 5))))


def _random_commitment(rng: np.random.Generator, i: int, places: Sequence[str]) -> Commitment:
    place = str(rng.choice(places))
    cloud = region(place).cloud
    somewhere = PlaceFilter(places=frozenset({place}))
    owned, offered = [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)][int(rng.integers(3))]
    term_years = int(rng.choice([1, 3]))
    if rng.random() < 0.5:
        share = float(rng.choice([0.1, 0.3, 0.5]))
        special = (Discount(share + 0.1, PlaceFilter(), ("m",)),) if rng.random() < 0.3 else ()
        return SpendCommitment(
            name=f"spend-{i}",
            cloud=cloud,
            term_years=term_years,
            where=somewhere if rng.random() < 0.3 else PlaceFilter(),
            families=("c",) if rng.random() < 0.2 else (),
            owned=owned * float(rng.choice([0.05, 0.2, 1.0])),
            at_most=offered * float(rng.choice([0.1, 5.0])),
            discounts=(*special, Discount(share)),
        )
    return ResourceCommitment(
        name=f"resource-{i}",
        cloud=cloud,
        term_years=term_years,
        where=somewhere,
        families=(str(rng.choice(["m", "c", "mg"])),),
        owned=owned * float(rng.choice([1.0, 4.0, 20.0])),
        at_most=offered * float(rng.choice([2.0, 100.0])),
        usd_per_vcpu_hour=float(rng.choice([0.02, 0.035, 0.06])),
        memory_gib_per_vcpu=3.0 if cloud is Cloud.GCP else None,
    )


def _random_rules(
    rng: np.random.Generator, services: tuple[Service, ...], places: Sequence[str]
) -> tuple[tuple[Workflow, ...], tuple[Rule, ...]]:
    names = tuple(service.name for service in services)
    one = (str(rng.choice(names)),)
    extent = Extent(str(rng.choice(["zone", "region", "cloud"])))
    cloud = region(str(rng.choice(places))).cloud
    workflows = (
        Workflow(
            "w",
            tuple(Step(n, (names[i - 1],) if i else ()) for i, n in enumerate(names)),
            float(rng.integers(40, 400)),
        ),
    )
    possible: list[tuple[float, Rule]] = [
        (0.4, LatencyRule(name="fast", service=names[0], within_ms=float(rng.integers(40, 250)))),
        (0.5, WorkflowRule(name="w", workflow="w", within_ms=workflows[0].latency_objective_ms)),
        (0.5, MinReplicasRule(name="min", service=one[0], at_least=int(rng.integers(1, 6)))),
        (0.3, MaxPlacesRule(name="max", service=one[0], at_most=int(rng.integers(1, 3)))),
        (0.2, ResidencyRule(name="eu", services=one, jurisdictions=frozenset({"EU"}),
                            origins=("europe",) if rng.random() < 0.5 else ())),
        (0.15, CertificationRule(name="pci", services=one, certificates=frozenset({"pci-dss"}))),
        (0.2, AllowedPlacesRule(name="not", services=one,
                                forbid=PlaceFilter(places=frozenset({str(rng.choice(places))})))),
        (0.5, SpreadRule(name="spread", services=one, survives=extent,
                         share=float(rng.choice([0.3, 0.5, 1.0])))),
        (0.5, SpotShareRule(name="spot", services=names,
                            at_most=float(rng.choice([0.0, 0.3, 0.5, 0.8])))),
        (0.3, QuotaRule(name="quota", where=PlaceFilter(clouds=frozenset({cloud})),
                        families=("m",) if rng.random() < 0.5 else (),
                        vcpus_at_most=float(rng.integers(8, 60)),
                        spot=[None, True, False][int(rng.integers(3))])),
        (0.2, QuotaRule(name="few", where=PlaceFilter(), instances_at_most=6.0)),
        (0.4, BudgetRule(name="budget", usd_per_month=float(rng.integers(300, 3000)),
                         team=[None, "red"][int(rng.integers(2))],
                         cloud=[None, cloud][int(rng.integers(2))])),
    ]  # fmt: skip
    rules = tuple(rule for chance, rule in possible if rng.random() < chance)
    return workflows, rules


def _random_spot_risk(seed: int, services: tuple[Service, ...]) -> tuple[Rule, ...]:
    """Now and then a spot risk; from a stream of its own, so that other features stay as they are.

    Chances are far above real ones, so that one to three pools may go at once.
    """
    rng = np.random.default_rng([seed, 3])
    if rng.random() > 0.3:
        return ()
    return (
        SpotRiskRule(
            name="risk",
            services=tuple(service.name for service in services),
            chance_at_most=float(rng.choice([0.3, 0.05, 0.01])),
            share=float(rng.choice([0.5, 1.0])),
            interruptions_per_month=float(rng.choice([5, 20])),
            outage_hours=float(rng.choice([1, 4])),
            rates=(InterruptionRate(60.0, families=("c",)),),
        ),
    )


def _random_changes(
    seed: int, services: tuple[Service, ...], offers: PriceBook
) -> tuple[ChangeCosts, tuple[Rule, ...], Fleet]:
    """Now and then a fleet that is costly, slow or hardly worth changing; a stream of its own."""
    rng = np.random.default_rng([seed, 2])
    if rng.random() > 0.3:
        return ChangeCosts(), (), Fleet()
    groups = []
    for service in services:
        fits = offers.offerings["architecture"].isin([a.value for a in service.architectures])
        fits &= service.spot_tolerant | (offers.offerings["purchase"] != Purchase.SPOT)
        rows = np.flatnonzero(fits if rng.random() < 0.8 else np.ones_like(fits))
        for row in rng.choice(rows, size=int(rng.integers(0, 3)), replace=False):
            offer = offers.offerings.iloc[row]
            groups.append(
                Group(
                    service.name,
                    f"{offer['cloud']}/{offer['region']}",
                    str(offer["instance_type"]),
                    Purchase(str(offer["purchase"])),
                    int(rng.integers(1, 6)),
                )
            )
    costs = ChangeCosts(
        usd_per_started_instance=float(rng.choice([0.0, 2.0])),
        usd_per_gib_of_state_moved=float(rng.choice([0.0, 0.5])),
        amortise_over_hours=float(rng.choice([24.0, 720.0])),
        minimum_saving_usd_per_month=float(rng.choice([0.0, 100.0])),
        minimum_saving_share=float(rng.choice([0.0, 0.2])),
    )
    limited = DisruptionRule(
        name="slowly",
        services=tuple(service.name for service in services),
        at_most_per_day=[None, int(rng.integers(3, 15))][int(rng.integers(2))],
        in_all_per_day=int(rng.integers(5, 30)),
    )
    return costs, (limited,) if rng.random() < 0.5 else (), Fleet(tuple(groups))


def _random_minimum_run_hours(seed: int) -> int:
    """Now and then longer than an hour; drawn apart, so that all else stays."""
    rng = np.random.default_rng([seed, 4])
    return int(rng.integers(2, 4)) if rng.random() < 0.3 else 1
