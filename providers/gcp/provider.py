"""Google Cloud as a provider."""

from __future__ import annotations

from pathlib import Path

from google.auth.credentials import Credentials

from providers.gcp.clients import CLOUD, Clients, Patience
from providers.gcp.doctor import GcpDoctor
from providers.gcp.hands import GcpHands
from providers.gcp.inventory import PAGE_ROWS, GcpInventory
from providers.gcp.metrics import GcpMetrics
from providers.gcp.prices import GcpPriceList
from providers.gcp.rates import Catalog
from providers.gcp.regions import Regions
from providers.seam import Provider
from scenarios.collect_entries import GcpEntry


def provider(
    entry: GcpEntry,
    folder: Path,
    *,
    credentials: Credentials | None = None,
    monitoring_endpoint: str = "",
    patience: Patience | None = None,
    page_rows: int = PAGE_ROWS,
) -> Provider:
    """The projects of ``entry``. Nothing is asked before the first call.

    ``folder``: where the collection file lies; nothing of Google's stands in files beside it.
    ``credentials`` None: application default credentials. ``monitoring_endpoint`` empty: where
    ``entry`` says, ``http://`` for a channel without encryption and credentials.
    """
    clients = Clients(
        entry.endpoint or "", monitoring_endpoint, patience or Patience(), credentials
    )
    regions = None if entry.regions == "all" else tuple(sorted(entry.regions))
    looked = Regions(clients, tuple(entry.projects), regions, page_rows)
    inventory = GcpInventory(clients, looked, Catalog(clients), page_rows)
    metrics = GcpMetrics(clients)
    return Provider(
        CLOUD, inventory, GcpPriceList(inventory), metrics, GcpHands(clients),
        GcpDoctor(clients, inventory, metrics),
    )  # fmt: skip
