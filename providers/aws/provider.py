"""AWS as a provider."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from providers.aws.clients import CLOUD, HOME_REGION, HOMES, Account, Clients, Manners
from providers.aws.doctor import AwsDoctor
from providers.aws.hands import AwsHands
from providers.aws.inventory import AwsInventory
from providers.aws.metrics import AwsMetrics
from providers.aws.price_files import PriceFiles
from providers.aws.prices import AwsPriceList
from providers.aws.regions import Regions
from providers.seam import Provider
from scenarios.collect_entries import AwsEntry

CALM = Manners()


def provider(entry: AwsEntry, folder: Path, manners: Manners = CALM) -> Provider:
    """AWS as ``entry`` says; nothing is asked of it yet. ``folder`` is not needed."""
    del folder
    endpoint = None if entry.endpoint is None else str(entry.endpoint)
    wanted = None if entry.regions == "all" else tuple(str(name) for name in entry.regions)
    homes = tuple(dict.fromkeys((HOME_REGION, *(wanted or ())[:2], *HOMES)))
    clients: Clients = OrderedDict()
    accounts = tuple(Account(one, endpoint, manners, homes, clients) for one in entry.accounts)
    regions = Regions(accounts, wanted)
    address = entry.prices_endpoint or entry.endpoint
    files = PriceFiles(manners, str(address)) if address else PriceFiles(manners)
    return Provider(
        CLOUD,
        AwsInventory(regions, entry.cost_explorer),
        AwsPriceList(regions, files, entry.public_prices),
        AwsMetrics(regions),
        AwsHands(regions),
        AwsDoctor(
            regions, files=files if entry.public_prices else None, ask_use=entry.cost_explorer
        ),
    )
