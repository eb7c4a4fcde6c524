"""Regions and the embedded book, loaded once for this folder."""

from __future__ import annotations

import pytest

from models.offerings import PriceBook
from models.places import Region
from providers.geography.regions import load_regions
from providers.pricebook.embedded import load_embedded_book


@pytest.fixture(scope="session")
def regions() -> dict[str, Region]:
    return load_regions()


@pytest.fixture(scope="session")
def book(regions: dict[str, Region]) -> PriceBook:
    return load_embedded_book(regions)
