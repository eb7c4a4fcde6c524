"""What a fleet emits, and what that counts in the decision."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pandas as pd

from models.carbon import KG_PER_TONNE, emitted_kg_per_hour
from models.placement import CENT_OF_A_CENT, ShadowLine, ShadowTerm
from models.world import World
from optimizer.problem import Floats

_OFFERING = ["cloud", "region", "instance_type", "purchase"]


def carbon_lines(
    world: World, offerings: pd.DataFrame, services: Sequence[str], instance_hours: Floats
) -> tuple[ShadowLine, ...]:
    """One line per service and place; none when carbon has no price.

    Rows of ``offerings`` (of the world's price book), ``services`` and ``instance_hours`` belong
    together.
    """
    usd_per_kg = world.policy.carbon_usd_per_tonne / KG_PER_TONNE
    if usd_per_kg == 0 or not len(offerings):
        return ()
    regions = {region.place: region for region in world.regions}
    emitted = pd.DataFrame(
        {
            "service": np.asarray(services, dtype=object),
            "cloud": offerings["cloud"].astype(str).to_numpy(),
            "region": offerings["region"].astype(str).to_numpy(),
            "kg": emitted_kg_per_hour(offerings, regions) * instance_hours,
        }
    )
    keys = ["cloud", "region", "service"]
    by_place = emitted.groupby(keys, sort=True)["kg"].sum().reset_index()
    return tuple(
        ShadowLine(
            ShadowTerm.CARBON,
            cloud,
            f"{cloud}/{region}",
            service,
            _rounded(kg),
            _rounded(kg * usd_per_kg),
        )
        for cloud, region, service, kg in by_place.itertuples(index=False, name=None)
    )


def carbon_of_counts(world: World, counts: pd.DataFrame) -> tuple[ShadowLine, ...]:
    """Carbon lines of a plan's counts (the columns of COUNT_COLUMNS)."""
    if world.policy.carbon_usd_per_tonne == 0:
        return ()
    book = world.book.offerings
    rows = pd.Series(np.arange(len(book)), pd.MultiIndex.from_frame(book[_OFFERING].astype(str)))
    wanted = pd.MultiIndex.from_frame(counts[_OFFERING].astype(str))
    offerings = book.iloc[rows.reindex(wanted).to_numpy(np.int64)]
    hours = counts["count"].to_numpy(np.float64)  # a row is an hour
    return carbon_lines(world, offerings, counts["service"].astype(str).tolist(), hours)


def _rounded(amount: float) -> Decimal:
    return Decimal(repr(float(amount))).quantize(CENT_OF_A_CENT)
