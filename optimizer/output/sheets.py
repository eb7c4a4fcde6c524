"""A plan as tables for spreadsheets and data frames: CSV, UTF-8, one header line.

Text cells are made harmless (``optimizer.output.plain.spreadsheet_cell``), times are ISO 8601 in
UTC, money is exact, and a number that is unknown is an empty cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from models.placement import (
    BINDING_COLUMNS,
    CHANGE_COLUMNS,
    COUNT_COLUMNS,
    EXCLUSION_COLUMNS,
    ROUTE_COLUMNS,
    SHADOW_UNITS,
    SPOT_RISK_COLUMNS,
    Bill,
    Placement,
    ShadowTerm,
)
from models.plan import Plan
from optimizer.output.commitments import commitment_table
from optimizer.output.json_values import significant
from optimizer.output.money import decimal_text
from optimizer.output.plain import spreadsheet_cell
from optimizer.output.summary import capacity_by_service


def sheets(plan: Plan) -> dict[str, bytes]:
    """Every CSV file of a plan, by name."""
    placement = plan.placement
    counts = placement.counts[list(COUNT_COLUMNS)].sort_values(
        ["service", "cloud", "region", "instance_type", "purchase", "period"], kind="stable"
    )
    routes = placement.routes[list(ROUTE_COLUMNS)].sort_values(
        ["service", "origin", "first_period", "cloud", "region"], kind="stable"
    )
    hours = _hours(placement.starts, placement.hours)
    counts.insert(5, "hour", hours[counts["period"].to_numpy(np.int64)])
    routes.insert(4, "first_hour", hours[routes["first_period"].to_numpy(np.int64)])
    tables = {
        "counts.csv": counts,
        "routes.csv": routes,
        "bill.csv": bill_table(placement.bill),
        "commitments.csv": commitment_table(plan),
        "demand.csv": demand_table(plan),
        "binding.csv": placement.binding[list(BINDING_COLUMNS)],
        "exclusions.csv": placement.exclusions[list(EXCLUSION_COLUMNS)],
        "forecast.csv": forecast_table(plan),
    }
    if placement.bill.shadow:
        tables["shadow.csv"] = shadow_table(placement.bill)
    if len(placement.spot_risk):
        tables["spot_risk.csv"] = placement.spot_risk[list(SPOT_RISK_COLUMNS)]
    if placement.scenarios:
        tables["scenarios.csv"] = scenario_table(placement)
    if len(placement.changes):
        tables["changes.csv"] = placement.changes[list(CHANGE_COLUMNS)]
    return {name: csv_bytes(table) for name, table in tables.items()}


def bill_table(bill: Bill) -> pd.DataFrame:
    """One row per line of the bill, USD over its hours."""
    return pd.DataFrame(
        {
            "term": [line.term.value for line in bill.lines],
            "cloud": [line.cloud for line in bill.lines],
            "place": [line.place for line in bill.lines],
            "service": [line.service for line in bill.lines],
            "purchase": [line.purchase for line in bill.lines],
            "commitment": [line.commitment for line in bill.lines],
            "usd": [line.usd for line in bill.lines],
        },
        dtype=object,
    )


def shadow_table(bill: Bill) -> pd.DataFrame:
    """One row per shadow cost: what counts in the decision beside the bill, over its hours."""
    return pd.DataFrame(
        {
            "term": [line.term.value for line in bill.shadow],
            "cloud": [line.cloud for line in bill.shadow],
            "place": [line.place for line in bill.shadow],
            "service": [line.service for line in bill.shadow],
            "quantity": [line.quantity for line in bill.shadow],
            "unit": [SHADOW_UNITS[line.term] for line in bill.shadow],
            "usd": [line.usd for line in bill.shadow],
        },
        dtype=object,
    )


def scenario_table(placement: Placement) -> pd.DataFrame:
    """One row per demand scenario: what it costs and leaves unmet, over the horizon."""
    rows = []
    for one in placement.scenarios:
        requests, unmet_usd = one.bill.shadow_of(ShadowTerm.UNMET_DEMAND)
        paid = one.bill.total_usd
        rows.append(
            (one.name, str(one.quantile), str(one.probability), paid, requests, unmet_usd,
             one.counted_usd)
        )  # fmt: skip
    columns = ["scenario", "quantile", "probability", "paid_usd", "unmet_requests", "unmet_usd",
               "counted_usd"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns, dtype=object)


def demand_table(plan: Plan) -> pd.DataFrame:
    """One row per service and hour: demand, its quantiles and the capacity that meets it, rps."""
    services = [service.name for service in plan.world.services]
    hours = _hours(plan.placement.starts, plan.placement.hours)
    table = {
        "service": np.repeat(np.asarray(services, dtype=object), len(hours)),
        "hour": np.tile(hours, len(services)),
        "mean_rps": significant(plan.mean_rps).ravel(),
        "planned_rps": significant(plan.demand_rps.sum(axis=1)).ravel(),
    }
    for k, level in enumerate(plan.forecast.levels):
        table[f"q{level:g}_rps"] = significant(plan.bands_rps[:, :, k]).ravel()
    table["capacity_rps"] = significant(capacity_by_service(plan)).ravel()
    return pd.DataFrame(table)


def forecast_table(plan: Plan) -> pd.DataFrame:
    """One row per series and model tried: its score, and whether it was chosen and why."""
    rows = [
        (
            choice.service,
            choice.origin,
            model,
            score,
            "yes" if model == choice.model else "no",
            choice.why if model == choice.model else "",
        )
        for choice in plan.forecast.choices
        for model, score in _tried(choice.model, choice.scores)
    ]
    return pd.DataFrame(rows, columns=["service", "origin", "model", "score", "chosen", "why"])


def csv_bytes(table: pd.DataFrame) -> bytes:
    """The table as CSV: RFC 4180 quoting, line feeds, harmless text cells."""
    safe = {
        str(name): column if _is_number(column) else _harmless(column)
        for name, column in table.items()
    }
    frame = pd.DataFrame(safe)
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text.encode()


def _tried(chosen: str, scores: Sequence[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Models with their scores; the chosen one is listed even when nothing was scored."""
    if any(model == chosen for model, _ in scores):
        return tuple(scores)
    return ((chosen, float("nan")), *scores)


def _is_number(column: pd.Series) -> bool:
    return is_numeric_dtype(column.dtype) and not is_bool_dtype(column.dtype)


def _harmless(column: pd.Series) -> pd.Series:
    """Cells made safe once per distinct value: names repeat, and tables may be long."""
    codes, values = pd.factorize(column.astype(object), use_na_sentinel=True)
    safe = np.asarray([*map(_cell, values), ""], dtype=object)
    return pd.Series(safe[codes], index=column.index, dtype=object)


def _cell(value: object) -> str:
    return decimal_text(value) if isinstance(value, Decimal) else spreadsheet_cell(str(value))


def _hours(starts: datetime, hours: int) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """ISO 8601 start of every hour."""
    index = pd.date_range(starts.astimezone(UTC), periods=hours, freq="h")
    return np.asarray(index.strftime("%Y-%m-%dT%H:%M:%SZ"), dtype=object)
