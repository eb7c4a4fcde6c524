"""A world, played: simulated clouds as providers."""

from __future__ import annotations

from models.offerings import Purchase
from models.places import Cloud
from models.rules import QuotaRule
from models.world import World
from providers.seam import Provider
from providers.simulated.cloud import Cap, SimulatedCloud, play
from providers.simulated.facts import (
    SimulatedDoctor,
    SimulatedInventory,
    SimulatedMetrics,
    SimulatedPriceList,
)
from providers.simulated.hands import SimulatedHands
from providers.simulated.machines import Machines
from providers.simulated.script import Script


def simulate(world: World, script: Script) -> dict[Cloud, SimulatedCloud]:
    """The clouds of a world, with its fleet in them, at the hour that the world starts."""
    caps = tuple(
        Cap(region.place, rule.vcpus_at_most, _purchase(rule), rule.families)
        for rule in world.rules
        if isinstance(rule, QuotaRule) and rule.vcpus_at_most is not None
        for region in world.regions
        if rule.where.holds(region)
    )
    return {
        cloud: play(
            cloud.value,
            world.fleet,
            world.book,
            world.regions,
            Machines(cloud.value, world.starts, script),
            caps,
        )
        for cloud in sorted({region.cloud for region in world.regions})
    }


def _purchase(rule: QuotaRule) -> Purchase | None:
    return None if rule.spot is None else Purchase.SPOT if rule.spot else Purchase.ON_DEMAND


def provider_of(cloud: SimulatedCloud, world: World) -> Provider:
    """The protocols of a simulated cloud that plays ``world``."""
    return Provider(
        cloud.name,
        SimulatedInventory(cloud),
        SimulatedPriceList(cloud),
        SimulatedMetrics(cloud, world.history.frame),
        SimulatedHands(cloud),
        SimulatedDoctor(cloud),
    )
