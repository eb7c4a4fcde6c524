"""What a plan states about its world, its demand and its parts, held against what is so."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from models.world import World
from optimizer.digests import world_digests
from optimizer.verify.case import TOLERANCE, Case
from optimizer.verify.entries import CvarEntry, PlanEntry
from optimizer.verify.findings import Difference, Subject
from optimizer.verify.reading import pointer

PART_WORDS = {
    "services": "services",
    "origins": "origins",
    "dependencies": "dependencies",
    "workflows": "workflows",
    "rules": "rules",
    "policy": "the policy",
    "fleet": "today's fleet",
    "history": "the demand history",
    "regions": "candidate places, or what is known of them",
    "book": "prices",
    "egress": "prices of data that leaves",
    "round_trips": "round trips",
    "commitments": "commitments",
    "demand_factors": "what a what-if does to demand",
    "events": "events that move demand",
}


def world_differences(world: World, plan: PlanEntry) -> Iterator[Difference]:
    """Whether the plan was made for this very world, part by part."""
    if plan.world.name != world.name:
        yield Difference(
            Subject.WORLD, "/world/name", "the name of the world", plan.world.name, world.name
        )
    if plan.world.digests:
        here = world_digests(world)
        for part in sorted(here.keys() | plan.world.digests.keys()):
            stated, found = plan.world.digests.get(part, ""), here.get(part, "")
            if stated != found:
                words = f"{PART_WORDS.get(part, part)}: not as they were for the plan"
                where = pointer(["world", "digests", part])
                yield Difference(
                    Subject.WORLD, where, words, stated[:12] or "none", found[:12] or "none"
                )
    policy = world.policy
    stated_policy = {
        "demand_quantile": policy.demand_quantile,
        "headroom": policy.headroom,
        "count_hours": policy.count_hours,
        "route_hours": policy.route_hours,
        "minimum_run_hours": policy.minimum_run_hours,
        "burstable": policy.burstable,
        "carbon_usd_per_tonne": policy.carbon_usd_per_tonne,
        "purchases": sorted(purchase.value for purchase in policy.purchases),
        "demand_scenarios": [(s.quantile, s.probability) for s in policy.demand_scenarios],
        "unmet_at_most": policy.unmet_at_most,
        "unmet_usd_per_million_requests": policy.unmet_usd_per_million_requests,
        "cvar": policy.cvar and (policy.cvar.level, policy.cvar.weight),
    }
    for key, found_value in stated_policy.items():
        value = _comparable(getattr(plan.policy, key))
        if value is not None and value != found_value:
            yield Difference(
                Subject.WORLD, f"/policy/{key}", f"policy.{key}", str(value), str(found_value)
            )


def _comparable(value: object) -> object:
    """A stated part of the policy, as the world's own is laid beside it."""
    if isinstance(value, tuple):
        return sorted(value)
    if isinstance(value, CvarEntry):
        return value.level, value.weight
    if isinstance(value, list):
        return [(scenario.quantile, scenario.probability) for scenario in value]
    return value


def demand_differences(case: Case) -> Iterator[Difference]:
    """Stated demand, against the forecast made anew. Each service by its worst hour."""
    planned = case.demand.total_rps.sum(axis=1)
    held = np.array([case.replicas(s).sum(axis=0) for s in range(len(case.services))])
    capacity = held * case.rate_rps[:, None]
    subjects = (
        ("planned_rps", planned, Subject.DEMAND, "planned demand"),
        ("mean_rps", case.demand.mean_rps, Subject.DEMAND, "mean demand"),
        ("capacity_rps", capacity, Subject.FACTS, "capacity"),
    )
    for i, entry in enumerate(case.plan.demand):
        s = case.services.get(entry.service)
        if s is None:
            yield Difference(
                Subject.DEMAND, f"/demand/{i}/service", "a service", entry.service, "none"
            )
            continue
        for key, found, subject, words in subjects:
            rates = getattr(entry, key)
            if rates is None:
                continue
            stated = np.array([np.nan if rate is None else rate for rate in rates])
            off = np.nan_to_num(np.abs(stated - found[s]) / (1.0 + found[s]), nan=np.inf)
            worst = int(np.argmax(off))
            if off[worst] > TOLERANCE:
                yield Difference(
                    subject,
                    f"/demand/{i}/{key}/{worst}",
                    f"{words} for {entry.service} in hour {worst}",
                    "nothing" if np.isnan(stated[worst]) else f"{stated[worst]:,.6g} rps",
                    f"{found[s, worst]:,.6g} rps",
                )


def fact_differences(case: Case) -> Iterator[Difference]:
    """Prices, sizes and round trips that stand beside instances and routes."""
    book = case.world.book.offerings
    prices = book["price_usd_per_hour"].to_numpy(np.float64)
    groups = case.groups
    for k, i in enumerate(groups.entry.tolist()):
        entry = case.plan.instances[i]
        price = Decimal(repr(float(prices[groups.offering[k]])))
        stated_price = entry.price_usd_per_hour
        if stated_price is not None and Decimal(stated_price) != price:
            yield Difference(
                Subject.BILL, f"/instances/{i}/price_usd_per_hour",
                f"the price of {entry.instance_type}, {entry.purchase}, in {entry.place}",
                f"{stated_price} USD per hour", f"{price} USD per hour",
            )  # fmt: skip
        replicas = int(groups.replicas[k])
        rate = replicas * float(case.rate_rps[groups.service[k]])
        for key, stated, found, unit in (
            ("replicas_per_instance", entry.replicas_per_instance, replicas, "replicas"),
            ("capacity_rps_per_instance", entry.capacity_rps_per_instance, rate, "rps"),
        ):
            if stated is not None and abs(stated - found) > TOLERANCE * (1 + found):
                yield Difference(
                    Subject.FACTS, f"/instances/{i}/{key}",
                    f"what {entry.instance_type} holds of {entry.service}",
                    f"{stated:g} {unit}", f"{found:g} {unit}",
                )  # fmt: skip
    for i, route in enumerate(case.plan.routes):
        g, r = case.origins.get(route.origin), case.places.get(route.place)
        if route.rtt_ms is not None and g is not None and r is not None:
            found_ms = float(case.from_origin_ms[g, r])
            if abs(route.rtt_ms - found_ms) > TOLERANCE * (1 + found_ms):
                yield Difference(
                    Subject.FACTS, f"/routes/{i}/rtt_ms",
                    f"the round trip of {route.origin} to {route.place}",
                    f"{route.rtt_ms:g} ms", f"{found_ms:g} ms",
                )  # fmt: skip
