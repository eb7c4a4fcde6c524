"""What the current fleet costs if it simply stays, and which rules it does not keep.

Nothing here is shared with the formulation but what commitments cover: the two sides of "before
and after" are computed apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from models.commitments import CommitmentUse
from models.demand import Outlook
from models.egress import GB_PER_KIB, SECONDS_PER_HOUR
from models.placement import CENT_OF_A_CENT, Bill, BillLine, ShadowLine, Term
from models.plan import BrokenRule, Today
from models.world import World
from optimizer.coverage import commitment_lines, uses_at_best
from optimizer.emissions import carbon_lines
from optimizer.formulate.commitments import find_cover
from optimizer.problem import Floats, Ints
from optimizer.todays_fleet import TodaysFleet
from optimizer.todays_rules import Inspection

EGRESS_TERMS = (Term.EGRESS_INTERNET, Term.EGRESS_INTER_REGION)


def look_at_today(
    world: World, demand_rps: Floats, direct_rps: Floats, outlook: Outlook | None = None
) -> Today:
    """Price and check the current fleet against the demand that the plan is made for.

    ``demand_rps`` and ``direct_rps`` have shape [service, origin, period]; data transfer is that
    expected in ``outlook``, if given.
    """
    fleet = TodaysFleet(world)
    outlook = outlook or Outlook.certain(demand_rps, direct_rps)
    hours = demand_rps.shape[2]
    uses = _uses_of_commitments(fleet, hours)
    bill = Bill(
        hours,
        (
            *_compute_lines(fleet, hours),
            *commitment_lines(uses),
            *_egress_lines(fleet, outlook.expected_rps, outlook.expected_direct_rps),
        ),
        _carbon_lines(fleet, hours),
    )
    look = Inspection(fleet, demand_rps, bill)
    broken = tuple(
        BrokenRule(rule, how) for rule in world.rules if (how := look.at(rule)) is not None
    )
    return Today(bill, fleet.capacity_rps(), fleet.unpriced, broken, uses)


def _compute_lines(fleet: TodaysFleet, hours: int) -> Iterator[BillLine]:
    prices = fleet.offered["price_usd_per_hour"].tolist()
    for group, price in zip(fleet.groups, prices, strict=True):
        usd = Decimal(repr(float(price))) * group.count * hours
        cloud = group.place.split("/", 1)[0]
        yield BillLine(Term.COMPUTE, cloud, group.place, group.service, group.purchase.value, usd)


def _uses_of_commitments(fleet: TodaysFleet, hours: int) -> tuple[CommitmentUse, ...]:
    """What the owned commitments cover of what runs, at best."""
    if not fleet.world.commitments:
        return ()
    cover = find_cover(fleet.world)
    usage_class = cover.commitment_class[fleet.book_row]
    usd = fleet.offered["price_usd_per_hour"].to_numpy(np.float64) * fleet.count
    covered = usage_class >= 0
    at_list = np.zeros(cover.level_per_usd.shape[1])
    np.add.at(at_list, usage_class[covered], usd[covered])
    return uses_at_best(fleet.world, cover, np.tile(at_list[:, None], hours))


def _carbon_lines(fleet: TodaysFleet, hours: int) -> tuple[ShadowLine, ...]:
    services = [group.service for group in fleet.groups]
    return carbon_lines(
        fleet.world, fleet.offered, services, (fleet.count * hours).astype(np.float64)
    )


def _egress_lines(fleet: TodaysFleet, demand_rps: Floats, direct_rps: Floats) -> Iterator[BillLine]:
    """Users reach the nearest place; so do their calls, each service at its own nearest place."""
    world = fleet.world
    internet = np.array([world.egress[r.place].internet_usd_per_gb for r in world.regions])
    response_kib = np.array([service.response_kib for service in world.services])
    volume = SECONDS_PER_HOUR * GB_PER_KIB
    to_users_gb = direct_rps.sum(axis=2) * volume * response_kib[:, None]
    served = (fleet.nearest >= 0) & (to_users_gb != 0)
    service = np.nonzero(served)[0]
    place = fleet.nearest[served]
    term, leaving, place_of, usd = (
        np.concatenate(parts)
        for parts in zip(
            (np.zeros(len(place), np.int64), service, place, to_users_gb[served] * internet[place]),
            _calls(fleet, demand_rps, volume),
            strict=True,
        )
    )
    keys = (term * len(world.regions) + place_of) * len(world.services) + leaving
    found, position = np.unique(keys, return_inverse=True)
    amounts = np.bincount(position, usd, minlength=len(found))
    lines = []
    for key, amount in zip(found.tolist(), amounts.tolist(), strict=True):
        rest, s = divmod(key, len(world.services))
        t, r = divmod(rest, len(world.regions))
        lines.append((EGRESS_TERMS[t], world.regions[r].place, world.services[s].name, amount))
    for kind, where, name, amount in sorted(lines):
        exact = Decimal(repr(amount)).quantize(CENT_OF_A_CENT)
        yield BillLine(kind, where.split("/", 1)[0], where, name, "", exact)


def _calls(
    fleet: TodaysFleet, demand_rps: Floats, volume: float
) -> tuple[Ints, Ints, Ints, Floats]:
    """What calls cost: term (of ``EGRESS_TERMS``), service and region that data leaves, USD."""
    world = fleet.world
    edges = world.dependencies
    caller, callee = (
        np.array([world.service_index[getattr(edge, end)] for edge in edges], np.int64)
        for end in ("caller", "callee")
    )
    calls, request_kib, response_kib = (
        np.array([getattr(edge, field) for edge in edges], np.float64)[:, None]
        for field in ("calls_per_request", "request_kib", "response_kib")
    )
    here, there = fleet.nearest[caller], fleet.nearest[callee]
    gb = demand_rps.sum(axis=2)[caller] * calls * volume
    gb_each = np.stack([gb * request_kib, gb * response_kib], axis=2)  # [edge, origin, way]
    leaves = np.stack([here, there], axis=2)
    reaches = leaves[:, :, ::-1]
    who = np.broadcast_to(np.stack([caller, callee], axis=1)[:, None, :], leaves.shape)
    paid = (leaves >= 0) & (reaches >= 0) & (leaves != reaches) & (gb_each != 0)
    term, usd_per_gb = _prices(world)
    at = leaves[paid], reaches[paid]
    return term[at], who[paid], leaves[paid], gb_each[paid] * usd_per_gb[at]


def _prices(world: World) -> tuple[Ints, Floats]:
    """From region to region: the term (of ``EGRESS_TERMS``), and USD per GB."""
    price = [world.egress[region.place] for region in world.regions]
    cloud = np.array([region.cloud.value for region in world.regions])
    continent = np.array([region.continent for region in world.regions])
    inside = cloud[:, None] == cloud[None, :]
    near = continent[:, None] == continent[None, :]
    internet, same_cloud, same_continent = (
        np.array([getattr(p, f"{level}_usd_per_gb") for p in price])[:, None]
        for level in ("internet", "same_cloud", "same_continent")
    )
    usd_per_gb = np.where(inside, np.where(near, same_continent, same_cloud), internet)
    return inside.astype(np.int64), usd_per_gb
