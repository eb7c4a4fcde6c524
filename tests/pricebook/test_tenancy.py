"""The detector of dedicated-tenancy prices, on families made for it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from providers.pricebook.tenancy import Verdict, shared_prices

SIZES = {"large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32, "16xlarge": 64}
LEVELS = {"us": 0.05, "eu": 0.0565, "ap": 0.0613, "sa": 0.0782}


def market(factors: dict[str, float] | None = None) -> pd.DataFrame:
    """One family in four regions; ``factors`` bend the line for some sizes in every region."""
    bent = factors or {}
    rows = [
        ("x9", f"x9.{size}", region, vcpus, round(vcpus * level * bent.get(size, 1.0), 4))
        for size, vcpus in SIZES.items()
        for region, level in LEVELS.items()
    ]
    return pd.DataFrame(
        rows, columns=["family", "instance_type", "region", "vcpus", "price_usd_per_hour"]
    )


def judged(
    prices: pd.DataFrame, licensed: dict[str, NDArray[np.float64]] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return shared_prices(prices, licensed or {})


def test_a_clean_family_is_left_alone() -> None:
    prices = market()
    shared, verdict = judged(prices)
    assert (verdict == Verdict.SHARED).all()
    np.testing.assert_array_equal(shared, prices["price_usd_per_hour"])


@pytest.mark.parametrize("premium", [1.06, 1.10])
@given(st.dictionaries(st.sampled_from(list(LEVELS)), st.sampled_from(list(SIZES)), min_size=1))
@settings(max_examples=25, deadline=None)
def test_planted_premiums_are_found_and_taken_off(premium: float, planted: dict[str, str]) -> None:
    clean = market()
    hit = np.array(
        [
            planted.get(region) == name.partition(".")[2]
            for region, name in zip(clean["region"], clean["instance_type"], strict=True)
        ]
    )
    # A size that stands out in half of all regions may be what the family costs.
    assume(pd.Series(hit).groupby(clean["instance_type"]).sum().max() == 1)
    prices = clean.assign(
        price_usd_per_hour=clean["price_usd_per_hour"].where(
            ~hit, clean["price_usd_per_hour"] * premium
        )
    )
    shared, verdict = judged(prices)
    np.testing.assert_array_equal(verdict == Verdict.CORRECTED, hit)
    np.testing.assert_allclose(shared, clean["price_usd_per_hour"], rtol=1e-3)


@pytest.mark.parametrize("bend", [1.06, 1.10, 1.37, 0.8])
def test_a_size_off_the_line_in_every_region_is_what_it_costs(bend: float) -> None:
    prices = market({"4xlarge": bend})
    shared, verdict = judged(prices)
    assert (verdict == Verdict.SHARED).all()
    np.testing.assert_array_equal(shared, prices["price_usd_per_hour"])


def test_a_nonlinear_family_is_left_alone_and_still_judged() -> None:
    bends = {size: 1.0 + 0.13 * k for k, size in enumerate(SIZES)}
    clean = market(bends)
    assert (judged(clean)[1] == Verdict.SHARED).all()
    dear = clean["price_usd_per_hour"].to_numpy().copy()
    dear[9] *= 1.10
    shared, verdict = judged(clean.assign(price_usd_per_hour=dear))
    assert list(np.flatnonzero(verdict)) == [9]
    assert shared[9] == pytest.approx(clean["price_usd_per_hour"][9], rel=5e-3)


def test_a_lone_price_is_judged_by_its_licensed_twin() -> None:
    """With one size per region only the Red Hat price can tell, and it does."""
    clean = market()
    lone = clean[clean["instance_type"] == "x9.xlarge"].reset_index(drop=True)
    red_hat = (lone["price_usd_per_hour"] + 0.0576).to_numpy()
    dear = lone.assign(price_usd_per_hour=lone["price_usd_per_hour"] * [1.06, 1, 1, 1])
    shared, verdict = judged(dear, {"rhel": red_hat})
    assert list(verdict) == [Verdict.CORRECTED, Verdict.SHARED, Verdict.SHARED, Verdict.SHARED]
    np.testing.assert_allclose(shared, lone["price_usd_per_hour"], atol=1e-4)
    assert (judged(dear)[1] == Verdict.SHARED).all()  # nothing to go by


def test_a_price_above_its_licensed_twin_is_rejected() -> None:
    clean = market()
    lone = clean[clean["instance_type"] == "x9.xlarge"].reset_index(drop=True)
    red_hat = (lone["price_usd_per_hour"] + 0.0576).to_numpy()
    dear = lone.assign(price_usd_per_hour=lone["price_usd_per_hour"] * [1.6, 1, 1, 1])
    _, verdict = judged(dear, {"rhel": red_hat})
    assert list(verdict) == [Verdict.REJECTED, Verdict.SHARED, Verdict.SHARED, Verdict.SHARED]


def test_missing_prices_stay_missing() -> None:
    prices = market()
    prices.loc[3:7, "price_usd_per_hour"] = 0.0
    shared, verdict = judged(prices)
    assert (shared[3:8] == 0).all()
    assert (verdict == Verdict.SHARED).all()
