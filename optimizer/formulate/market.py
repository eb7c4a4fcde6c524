"""What each service could run on in each place, before any rule: its options.

An option is an offering that holds at least one replica. Dominated options are dropped here: an
option *b* goes when other options of the same service and place, together and any number of
times, do at least as much for no more money:

    min { Σ_a m_a p_a : Σ_a m_a k_a ≥ k_b, m ∈ ℕ } ≤ p_b    (k replicas, p USD per hour)

No plan gets dearer by that, and none loses capacity to the failure of a zone: replicas on more
instances are never worse spread. Rules that look at more than capacity and price narrow it down:
quotas count vCPUs and instances, spot shares count spot replicas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.capacity import replicas_per_instance
from models.offerings import Purchase
from models.rules import QuotaRule, SpotShareRule
from models.services import Service
from models.world import World
from optimizer.problem import Bools, Floats, Ints

SAME_PRICE = 1e-12
"""Relative difference below which two sums of prices are equal."""


@dataclass(frozen=True, eq=False)
class Options:
    """Columns of equal length, sorted by (service, region, price per replica).

    ``offering`` is the row of the world's price book.
    """

    service: Ints
    region: Ints
    offering: Ints
    replicas: Ints
    price_usd_per_hour: Floats
    vcpus: Floats
    spot: Bools

    def __len__(self) -> int:
        return len(self.service)

    def where(self, keep: Bools | Ints) -> Options:
        return Options(
            self.service[keep],
            self.region[keep],
            self.offering[keep],
            self.replicas[keep],
            self.price_usd_per_hour[keep],
            self.vcpus[keep],
            self.spot[keep],
        )


@dataclass(frozen=True, eq=False)
class Market:
    """Every option of every service, and why services have none in some places.

    ``lacks[(s, r)]`` says in words why service s has no option in region r.
    """

    options: Options
    lacks: Mapping[tuple[int, int], str]


def survey(world: World) -> Market:
    """All options of all services, undominated or not, by service, region and unit price."""
    book = world.book.offerings
    region_of = {(r.cloud.value, r.name): i for i, r in enumerate(world.regions)}
    places = pd.MultiIndex.from_arrays([book["cloud"].astype(str), book["region"].astype(str)])
    region = pd.Series(region_of).reindex(places).fillna(-1).to_numpy(np.int64)
    purchase = book["purchase"].astype(str).to_numpy()
    price = book["price_usd_per_hour"].to_numpy(np.float64)
    spot = purchase == Purchase.SPOT.value
    usable = (region >= 0) & np.isin(purchase, [p.value for p in world.policy.purchases])
    usable &= np.isin(purchase, [Purchase.ON_DEMAND.value, Purchase.SPOT.value])
    if not world.policy.burstable:
        usable &= ~book["burstable"].to_numpy(np.bool_)
    architecture = book["architecture"].astype(str).to_numpy()

    found: dict[object, tuple[Ints, Ints]] = {}
    lacks: dict[tuple[int, int], str] = {}
    parts = []
    for s, service in enumerate(world.services):
        shape = (service.replica, service.architectures, service.spot_tolerant)
        if shape not in found:  # many services of a large fleet share a shape
            fits = replicas_per_instance(service.replica, book, world.policy.headroom)
            right = usable & np.isin(architecture, [a.value for a in service.architectures])
            right &= service.spot_tolerant | ~spot
            rows = np.flatnonzero(right & (fits >= 1))
            order = np.lexsort((rows, price[rows] / fits[rows], region[rows]))
            found[shape] = (rows[order], fits[rows][order])
        rows, replicas = found[shape]
        parts.append((np.full(len(rows), s), rows, replicas))
        for r in sorted(set(range(len(world.regions))) - set(region[rows].tolist())):
            lacks[s, r] = _what_lacks(service, world)
    service_of = np.concatenate([part[0] for part in parts])
    rows = np.concatenate([part[1] for part in parts])
    options = Options(
        service_of,
        region[rows].astype(np.int64),
        rows,
        np.concatenate([part[2] for part in parts]).astype(np.int64),
        price[rows],
        book["vcpus"].to_numpy(np.float64)[rows],
        spot[rows],
    )
    return Market(options, lacks)


def _what_lacks(service: Service, world: World) -> str:
    replica = service.replica
    gpu = f", {replica.gpus:g} GPU" if replica.gpus else ""
    if replica.gpu_models:
        gpu += f" ({' or '.join(sorted(replica.gpu_models))})"
    kinds = "/".join(sorted(service.architectures))
    how = "on demand" if not service.spot_tolerant else "at all"
    return (
        f"no {kinds} instance type is priced {how} there that holds one replica "
        f"({replica.vcpus:g} vCPU, {replica.memory_gib:g} GiB{gpu} "
        f"at {world.policy.headroom:.0%} headroom)"
    )


def drop_dominated(options: Options, world: World, most_replicas: Ints) -> tuple[Options, int]:
    """Options without those that others make useless, and how many were dropped.

    ``most_replicas`` [service]: the most replicas that any rule or hour asks for; what an
    instance holds beyond that is of no use.
    """
    if not len(options):
        return options, 0
    quotas, by_instances = _quotas(options, world)
    limited = _spot_limited(world)
    place = options.service * len(world.regions) + options.region
    order = np.argsort(place, kind="stable")
    changes = np.flatnonzero(np.diff(place[order])) + 1
    keep = np.zeros(len(options), dtype=np.bool_)
    for group in np.split(order, changes):
        service = options.service[group[0]]
        stays = _unbeaten(
            options.where(group),
            quotas[group],
            by_instances,
            most=max(int(most_replicas[service]), 1),
            spot_limited=limited[service],
        )
        keep[group[stays]] = True
    return options.where(keep), int(len(options) - keep.sum())


def _unbeaten(
    here: Options, quotas: Bools, by_instances: Bools, *, most: int, spot_limited: bool
) -> list[int]:
    """Which options of one service and place stay.

    First those that nothing but capacity and price tells apart, ``free`` ones: no quota counts
    them, and no spot share. They may stand in for any other. Then spot replicas under a share,
    which only the same number of spot replicas, or free ones, may replace; then what quotas
    count, which must not use more of a quota than before.
    """
    spot = here.spot & spot_limited
    unlimited = ~quotas.any(axis=1)
    size: list[int] = here.replicas.tolist()
    price: list[float] = here.price_usd_per_hour.tolist()
    # Under a spot share even idle replicas on demand count: they let more spot run.
    capped = size if spot_limited else np.minimum(here.replicas, most).tolist()
    free = _sweep(np.flatnonzero(unlimited & ~spot), capped, price, exact=False)
    cover = _cheapest(free, capped, price, max(capped), exact=False)

    def beaten_by_free(i: int) -> bool:
        return bool(cover[capped[i]] <= price[i] * (1 + SAME_PRICE))

    left = [i for i in np.flatnonzero(unlimited & spot).tolist() if not beaten_by_free(i)]
    shared = _sweep(np.array(left, np.int64), size, price, exact=True)
    stays = free + shared
    counted = [i for i in np.flatnonzero(~unlimited).tolist() if not beaten_by_free(i)]
    if counted:
        most_counted = max(size[i] for i in counted)
        match = _cheapest(shared, size, price, most_counted, exact=True)
        counted = [
            i for i in counted if not (spot[i] and match[size[i]] <= price[i] * (1 + SAME_PRICE))
        ]
        stays += _within_quotas(here, counted, quotas, by_instances)
    return stays


def _sweep(candidates: Ints, size: list[int], price: list[float], *, exact: bool) -> list[int]:
    """Candidates that no combination of others covers (or matches exactly) for no more money.

    Combinations need only smaller options: when any cover will do, a larger option that is no
    dearer stands in alone. So one sweep by size, with the cheapest cover of q replicas so far.
    """
    by_size = sorted(candidates.tolist(), key=lambda i: (size[i], price[i], i))
    if not exact:  # what a larger option undercuts goes first
        cheapest = np.inf
        front = []
        for i in sorted(by_size, key=lambda i: (-size[i], price[i], i)):
            if price[i] < cheapest:
                cheapest = price[i]
                front.append(i)
        by_size = front[::-1]
    kept: list[int] = []
    best = [0.0]
    for i in by_size:
        _extend(best, size[i], kept, size, price, exact=exact)
        if best[size[i]] > price[i] * (1 + SAME_PRICE):
            kept.append(i)
            best[size[i]] = price[i]
    return kept


def _cheapest(
    kept: list[int], size: list[int], price: list[float], most: int, *, exact: bool
) -> list[float]:
    """[q]: the least that at least (or exactly) q replicas cost, q = 0 … ``most``."""
    best = [0.0]
    _extend(best, most, kept, size, price, exact=exact)
    return best


def _extend(
    best: list[float],
    most: int,
    kept: list[int],
    size: list[int],
    price: list[float],
    *,
    exact: bool,
) -> None:
    for q in range(len(best), most + 1):
        best.append(
            min(
                (price[j] + best[max(0, q - size[j])] for j in kept if not exact or size[j] <= q),
                default=np.inf,
            )
        )


def _within_quotas(
    here: Options, counted: list[int], quotas: Bools, by_instances: Bools
) -> list[int]:
    """Of options that quotas count: one goes when some number of another holds exactly as many
    replicas for no more money and no more of every quota that counts it.
    """
    index = np.array(counted, np.int64)
    k, price, vcpus = here.replicas[index], here.price_usd_per_hour[index], here.vcpus[index]
    times = np.maximum(k[None, :] // k[:, None], 1)  # [a, b]: instances of a for one of b
    beats = (times * k[:, None] == k[None, :]) & (here.spot[index][:, None] == here.spot[index])
    beats &= times * price[:, None] <= price[None, :] * (1 + SAME_PRICE)
    beats &= times * vcpus[:, None] <= vcpus[None, :]
    by = quotas[index]
    beats &= ~np.any(by[:, None, :] & ~by[None, :, :], axis=2)  # counted by no others
    beats &= (times == 1) | ~np.any(by & by_instances, axis=1, keepdims=True)
    earlier = np.arange(len(index))[:, None] < np.arange(len(index))[None, :]
    beats &= earlier | ~beats.T  # of two that beat each other, the first stays
    np.fill_diagonal(beats, False)
    return [i for i, beaten in zip(counted, beats.any(axis=0).tolist(), strict=True) if not beaten]


def _quotas(options: Options, world: World) -> tuple[Bools, Bools]:
    """Which quotas count each option [option, quota], and which of them count instances."""
    rules = [rule for rule in world.rules if isinstance(rule, QuotaRule)]
    counted = np.zeros((len(options), len(rules)), dtype=np.bool_)
    for i, rule in enumerate(rules):
        counted[:, i] = counted_by(rule, options, world)
    return counted, np.array([rule.instances_at_most is not None for rule in rules], np.bool_)


def counted_by(rule: QuotaRule, options: Options, world: World) -> Bools:
    """Which options count against a quota."""
    inside = np.array([rule.where.holds(region) for region in world.regions])
    counted: Bools = inside[options.region]
    if rule.families:
        family = world.book.offerings["family"].astype(str).to_numpy()[options.offering]
        counted = counted & np.isin(family, rule.families)
    if rule.spot is not None:
        counted = counted & (options.spot == rule.spot)
    return counted


def _spot_limited(world: World) -> Sequence[bool]:
    limited = {
        name
        for rule in world.rules
        if isinstance(rule, SpotShareRule) and rule.at_most < 1
        for name in rule.services
    }
    return [service.name in limited for service in world.services]
