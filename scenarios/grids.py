"""Whether carbon can be priced: what the grids of the candidate places emit must be known."""

from __future__ import annotations

from collections.abc import Collection

from models.errors import Location
from models.places import Region
from models.world import Policy
from scenarios.faults import Faults

_MOST_NAMED = 5


def check_grids(policy: Policy, regions: Collection[Region], at: Location, faults: Faults) -> None:
    """Add a fault when ``policy`` prices carbon and some of the candidate ``regions`` are dark.

    Nothing is assumed of them: a guess could make them the cheapest.
    """
    if policy.carbon_usd_per_tonne == 0:
        return
    dark = sorted(region.place for region in regions if region.gco2e_per_kwh is None)
    if not dark:
        return
    more = f" and {len(dark) - _MOST_NAMED} more" if len(dark) > _MOST_NAMED else ""
    faults.add(
        at,
        "carbon is priced, and what the grid emits is not known for "
        f"{', '.join(dark[:_MOST_NAMED])}{more}",
        "give it in 'carbon: {file: ...}' or for all of them as 'elsewhere_gco2e_per_kwh', or "
        "leave these places out under 'places'",
    )
