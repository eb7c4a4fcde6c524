"""Tables from arrays: sorted as names sort, exact, and small."""

from __future__ import annotations

import numpy as np
from small_worlds import book, world

from models.placement import COUNT_COLUMNS, ROUTE_COLUMNS
from models.services import Replica, Service
from optimizer.tables import counts_table, routes_table

SERVICES = [Service("web", Replica(1, 2, 100)), Service("api", Replica(1, 2, 30))]
OF = world(
    SERVICES,
    book(
        [
            ("aws/east", "m.2", "on_demand", 0.2, 2, 8),
            ("aws/east", "m.2", "spot", 0.07, 2, 8),
            ("gcp/eu", "c.4", "on_demand", 0.36, 4, 8),
        ]
    ),
)


def test_counts_sort_by_name_and_tell_their_offering() -> None:
    table = counts_table(
        OF,
        service=np.array([0, 1, 0, 0]),
        offering=np.array([2, 0, 1, 1]),
        period=np.array([0, 0, 1, 0]),
        count=np.array([1, 2, 3, 4]),
        replicas=np.array([4, 2, 2, 2]),
        price_usd_per_hour=np.array([0.36, 0.2, 0.07, 0.07]),
    )
    assert list(table) == list(COUNT_COLUMNS)
    assert table.astype(object).to_numpy().tolist() == [
        ["api", "aws", "east", "m.2", "on_demand", 0, 2, 0.2, 2, 120.0, "test", "2026-03-01"],
        ["web", "aws", "east", "m.2", "spot", 0, 4, 0.07, 2, 800.0, "test", "2026-03-01"],
        ["web", "aws", "east", "m.2", "spot", 1, 3, 0.07, 2, 600.0, "test", "2026-03-01"],
        ["web", "gcp", "eu", "c.4", "on_demand", 0, 1, 0.36, 4, 400.0, "test", "2026-03-01"],
    ]


def test_routes_keep_their_order() -> None:
    table = routes_table(
        OF,
        service=np.array([1, 0]),
        origin=np.array([0, 1]),
        region=np.array([0, 4]),
        first_period=np.array([0, 1]),
        periods=np.array([2, 1]),
        share=np.array([1.0, 0.25]),
        from_origin_ms=np.arange(10.0).reshape(2, 5),
    )
    assert list(table) == list(ROUTE_COLUMNS)
    assert table.astype(object).to_numpy().tolist() == [
        ["api", "america", "aws", "east", 0, 2, 1.0, 0.0],
        ["web", "europe", "gcp", "eu", 1, 1, 0.25, 9.0],
    ]


def test_millions_of_rows_fit_in_memory() -> None:
    rows = 100_000
    table = counts_table(
        OF,
        service=np.zeros(rows, np.int64),
        offering=np.zeros(rows, np.int64),
        period=np.zeros(rows, np.int64),
        count=np.ones(rows, np.int64),
        replicas=np.ones(rows, np.int64),
        price_usd_per_hour=np.full(rows, 0.2),
    )
    assert table.memory_usage(deep=True).sum() / rows < 50  # bytes
