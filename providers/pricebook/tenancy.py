"""Finds prices of dedicated tenancy among AWS prices that should be of shared tenancy.

About a fifth of the source's Linux prices are those of dedicated instances: 6 or 10 % above the
shared price, never marked. Two independent facts of the same file give them away.

1. *Operating systems.* A Red Hat price is the shared Linux price plus a licence fee that depends
   only on the number of vCPUs, in every region. Most rows are clean, so the most frequent
   difference is the fee; Red Hat price less fee is a second opinion on the Linux price. It may be
   of dedicated tenancy too, but then it is too high, which does no harm: the lowest opinion counts.
2. *Families.* Within a family and region prices are proportional to size, and where a family
   strays from the line (GPUs, say) it does so in every region. So log price = type + region; the
   two sets of effects are fitted by medians (Tukey's median polish), which one price in five
   cannot sway. Types start on the line of their vCPUs and leave it only when three regions agree.

A price is dedicated when it stands by one of the two premiums above what (1) says, or above what
(2) says with two other sizes of the family in support. The corrected price is the family's where
both agree, else that of (1). A Linux price above the Red Hat price of the same machine is no
shared Linux price either; when nothing says what it should be, it is rejected.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PREMIUMS: Final = ((1.05, 1.075), (1.09, 1.112))
"""Dedicated over shared price: 6 % in older families, rounded generously; 10 % in newer ones."""

_ROUNDING_USD: Final = 0.0005  # old prices have three decimals
_CHEAP_USD: Final = 0.1
_ROUNDING_ALONE: Final = 1.03  # below it a cheap price differs by rounding alone
_HIGHEST_PREMIUM: Final = 1.14
_LICENCE_ALONE: Final = 0.5  # some Red Hat prices lack the machine's part
_ON_THE_LINE: Final = 0.003
_SAME: Final = 0.008
_REGIONS_TO_LEARN: Final = 3
_SUPPORT: Final = 2
_FEE_SHARE: Final = 0.3
_ROUNDS: Final = 4


class Verdict(IntEnum):
    """What a price turned out to be."""

    SHARED = 0
    CORRECTED = 1
    REJECTED = 2


def shared_prices(
    prices: pd.DataFrame, with_licence: dict[str, Floats]
) -> tuple[Floats, NDArray[np.int64]]:
    """Shared-tenancy prices and a ``Verdict`` for every row.

    ``prices`` has one row per instance type and region with the columns ``family``,
    ``instance_type``, ``region``, ``vcpus`` and ``price_usd_per_hour``; ``with_licence`` holds, by
    operating system, prices of the same rows including its licence. Zero means missing, stays zero
    and is never judged. A rejected row keeps its price.
    """
    price = _positive(prices["price_usd_per_hour"].to_numpy(np.float64))
    vcpus = prices["vcpus"].to_numpy(np.float64)
    licensed = [_positive(values) for values in with_licence.values()]
    opinions = [values - _licence_fee(values - price, vcpus) for values in licensed]
    opinion = _lowest(
        [np.where(seen > price / _HIGHEST_PREMIUM, seen, np.nan) for seen in opinions], price
    )
    fitted, supported = _family_fit(prices, np.fmin(price, opinion))

    by_opinion = _is_dedicated(price, opinion)
    by_family = supported & _is_dedicated(price, fitted)
    agreeing = supported & (np.abs(fitted / opinion - 1) < _SAME)
    shared = np.where(by_opinion & ~agreeing, opinion, fitted)
    whole = [
        np.where(seen > price * _LICENCE_ALONE, values, np.nan)
        for seen, values in zip(opinions, licensed, strict=True)
    ]
    verdict = np.where(
        by_opinion | by_family,
        Verdict.CORRECTED,
        np.where(_lowest(whole, price) < price, Verdict.REJECTED, Verdict.SHARED),
    )
    corrected = np.where(verdict == Verdict.CORRECTED, np.round(shared, 4), price)
    return np.nan_to_num(corrected), verdict.astype(np.int64)


def _positive(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)


def _lowest(candidates: list[Floats], like: Floats) -> Floats:
    """Element by element; NaN where there is none."""
    lowest = np.full_like(like, np.nan)
    for values in candidates:
        lowest = np.fmin(lowest, values)
    return lowest


def _licence_fee(differences: Floats, vcpus: Floats) -> Floats:
    """The most frequent difference per number of vCPUs; NaN where it is not frequent enough."""
    seen = pd.DataFrame({"vcpus": vcpus, "fee": np.round(differences, 3)}).dropna()
    counts = seen.value_counts().reset_index(name="rows")  # the most frequent first
    share = counts["rows"] / counts.groupby("vcpus")["rows"].transform("sum")
    frequent = counts[(share >= _FEE_SHARE) & (counts["rows"] >= _REGIONS_TO_LEARN)]
    fees = frequent.drop_duplicates("vcpus").set_index("vcpus")["fee"]
    rounded = pd.Series(vcpus).map(fees).to_numpy(np.float64)
    near = np.abs(differences - rounded) < 0.0015  # of these the median has all four decimals
    exact = pd.Series(differences[near]).groupby(vcpus[near]).median()
    return pd.Series(vcpus).map(exact).to_numpy(np.float64)


def _family_fit(prices: pd.DataFrame, price: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """The price that each row's family expects, and whether that expectation is well founded."""
    frame = pd.DataFrame(
        {
            "type": pd.factorize(prices["instance_type"])[0],
            "family": pd.factorize(prices["family"])[0],
            "market": pd.factorize(prices["family"] + " " + prices["region"])[0],
            "price": np.log(price),
        }
    )
    line = np.log(prices["vcpus"].to_numpy(np.float64))
    learnable = frame.groupby("type")["price"].transform("count").to_numpy() >= _REGIONS_TO_LEARN
    off_line = np.zeros(len(frame))
    for _ in range(_ROUNDS):
        residual = frame["price"] - line - off_line
        level = residual.groupby(frame["market"]).transform("median").to_numpy()
        step = (residual - level).groupby(frame["type"]).transform("median").to_numpy()
        off_line = np.where(learnable, off_line + np.nan_to_num(step), 0.0)
        off_line[np.abs(off_line) < _ON_THE_LINE] = 0.0
    residual = frame["price"] - line - off_line
    level = residual.groupby(frame["market"]).transform("median").to_numpy()
    fits = pd.Series(np.abs(residual - level) < _SAME)
    fitting = fits.groupby(frame["market"]).transform("sum").to_numpy()
    present = frame.groupby("market")["price"].transform("count").to_numpy()
    is_linear = pd.Series(off_line == 0).groupby(frame["family"]).transform("mean").to_numpy() > 0.5
    supported = (
        (fitting - fits.to_numpy() >= _SUPPORT) & (2 * fitting >= present) & (learnable | is_linear)
    )
    return np.exp(level + line + off_line), supported


def _is_dedicated(price: Floats, shared: Floats) -> NDArray[np.bool_]:
    """Whether ``price`` is one of the premiums above ``shared``, give or take rounding."""
    ratio = price / shared
    slack = np.where(shared < _CHEAP_USD, _ROUNDING_USD / shared, 0.0)
    within = [(ratio >= low - slack) & (ratio <= high + slack) for low, high in PREMIUMS]
    dedicated: NDArray[np.bool_] = (within[0] | within[1]) & (ratio > _ROUNDING_ALONE)
    return dedicated
