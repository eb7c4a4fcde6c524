"""What was asked of services, from kept telemetry: by the hour, or step by step."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from models.combining import of_services
from models.demand import HISTORY_COLUMNS, History
from models.errors import UnusableData
from models.signals import SignalKey, Signals
from providers.telemetry.store import Store

REQUESTS: Final = "requests_rps"
HOUR_S: Final = 3600


def requests_of(signals: Signals) -> Signals:
    """Requests per second that users made, per service and origin.

    The calls between services that are known one by one are left out, and so is the whole of a
    service whose origins are known. ``origin`` stays empty where nobody says who asked.
    """
    rows = [
        row for row, key in enumerate(signals.keys) if key.signal == REQUESTS and not key.callee
    ]
    keys = tuple(signals.keys[row] for row in rows)
    own = of_services(replace(signals, keys=keys, values=signals.values[rows]), origins=True)
    split = {key.service for key in own.keys if key.origin}
    kept = [i for i, key in enumerate(own.keys) if key.origin or key.service not in split]
    return replace(own, keys=tuple(own.keys[i] for i in kept), values=own.values[kept])


def requests_in(
    store: Store, starts: datetime, ends: datetime, step_s: int | None = None
) -> Signals:
    """Requests per service and origin between two moments; see ``Store.read``."""
    return requests_of(store.read(starts, ends, step_s=step_s, signals={REQUESTS}))


def hourly_history(store: Store, days: int) -> History:
    """The last ``days`` of requests, by the hour, until the last hour that is over.

    An hour is known when half of its steps are. Raises ``UnusableData`` when nothing was measured.
    """
    until = store.measured_until()
    if until is None:
        raise UnusableData(f"{store.folder} holds no signals\n    → trimtab observe reads them")
    hourly = requests_in(store, until - timedelta(days=days), until, HOUR_S)
    return History(_long(hourly), f"telemetry {store.name!r}, measured")


def _long(hourly: Signals) -> pd.DataFrame:
    row, hour = np.nonzero(~np.isnan(hourly.values))
    keys: tuple[SignalKey, ...] = hourly.keys  # sorted by service and origin, and so are the rows
    starts = pd.Timestamp(hourly.starts)
    columns = {
        "ts": (starts + pd.to_timedelta(hour, unit="h")).as_unit("us"),
        "service": np.array([key.service for key in keys], dtype=object)[row],
        "origin": np.array([key.origin for key in keys], dtype=object)[row],
        "rps": hourly.values[row, hour],
    }
    return pd.DataFrame(columns, columns=list(HISTORY_COLUMNS))
