"""What commitments cover, and what a dollar of it takes of their level."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from covering import level_taken, owned_at
from small_worlds import REGIONS, STARTS, book, random_asked, world

from models.commitments import (
    Commitment,
    Discount,
    ResourceCommitment,
    SpendCommitment,
    level_per_usd,
    owned_levels,
)
from models.places import Cloud, PlaceFilter
from models.services import Replica, Service
from optimizer.formulate.commitments import find_cover

EAST, EU, BELGIUM = "aws/east", "aws/eu", "gcp/eu"
OFFERS = book([
    (EAST, "m.2", "on_demand", 0.1, 2, 8),
    (EAST, "m.2", "spot", 0.03, 2, 8),
    (EAST, "m.4", "on_demand", 0.2, 4, 16),
    (EU, "c.4", "on_demand", 0.25, 4, 8),
    (BELGIUM, "m.4", "on_demand", 0.2, 4, 16),
    (BELGIUM, "r.4", "on_demand", 0.32, 4, 48),
])  # fmt: skip
NAMES = (OFFERS.offerings["region"] + " " + OFFERS.offerings["instance_type"]).tolist()


def spend(**terms: object) -> SpendCommitment:
    usual: dict[str, object] = {"discounts": (Discount(0.3),), "cloud": Cloud.AWS, "owned": 1.0}
    return SpendCommitment(name="s", term_years=1, **{**usual, **terms})  # type: ignore[arg-type]


def resource(**terms: object) -> ResourceCommitment:
    usual: dict[str, object] = {
        "cloud": Cloud.GCP,
        "where": PlaceFilter(places=frozenset({BELGIUM})),
        "families": ("m", "r"),
        "usd_per_vcpu_hour": 0.03,
        "owned": 4.0,
    }
    return ResourceCommitment(name="r", term_years=3, **{**usual, **terms})  # type: ignore[arg-type]


def rates(commitment: Commitment) -> dict[str, float]:
    """By offering, where it is covered."""
    (found,) = level_per_usd([commitment], OFFERS.offerings, list(REGIONS.values()))
    return {name: rate for name, rate in zip(NAMES, found.tolist(), strict=True) if rate < np.inf}


def test_spend_is_counted_at_discounted_rates_and_spot_not_at_all() -> None:
    assert rates(spend()) == pytest.approx({"east m.2": 0.7, "east m.4": 0.7, "eu c.4": 0.7})


def test_the_first_row_of_a_discount_table_that_fits_holds() -> None:
    east = PlaceFilter(places=frozenset({EAST}))
    table = (Discount(0.5, east, ("m",)), Discount(0.2, east), Discount(0.9, families=("m",)))
    assert rates(spend(discounts=table)) == pytest.approx({"east m.2": 0.5, "east m.4": 0.5})


def test_scope_narrows_the_table() -> None:
    assert rates(spend(families=("c",), discounts=(Discount(0.1),))) == pytest.approx(
        {"eu c.4": 0.9}
    )


def test_resources_are_counted_in_vcpus_of_any_size() -> None:
    east = PlaceFilter(places=frozenset({EAST}))
    found = rates(resource(cloud=Cloud.AWS, where=east))
    assert found == pytest.approx({"east m.2": 20.0, "east m.4": 20.0})


def test_memory_that_is_not_committed_takes_more_vcpus() -> None:
    """4 vCPUs of r have 48 GiB: as much as 12 vCPUs with 4 GiB each."""
    found = rates(resource(memory_gib_per_vcpu=4.0))
    assert found == pytest.approx({"eu m.4": 4 / 0.2, "eu r.4": 12 / 0.32})


def test_google_sells_gpus_apart_and_size_of_burstable_types_is_not_in_vcpus() -> None:
    offers = OFFERS.offerings
    for change in ({"gpus": 1.0}, {"burstable": True}):
        (found,) = level_per_usd([resource()], offers.assign(**change), list(REGIONS.values()))
        assert not np.isfinite(found).any()


@pytest.mark.parametrize("seed", range(40))
def test_classes_hold_the_rates_that_a_naive_reading_gives(seed: int) -> None:
    of = random_asked(seed).world
    cover = find_cover(of)
    regions = {region.place: region for region in of.regions}
    for row, (_, offer) in enumerate(of.book.offerings.iterrows()):
        region = regions[f"{offer['cloud']}/{offer['region']}"]
        expected = [level_taken(deal, offer, region) for deal in of.commitments]
        e = cover.commitment_class[row]
        if e < 0:
            assert all(rate is None for rate in expected)
            continue
        found = [None if np.isinf(rate) else rate for rate in cover.level_per_usd[:, e]]
        assert found == [None if r is None else pytest.approx(r, rel=1e-6) for r in expected]


def test_there_are_few_classes() -> None:
    """One for what a plan covers, however many offerings; more where rates differ."""
    service = Service("web", Replica(1, 2, 100))
    of = world([service], OFFERS, places=[EAST, EU, BELGIUM], commitments=[spend()])
    assert find_cover(of).level_per_usd.shape == (1, 1)
    both = replace(of, commitments=(spend(), resource(memory_gib_per_vcpu=4.0)))
    assert find_cover(both).level_per_usd.shape == (2, 3)


def test_without_commitments_there_is_nothing() -> None:
    of = world([Service("web", Replica(1, 2, 100))], OFFERS, places=[EAST, EU, BELGIUM])
    cover = find_cover(of)
    assert len(cover) == 0
    assert (cover.commitment_class == -1).all()


@pytest.mark.parametrize(
    ("starts", "expires", "hours"),
    [
        (STARTS, None, 30),
        (STARTS, date(2026, 3, 3), 24),
        (datetime(2026, 3, 2, 22, 30, tzinfo=UTC), date(2026, 3, 3), 1),
        (STARTS, date(2026, 3, 2), 0),
        (STARTS, date(2026, 2, 1), 0),
    ],
)
def test_what_is_owned_ends_with_whole_hours(
    starts: datetime, expires: date | None, hours: int
) -> None:
    levels = owned_levels([spend(owned=2.5, expires=expires)], starts, 30)
    assert levels.tolist() == [[2.5] * hours + [0.0] * (30 - hours)]
    if starts.minute == 0:
        of = replace(random_asked(0).world, starts=starts)
        deal = spend(owned=2.5, expires=expires)
        assert levels.tolist() == [[owned_at(deal, of, t) for t in range(30)]]
