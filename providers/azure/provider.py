"""Azure, by its parts: ``provider`` puts them together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from providers.azure.clients import Access, Clients
from providers.azure.commitments import Reservations
from providers.azure.doctor import AzureDoctor
from providers.azure.errors import CLOUD
from providers.azure.groups import GroupHands
from providers.azure.hands import AzureHands
from providers.azure.inventory import AzureInventory
from providers.azure.machines import States
from providers.azure.members import MemberHands
from providers.azure.metrics import AzureMetrics
from providers.azure.prices import AzurePriceList
from providers.azure.regions import Regions
from providers.azure.savings_plans import SavingsPlans
from providers.azure.sets import ScaleSets
from providers.azure.sizes import Sizes
from providers.seam import Provider
from scenarios.collect_entries import AzureEntry


def _now() -> datetime:
    return datetime.now(UTC)


def provider(
    entry: AzureEntry,
    folder: Path,
    access: Access = Access(),  # noqa: B008  immutable
    clock: Callable[[], datetime] = _now,
) -> Provider:
    """Azure as ``entry`` names it; its files are relative to ``folder``. Asks nothing yet."""
    clients = Clients(entry, folder, access)
    sizes = Sizes(clients)
    regions = Regions(clients)
    price_list = AzurePriceList(clients, regions, clock)
    inventory = AzureInventory(
        clients,
        regions,
        sizes,
        States(clients),
        Reservations(clients, sizes, price_list),
        SavingsPlans(clients),
    )
    sets = ScaleSets(clients, sizes)
    return Provider(
        CLOUD, inventory, price_list, AzureMetrics(clients),
        AzureHands(GroupHands(sets), MemberHands(sets)),
        AzureDoctor(clients, inventory, price_list),
    )  # fmt: skip
