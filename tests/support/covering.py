"""What commitments cover, told one instance type at a time, without classes.

Nothing here comes from the product but its nouns.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from models.commitments import Commitment, CommitmentUse, SpendCommitment
from models.offerings import Purchase
from models.placement import Placement, Term
from models.places import Cloud, PlaceFilter, Region
from models.world import World

SLACK = 1e-5
Instances = tuple[pd.Series, Region, int]
"""An offering, where it is, and how many of it run."""


def level_taken(commitment: Commitment, offer: pd.Series, region: Region) -> float | None:
    """What a dollar of an offer at list price takes of a commitment; None: not covered."""
    if offer["purchase"] != Purchase.ON_DEMAND or region.cloud is not commitment.cloud:
        return None
    scopes = [(commitment.where, commitment.families)]
    if isinstance(commitment, SpendCommitment):
        held = [d for d in commitment.discounts if in_scope(d.where, d.families, offer, region)]
        if not held or not in_scope(*scopes[0], offer, region):
            return None
        return 1 - held[0].share
    if not in_scope(*scopes[0], offer, region) or offer["burstable"]:
        return None
    if region.cloud is Cloud.GCP and offer["gpus"] > 0:
        return None
    vcpus = float(offer["vcpus"])
    if commitment.memory_gib_per_vcpu is not None:
        vcpus = max(vcpus, float(offer["memory_gib"]) / commitment.memory_gib_per_vcpu)
    return vcpus / float(offer["price_usd_per_hour"])


def in_scope(
    where: PlaceFilter, families: tuple[str, ...], offer: pd.Series, region: Region
) -> bool:
    return where.holds(region) and (not families or offer["family"] in families)


def owned_at(commitment: Commitment, world: World, t: int) -> float:
    ends = commitment.expires
    over = ends is not None and (world.starts + timedelta(hours=t)).date() >= ends
    return 0.0 if over else commitment.owned


def wrongly_covered(
    world: World, placement: Placement, instances: Callable[[int], list[Instances]]
) -> list[str]:
    """What is wrong with the use of commitments and the bill of them; empty when nothing is."""
    uses, hours = placement.commitments, range(placement.hours)
    if [use.commitment for use in uses] != list(world.commitments):
        return ["not every commitment is accounted for"]
    faults = []
    for use in uses:
        deal = use.commitment
        if not 0 <= use.bought <= deal.at_most + SLACK:
            faults.append(f"{deal.name}: {use.bought} bought")
        level = sum(use.bought + owned_at(deal, world, t) for t in hours)
        lines = [line for line in placement.bill.lines if line.commitment == deal.name]
        paid = sum(float(line.usd) for line in lines if line.term is Term.COMMITMENTS)
        off = sum(float(line.usd) for line in lines if line.term is Term.COVERED)
        if abs(paid - level * deal.usd_per_level_hour) > 1e-3:
            faults.append(f"{deal.name} costs {paid}")
        if abs(off + use.covered_usd.sum()) > 1e-3:
            faults.append(f"{deal.name} covers {off}")
    for t in hours:
        faults += _not_coverable(uses, world, instances(t), t)
    return faults


def _not_coverable(
    uses: tuple[CommitmentUse, ...], world: World, instances: list[Instances], t: int
) -> list[str]:
    """Some way of covering this hour's instances one by one must give what is said of them."""
    said = [float(use.covered_usd[t]) for use in uses]
    pairs = [
        (k, i, rate)
        for k, use in enumerate(uses)
        for i, (offer, region, _) in enumerate(instances)
        if (rate := level_taken(use.commitment, offer, region)) is not None
    ]
    if not pairs:
        return [f"{said} covered at {t} where nothing can be"] if sum(said) > 0 else []
    at_list = [count * float(offer["price_usd_per_hour"]) for offer, _, count in instances]
    levels = [use.bought + owned_at(use.commitment, world, t) for use in uses]
    taken = [[rate * (k == j) for k, _, rate in pairs] for j in range(len(uses))]
    parts = [[float(i == j) for _, i, _ in pairs] for j in range(len(instances))]
    whole = [[-float(k == j) for k, _, _ in pairs] for j in range(len(uses))]
    limits = np.array([*levels, *at_list, *(-usd for usd in said)]) + SLACK
    found = linprog(np.zeros(len(pairs)), A_ub=np.array([*taken, *parts, *whole]), b_ub=limits)
    return [] if found.success else [f"commitments cannot cover {said} at {t}"]
