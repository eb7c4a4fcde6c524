"""Discount contracts: committed spend and committed resources, owned and on offer.

A commitment pays for usage on demand, whose price in the book is its *list price*. Its **level**
is what is committed to in every hour: USD at discounted rates where spend is committed (AWS
savings plans, Azure savings plans for compute, Google Cloud flexible committed use discounts),
vCPUs where resources are (AWS reserved instances, Azure reservations, Google Cloud committed use
discounts). The level is paid for whether used or not, and what is not used in an hour is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import NOWHERE, Location
from models.offerings import Purchase
from models.places import CLOUD_NAMES, Cloud, PlaceFilter, Region

HOURS_PER_WEEK: Final = 168
MONTHS_PER_YEAR: Final = 12


class CommitmentKind(StrEnum):
    """What is committed to."""

    SPEND = "spend"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True)
class Discount:
    """``share`` of the list price is saved on ``families`` (empty: all) in ``where``."""

    share: float
    where: PlaceFilter = field(default_factory=PlaceFilter)
    families: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contract:
    """``owned`` is a level that was bought before, ``at_most`` one that may be bought beside it.

    It covers instances of ``families`` (empty: all) of ``cloud`` in ``where``. What is owned ends
    with the start of the day ``expires`` (UTC; None: not in sight).
    """

    name: str
    cloud: Cloud
    term_years: int
    where: PlaceFilter = field(default_factory=PlaceFilter)
    families: tuple[str, ...] = ()
    owned: float = 0.0
    at_most: float = 0.0
    expires: date | None = None
    at: Location = NOWHERE
    why: str = ""

    @property
    def ends(self) -> datetime | None:
        """When what is owned ends."""
        return None if self.expires is None else datetime.combine(self.expires, time(), UTC)

    @property
    def scope_in_words(self) -> str:
        what = ", ".join(self.families) or "any family"
        where = self.where.in_words
        return f"{what} in {CLOUD_NAMES[self.cloud] if where == 'anywhere' else where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendCommitment(_Contract):
    """So many USD per hour at discounted rates; the first of ``discounts`` that matches holds."""

    discounts: tuple[Discount, ...]

    @property
    def kind(self) -> CommitmentKind:
        return CommitmentKind.SPEND

    @property
    def unit(self) -> str:
        return "USD/h"

    @property
    def usd_per_level_hour(self) -> float:
        return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceCommitment(_Contract):
    """So many vCPUs, of any size of the families.

    With ``memory_gib_per_vcpu``, memory is committed too, so much with each vCPU; an instance
    with more memory than that takes as many vCPUs of the level as its memory asks for.
    """

    usd_per_vcpu_hour: float
    memory_gib_per_vcpu: float | None = None

    @property
    def kind(self) -> CommitmentKind:
        return CommitmentKind.RESOURCE

    @property
    def unit(self) -> str:
        return "vCPUs"

    @property
    def usd_per_level_hour(self) -> float:
        return self.usd_per_vcpu_hour


Commitment = SpendCommitment | ResourceCommitment


def level_per_usd(
    commitments: Sequence[Commitment], offerings: pd.DataFrame, regions: Sequence[Region]
) -> NDArray[np.float64]:
    """The level that a dollar of each offering's list price takes, [commitment, offering].

    Spend at discount d: 1 - d. Resources: vCPUs over list price, and more where memory asks for
    more. Infinite where the commitment does not cover the offering: only usage on demand is
    covered, and resources do not cover burstable types. ``offerings`` has the columns of a price
    book.
    """
    found = np.full((len(commitments), len(offerings)), np.inf)
    if not commitments:
        return found
    places = pd.Index([region.place for region in regions])
    place = offerings["cloud"].astype(str) + "/" + offerings["region"].astype(str)
    region_of = places.get_indexer(pd.Index(place))
    family = offerings["family"].astype(str).to_numpy()
    on_demand = offerings["purchase"].astype(str).to_numpy() == Purchase.ON_DEMAND.value

    def within(where: PlaceFilter, families: tuple[str, ...]) -> NDArray[np.bool_]:
        held = np.array([*(where.holds(region) for region in regions), False], np.bool_)
        inside: NDArray[np.bool_] = on_demand & held[region_of]
        return inside & np.isin(family, families) if families else inside

    clouds = {cloud: within(PlaceFilter(clouds=frozenset({cloud})), ()) for cloud in Cloud}
    # vCPUs say nothing about the size of burstable types; Google Cloud sells GPUs apart from them.
    whole = ~offerings["burstable"].to_numpy(np.bool_)
    no_gpus = whole & (offerings["gpus"].to_numpy(np.float64) == 0)
    measured = {cloud: no_gpus if cloud is Cloud.GCP else whole for cloud in Cloud}
    for k, commitment in enumerate(commitments):
        inside = clouds[commitment.cloud] & within(commitment.where, commitment.families)
        match commitment:
            case SpendCommitment():
                for discount in reversed(commitment.discounts):
                    chosen = inside & within(discount.where, discount.families)
                    found[k, chosen] = 1.0 - discount.share
            case ResourceCommitment():
                inside = inside & measured[commitment.cloud]
                chosen_rows = offerings[inside]
                vcpus = chosen_rows["vcpus"].to_numpy(np.float64)
                if commitment.memory_gib_per_vcpu is not None:
                    memory = chosen_rows["memory_gib"].to_numpy(np.float64)
                    vcpus = np.maximum(vcpus, memory / commitment.memory_gib_per_vcpu)
                price = chosen_rows["price_usd_per_hour"].to_numpy(np.float64)
                found[k, inside] = vcpus / price
    return found


@dataclass(frozen=True, eq=False)
class CommitmentUse:
    """What a commitment does, hour by hour.

    Arrays have shape [period]. ``bought`` is the level that the plan buys. ``owned`` is the owned
    level in force, ``used`` the part of the whole level that is used; ``covered_usd`` is the list
    price of the usage that it pays for, ``coverable_usd`` of all usage that it could pay for.
    """

    commitment: Commitment
    bought: float
    owned: NDArray[np.float64]
    used: NDArray[np.float64]
    covered_usd: NDArray[np.float64]
    coverable_usd: NDArray[np.float64]

    @property
    def level(self) -> NDArray[np.float64]:
        return self.owned + self.bought

    @property
    def cost_usd(self) -> float:
        """Over the horizon, used or not."""
        return float(self.level.sum() * self.commitment.usd_per_level_hour)

    @property
    def saving_usd(self) -> float:
        """Over the horizon, against the same usage at list price; negative when it does not pay."""
        return float(self.covered_usd.sum()) - self.cost_usd

    @property
    def utilisation(self) -> float:
        """Share of the level that is used; NaN where there is none."""
        return _share(self.used, self.level)

    @property
    def bought_utilisation(self) -> float:
        """The same of what is bought: what is owned is used first."""
        return _share(self._used_of_bought, np.full_like(self.used, self.bought))

    @property
    def coverage(self) -> float:
        """Share of the usage that it could pay for that it does pay for."""
        return _share(self.covered_usd, self.coverable_usd)

    @property
    def break_even_utilisation(self) -> float:
        """The utilisation below which list price is cheaper, for the mix of usage covered."""
        at_list = float(self.covered_usd.sum())
        used = float(self.used.sum())
        return used * self.commitment.usd_per_level_hour / at_list if at_list else float("nan")

    @property
    def pays_back_after_months(self) -> float:
        """Months of such usage after which what is bought has paid for its whole term.

        Infinite when it never does; NaN when nothing is bought.
        """
        if self.bought <= 0:
            return float("nan")
        months = MONTHS_PER_YEAR * self.commitment.term_years
        cost = self.bought * self.commitment.usd_per_level_hour * len(self.used)
        per_level = np.divide(
            self.covered_usd, self.used, out=np.zeros_like(self.used), where=self.used > 0
        )
        worth = float((per_level * self._used_of_bought).sum())
        return months * cost / worth if worth > 0 else float("inf")

    @property
    def _used_of_bought(self) -> NDArray[np.float64]:
        return np.maximum(self.used - self.owned, 0.0)


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> float:
    total = float(whole.sum())
    return float(part.sum()) / total if total > 0 else float("nan")


def owned_levels(
    commitments: Sequence[Commitment], starts: datetime, periods: int
) -> NDArray[np.float64]:
    """The owned level in force in every hour, [commitment, period]."""
    levels = np.zeros((len(commitments), periods))
    for k, commitment in enumerate(commitments):
        left = float(periods)
        if commitment.ends is not None:
            left = np.floor((commitment.ends - starts).total_seconds() / 3600.0)
        levels[k] = np.where(np.arange(periods) < left, commitment.owned, 0.0)
    return levels
