"""The bundled shop, played."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from models.world import World
from optimizer.gather import gather
from providers.seam import Provider
from providers.simulated.cloud import SimulatedCloud
from providers.simulated.provider import provider_of, simulate
from providers.simulated.script import Event, Script

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def shop() -> World:
    world, _ = gather(ROOT / "scenarios" / "shop")
    return world


Played = tuple[list[SimulatedCloud], list[Provider]]


@pytest.fixture
def played(shop: World) -> Callable[..., Played]:
    """Simulated clouds with some events, and their providers."""

    def make(*events: Event, seed: int = 1) -> Played:
        clouds = list(simulate(shop, Script(seed, events=events)).values())
        return clouds, [provider_of(cloud, shop) for cloud in clouds]

    return make
