"""What each service could run on in each place, before any rule: its options.

An option is an offering that holds at least one replica. Dominated options are dropped here: an
option *b* goes when another option *a* of the same service and place does at least as much for no
more money, counting ``m`` instances of *a* for one of *b*:

    m = ⌈k_b / k_a⌉,   m · p_a ≤ p_b        (k replicas per instance, p USD per hour)

Rules that look at more than capacity and price narrow this down, see ``_quota_kind``.
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


def drop_dominated(options: Options, world: World) -> tuple[Options, int]:
    """Options without those that others make useless, and how many were dropped."""
    if not len(options):
        return options, 0
    quota_kind = _quota_kind(options, world)
    limited_spot = _spot_limited(world)
    keys = np.stack([options.service, options.region, quota_kind], axis=1)
    order = np.lexsort((np.arange(len(options)), quota_kind, options.region, options.service))
    changes = np.flatnonzero(np.any(np.diff(keys[order], axis=0) != 0, axis=1)) + 1
    keep = np.zeros(len(options), dtype=np.bool_)
    for group in np.split(order, changes):
        first = group[0]
        spot_limited = limited_spot[options.service[first]]
        keep[_undominated(options, group, spot_limited, strict=quota_kind[first] != 0)] = True
    return options.where(keep), int(len(options) - keep.sum())


def _undominated(options: Options, group: Ints, spot_limited: bool, *, strict: bool) -> Ints:
    """Members of ``group`` (indices) that no other makes useless; ``strict``: quotas count them."""
    k = options.replicas[group]
    price = options.price_usd_per_hour[group]
    vcpus = options.vcpus[group]
    spot = options.spot[group] & spot_limited
    # Of options with the same capacity only the cheapest matters, unless a quota counts vCPUs.
    order = np.lexsort((np.arange(len(group)), vcpus if strict else price, price, k, spot))
    same = (np.diff(k[order], prepend=-1) == 0) & (np.diff(spot[order], prepend=2) == 0)
    if strict:
        same[:] = False
    chosen = order[~same]
    chosen = chosen[np.lexsort((chosen, price[chosen], price[chosen] / k[chosen]))]
    k, price, vcpus, spot = k[chosen], price[chosen], vcpus[chosen], spot[chosen]
    times = -(-k[None, :] // k[:, None])  # [a, b]: instances of a that replace one of b
    beats = times * price[:, None] <= price[None, :] * (1 + 1e-12)
    if strict:  # quotas count vCPUs and instances
        beats &= (times * vcpus[:, None] <= vcpus[None, :]) & (times == 1)
    if spot_limited:
        # On demand never stands in for spot less well; spot must replace spot replica by replica,
        # because more spot replicas than needed would count against the share.
        exact = times * k[:, None] == k[None, :]
        beats &= np.where(spot[:, None], spot[None, :] & exact, True)
    earlier = np.arange(len(k))[:, None] < np.arange(len(k))[None, :]
    beats &= earlier | ~beats.T  # of two that beat each other, the first stays
    np.fill_diagonal(beats, False)
    stays: Ints = group[chosen[~beats.any(axis=0)]]
    return stays


def _quota_kind(options: Options, world: World) -> Ints:
    """0 where no quota counts the option; otherwise a number per set of quotas that do."""
    kinds = np.zeros(len(options), dtype=np.int64)
    quotas = [rule for rule in world.rules if isinstance(rule, QuotaRule)]
    for bit, rule in enumerate(quotas):
        kinds += counted_by(rule, options, world).astype(np.int64) << bit
    return kinds


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
