"""What counts in the decision beside the bill: emissions, and demand that goes unmet."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import assert_never

import numpy as np

from models.carbon import KG_PER_TONNE, emitted_kg_per_hour
from models.egress import SECONDS_PER_HOUR
from models.placement import CENT_OF_A_CENT, ShadowLine, ShadowTerm
from optimizer.verify.case import Case, Floats
from optimizer.verify.givens import unmet_terms

REQUESTS_PER_PRICE = 1e6


def shadow_lines(case: Case, weights: Floats) -> Iterator[ShadowLine]:
    """Every line, per service and place, rounded like data transfer. ``weights`` [scenario]."""
    for term in ShadowTerm:
        quantity, usd = _amounts(term, case, weights)
        for s, r in zip(*np.nonzero(quantity), strict=True):
            region, name = case.world.regions[r], case.world.services[s].name
            exact = [
                Decimal(repr(float(amount[s, r]))).quantize(CENT_OF_A_CENT)
                for amount in (quantity, usd)
            ]
            if any(exact):
                yield ShadowLine(term, region.cloud.value, region.place, name, *exact)


def _amounts(term: ShadowTerm, case: Case, weights: Floats) -> tuple[Floats, Floats]:
    """Quantity and USD over the horizon, [service, region]."""
    match term:
        case ShadowTerm.CARBON:
            return _carbon(case)
        case ShadowTerm.UNMET_DEMAND:
            return _unmet(case, weights)
        case ShadowTerm.MINIMUM_SAVING:  # of no place: see ``optimizer.verify.changes``
            none = np.zeros((len(case.services), len(case.places)))
            return none, none
        case _:
            assert_never(term)


def _carbon(case: Case) -> tuple[Floats, Floats]:
    """Kilograms of CO2e; they are only told where they have a price."""
    kg = np.zeros((len(case.services), len(case.places)))
    usd_per_kg = case.world.policy.carbon_usd_per_tonne / KG_PER_TONNE
    if usd_per_kg > 0:
        offered = case.world.book.offerings.iloc[case.groups.offering]
        regions = {region.place: region for region in case.world.regions}
        emitted = emitted_kg_per_hour(offered, regions) * case.groups.count.sum(axis=1)
        np.add.at(kg, (case.groups.service, case.groups.region), emitted)
    return kg, kg * usd_per_kg


def _unmet(case: Case, weights: Floats) -> tuple[Floats, Floats]:
    """Requests that places are asked beyond their capacity, as expected under ``weights``."""
    requests = np.zeros((len(case.services), len(case.places)))
    price = np.zeros(len(case.services))
    for s, service in enumerate(case.world.services):
        at_most, price[s] = unmet_terms(case.world, service)
        if at_most > 0:
            rps = np.einsum("w,wrt->r", weights, case.unserved(s))
            requests[s] = rps * SECONDS_PER_HOUR
    return requests, requests / REQUESTS_PER_PRICE * price[:, None]
