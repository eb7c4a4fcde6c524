"""Tables of a placement, from arrays: names are kept once, so that millions of rows stay small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from models.placement import COUNT_COLUMNS, ROUTE_COLUMNS
from models.world import World
from optimizer.problem import Floats, Ints

LEAST_SHARE = 1e-6
"""Route shares below this are solver noise."""


def counts_table(
    world: World,
    service: Ints,
    offering: Ints,
    period: Ints,
    count: Ints,
    replicas: Ints,
    price_usd_per_hour: Floats,
) -> pd.DataFrame:
    """The table that ``COUNT_COLUMNS`` describes, sorted, from parallel arrays.

    ``service`` are indices of the world's services, ``offering`` rows of its price book;
    ``replicas`` are those of one instance. Every count is > 0.
    """
    rate = np.array([s.replica.throughput_rps for s in world.services])
    rows, row = np.unique(offering, return_inverse=True)
    offered = world.book.offerings.iloc[rows]
    columns = {
        "service": _named([s.name for s in world.services], service),
        **{name: _named(offered[name].astype(str), row) for name in _TOLD},
        "period": period,
        "count": count,
        "price_usd_per_hour": price_usd_per_hour,
        "replicas_per_instance": replicas,
        "capacity_rps": count * replicas * rate[service],
        "price_source": _named(offered["source"].astype(str), row),
        "price_date": _named(offered["price_date"].astype(str), row),
    }
    frame = pd.DataFrame(columns, columns=list(COUNT_COLUMNS))
    return frame.sort_values(["service", *_TOLD, "period"], ignore_index=True)


def routes_table(
    world: World,
    service: Ints,
    origin: Ints,
    region: Ints,
    first_period: Ints,
    periods: Ints,
    share: Floats,
    from_origin_ms: Floats,
) -> pd.DataFrame:
    """The table that ``ROUTE_COLUMNS`` describes, in the order given, from parallel arrays.

    ``service``, ``origin`` and ``region`` are indices in the world; ``from_origin_ms`` are round
    trips [origin, region].
    """
    columns = {
        "service": _named([s.name for s in world.services], service),
        "origin": _named([o.name for o in world.origins], origin),
        "cloud": _named([r.cloud.value for r in world.regions], region),
        "region": _named([r.name for r in world.regions], region),
        "first_period": first_period,
        "periods": periods,
        "share": share,
        "rtt_ms": from_origin_ms[origin, region],
    }
    return pd.DataFrame(columns, columns=list(ROUTE_COLUMNS))


_TOLD = ("cloud", "region", "instance_type", "purchase")


def _named(names: Sequence[str] | pd.Series[str], index: Ints) -> pd.Categorical[str]:
    """``names[index]`` as categories in alphabetical order, so that rows sort as names would."""
    known, code = np.unique(np.asarray(names, dtype=str), return_inverse=True)
    return pd.Categorical.from_codes(code[index], pd.Index(known.tolist(), dtype=str))
