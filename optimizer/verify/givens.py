"""What every plan must keep, whoever wrote which rules: capacity, routes, steady sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.capacity import replicas_per_instance
from models.offerings import Purchase
from models.services import Service
from models.world import World
from optimizer.verify.case import TOLERANCE, Bools, Case, Floats, Ints
from optimizer.verify.findings import Given, Violation, given


def hours_of(wrong: Bools) -> tuple[int, ...]:
    """The hours in which something is wrong, from a mask whose last axis is the hour."""
    return tuple(np.flatnonzero(wrong.reshape(-1, wrong.shape[-1]).any(axis=0)).tolist())


def check_givens(case: Case, allowed: Bools) -> Iterator[Violation]:
    """``allowed`` [service, origin, region] is where traffic may lawfully go."""
    yield from case.faults
    for s in range(len(case.world.services)):
        shares = case.shares(s)
        yield from _routes_add_up(case, s, shares)
        yield from _capacity_carries(case, s)
        yield from _routes_hold(case, s, shares)
        yield from _sizes_hold(case, s)
        yield from _is_of_use(case, s, allowed[s])


def _routes_add_up(case: Case, s: int, shares: Floats) -> Iterator[Violation]:
    missing = 1.0 - shares.sum(axis=1)
    wrong = (np.abs(missing) > TOLERANCE) & (case.highest_rps[s] > 0)
    name = case.world.services[s].name
    for origin, g in case.origins.items():
        if wrong[g].any():
            worst = int(np.argmax(np.abs(missing[g]) * wrong[g]))
            routed = 1.0 - missing[g, worst]
            yield given(
                Given.ROUTES,
                f"{routed:.4%} of what {origin} asks of {name} is routed",
                service=name,
                hours=hours_of(wrong[g]),
                by=abs(float(missing[g, worst])),
                unit="of the demand",
            )


def _capacity_carries(case: Case, s: int) -> Iterator[Violation]:
    """In every demand scenario; a share may go unmet where policy or service say so."""
    service = case.world.services[s]
    unserved = case.unserved(s)
    asked = case.demand.outlook.scenario_rps[:, s].sum(axis=1)  # [scenario, hour]
    at_most, _ = unmet_terms(case.world, service)
    if at_most > 0:
        short = unserved.sum(axis=1) - at_most * asked
        wrong = short > TOLERANCE * (1.0 + asked)
        if wrong.any():
            yield given(
                Given.CAPACITY,
                f"{service.name} leaves more than {at_most:.1%} of its demand unmet",
                service=service.name,
                hours=hours_of(wrong),
                by=float(short.max()),
                unit="rps",
            )
        return
    short = unserved.max(axis=0)  # [region, hour]
    wrong = short > TOLERANCE * (1.0 + asked.max(axis=0))
    capacity = case.replicas(s) * service.replica.throughput_rps
    for r in np.flatnonzero(wrong.any(axis=1)).tolist():
        worst = int(np.argmax(short[r]))
        place, held = case.place_names[r], capacity[r, worst]
        yield given(
            Given.CAPACITY,
            f"{service.name} is to serve {held + short[r, worst]:,.1f} rps in {place} on capacity "
            f"for {held:,.1f}",
            service=service.name,
            place=place,
            hours=hours_of(wrong[r]),
            by=float(short[r, worst]),
            unit="rps",
        )


def unmet_terms(world: World, service: Service) -> tuple[float, float]:
    """The share of the service's demand that may go unmet, and USD per million requests."""
    policy = world.policy
    at_most, price = service.unmet_at_most, service.unmet_usd_per_million_requests
    return (
        policy.unmet_at_most if at_most is None else at_most,
        policy.unmet_usd_per_million_requests if price is None else price,
    )


def _block_starts(case: Case, service: Service, hours: int) -> Ints:
    """For every hour, the first hour of its block of ``hours``; stateful services have one."""
    every = np.arange(case.hours)
    return np.zeros(case.hours, np.int64) if service.stateful else every - every % hours


def _routes_hold(case: Case, s: int, shares: Floats) -> Iterator[Violation]:
    service = case.world.services[s]
    starts = _block_starts(case, service, case.world.policy.route_hours)
    moved = np.abs(shares - shares[:, :, starts]) * case.asks[s][:, None, None]
    wrong = moved > TOLERANCE
    if wrong.any():
        yield given(
            Given.STEADINESS,
            f"routes of {service.name} change within {_span(case, service, 'route_hours')}",
            service=service.name,
            hours=hours_of(wrong),
            by=float(moved.max()),
            unit="of the demand",
        )


def _sizes_hold(case: Case, s: int) -> Iterator[Violation]:
    service = case.world.services[s]
    starts = _block_starts(case, service, case.world.policy.count_hours)
    own = case.groups.of(s)
    keys = np.unique(case.groups.offering[own], return_inverse=True)[1]
    counts = np.zeros((int(keys.max(initial=-1)) + 1, case.hours), np.int64)
    np.add.at(counts, keys, case.groups.count[own])  # an offering may fill several rows
    changed = np.abs(counts - counts[:, starts])
    if changed.any():
        yield given(
            Given.STEADINESS,
            f"sizes of {service.name} change within {_span(case, service, 'count_hours')}",
            service=service.name,
            hours=hours_of(changed > 0),
            by=float(changed.max()),
            unit="instances",
        )


def _span(case: Case, service: Service, field: str) -> str:
    if service.stateful:
        return "the horizon, and it keeps state"
    return f"{getattr(case.world.policy, field)} h, as long as policy.{field} keeps them"


def _is_of_use(case: Case, s: int, allowed: Bools) -> Iterator[Violation]:
    """Nothing runs where no user may lawfully be served, not even to fill a minimum."""
    asks = case.asks[s] if case.asks[s].any() else np.ones_like(case.asks[s])
    useful = allowed[asks].any(axis=0)
    name = case.world.services[s].name
    own = case.groups.of(s)
    for r in np.unique(case.groups.region[own]).tolist():
        counts = case.groups.count[own[case.groups.region[own] == r]].sum(axis=0)
        if counts.any() and not useful[r]:
            place = case.place_names[r]
            yield given(
                Given.USEFULNESS,
                f"{name} runs in {place}, where rules let it serve nobody",
                service=name,
                place=place,
                hours=hours_of(counts[None] > 0),
                by=float(counts.max()),
                unit="instances",
            )


def eligible(case: Case, service: Service) -> Bools:
    """Per row of the price book: whether it holds a replica and may be bought for the service."""
    policy, book = case.world.policy, case.world.book.offerings
    purchase = book["purchase"].astype(str)
    fits: Bools = replicas_per_instance(service.replica, book, policy.headroom) >= 1
    fits &= _regions(case) >= 0
    fits &= purchase.isin([option.value for option in policy.purchases]).to_numpy()
    fits &= book["architecture"].isin([*service.architectures]).to_numpy()
    fits &= policy.burstable | ~book["burstable"].to_numpy(np.bool_)
    fits &= service.spot_tolerant | (purchase != Purchase.SPOT.value).to_numpy()
    return fits


def _regions(case: Case) -> Ints:
    """Per row of the price book: its candidate place; -1: none."""
    book = case.world.book.offerings
    place = (book["cloud"].astype(str) + "/" + book["region"].astype(str)).map(case.places)
    return np.asarray(place.fillna(-1), np.int64)


def sold(case: Case) -> Bools:
    """[service, region]: where something that holds a replica can be bought under the policy."""
    world, region = case.world, _regions(case)
    found: dict[object, Bools] = {}
    for service in world.services:
        shape = (service.replica, service.architectures, service.spot_tolerant)
        if shape not in found:  # many services of a large fleet share a shape
            found[shape] = np.isin(np.arange(len(case.places)), region[eligible(case, service)])
    shapes = [(s.replica, s.architectures, s.spot_tolerant) for s in world.services]
    return np.array([found[shape] for shape in shapes], np.bool_).reshape(-1, len(case.places))
