"""What is expected as a JSON document and as a table, and the schema of the document."""

from __future__ import annotations

from datetime import UTC
from typing import Final

import numpy as np
import pandas as pd

from models.demand import Forecast
from optimizer.expectations import Expectations
from optimizer.forecast.tracked import Tracked
from optimizer.output.json_values import Document, finite_or_null, rates, significant, utc_text
from optimizer.output.shapes import (
    COUNT,
    MOMENT,
    NUMBER_OR_NULL,
    SCHEMA_DIALECT,
    TEXT,
    TEXT_OR_NULL,
    list_of,
    map_of,
    record,
    said,
)

FORECAST_FORMAT: Final = "trimtab-forecast"
FORECAST_VERSION: Final = 1


def forecast_document(it: Expectations) -> Document:
    """Everything that is expected, and what strayed in the history shown. Rates in rps."""
    made = it.forecast
    return {
        "format": FORECAST_FORMAT,
        "version": FORECAST_VERSION,
        "world": {"name": it.world.name, "where": str(it.world.at)},
        "starts": utc_text(made.starts),
        "hours": _whole_if_so(made.periods * made.step_s / 3600),
        "step_s": made.step_s,
        "telemetry": it.measured or None,
        "levels": [float(level) for level in made.levels],
        "series": [
            {
                "service": service,
                "origin": origin,
                "model": choice.model,
                "why": choice.why,
                "scores": {name: finite_or_null(score) for name, score in choice.scores},
                "mean_rps": rates(made.mean_rps[s]),
                "quantiles_rps": rates(made.quantiles_rps[s]),
            }
            for s, ((service, origin), choice) in enumerate(
                zip(made.series, made.choices, strict=True)
            )
        ],
        "totals": []
        if it.totals is None
        else [
            {
                "service": service or None,
                "origin": origin or None,
                "mean_rps": rates(it.totals.mean_rps[s]),
                "quantiles_rps": rates(it.totals.quantiles_rps[s]),
            }
            for s, (service, origin) in enumerate(it.totals.series)
        ],
        "tracked": None if it.tracked is None else _tracked(it.tracked),
        "events": [
            {
                "name": event.name,
                "kind": event.kind,
                "starts": utc_text(event.starts),
                "ends": utc_text(event.ends),
                "services": sorted(event.services),
                "origins": sorted(event.origins),
                "factor": event.factor,
            }
            for event in it.events
        ],
        "anomalies": [
            {
                "signal": one.key.signal,
                "service": one.key.service,
                "origin": one.key.origin,
                "starts": utc_text(one.starts),
                "ends": utc_text(one.ends),
                "score": finite_or_null(one.score),
                "value": finite_or_null(one.value),
                "expected": finite_or_null(one.expected),
                "why": one.why,
            }
            for one in it.anomalies
        ],
    }


def _whole_if_so(value: float) -> float:
    return int(value) if value.is_integer() else value


def _tracked(it: Tracked) -> Document:
    """How the last days would have been foretold."""
    online = it.online
    given, plain = it.loss(it.given_rps), it.loss(it.plain_rps)
    return {
        "starts": utc_text(it.starts),
        "hours": it.hours,
        "series": [
            {
                "service": service,
                "origin": origin,
                "error": finite_or_null(float(it.error[s])),
                "loss_rps": finite_or_null(float(given[s])),
                "loss_as_foreseen_rps": finite_or_null(float(plain[s])),
                "below": [finite_or_null(float(share)) for share in online.coverage[s]],
                "model": online.models[online.in_use[s]],
            }
            for s, (service, origin) in enumerate(online.series)
        ],
        "switches": [
            {
                "at": utc_text(one.at),
                "service": one.service,
                "origin": one.origin,
                "before": one.before,
                "after": one.after,
                "why": one.why,
            }
            for one in online.journal
        ],
    }


def tracked_table(it: Tracked) -> pd.DataFrame:
    """One row per series and hour: what came, by which model, and what was given out."""
    online = it.online
    hours = pd.date_range(it.starts.astimezone(UTC), periods=it.hours, freq="h")
    times = np.asarray(hours.strftime("%Y-%m-%dT%H:%M:%SZ"), dtype=object)
    names = np.array(online.series, dtype=object).reshape(-1, 2)
    table = {
        "service": np.repeat(names[:, 0], it.hours),
        "origin": np.repeat(names[:, 1], it.hours),
        "hour": np.tile(times, len(names)),
        "came_rps": significant(it.actual_rps).ravel(),
        "model": np.array(online.models, dtype=object)[it.used].ravel(),
    }
    for k, level in enumerate(online.levels):
        table[f"q{level:g}_rps"] = significant(it.given_rps[:, :, k]).ravel()
    return pd.DataFrame(table)


def quantiles_table(made: Forecast) -> pd.DataFrame:
    """One row per series and period: mean and quantiles, rps. Empty cells: all services, origins.

    The column ``hour`` says when the hour starts; of shorter periods it is called ``starts``.
    """
    step = pd.Timedelta(seconds=made.step_s)
    starts = pd.date_range(made.starts.astimezone(UTC), periods=made.periods, freq=step)
    table = {
        "service": np.repeat(np.array([s for s, _ in made.series], dtype=object), made.periods),
        "origin": np.repeat(np.array([o for _, o in made.series], dtype=object), made.periods),
        "hour" if made.step_s == 3600 else "starts": np.tile(
            np.asarray(starts.strftime("%Y-%m-%dT%H:%M:%SZ"), dtype=object), len(made.series)
        ),
        "mean_rps": significant(made.mean_rps).ravel(),
    }
    for k, level in enumerate(made.levels):
        table[f"q{level:g}_rps"] = significant(made.quantiles_rps[:, :, k]).ravel()
    return pd.DataFrame(table)


def forecast_schema() -> Document:
    """Schema of what ``forecast_document`` makes."""
    rps = list_of({"type": "number", "minimum": 0})
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "trimtab forecast",
        "description": "Demand that is expected, in requests per second, by hours or less.",
        **record(
            format={"const": FORECAST_FORMAT},
            version={"const": FORECAST_VERSION},
            world=record(name=TEXT, where=TEXT),
            starts=said(MOMENT, "of the first period that is foreseen"),
            hours={"type": "number", "exclusiveMinimum": 0},
            step_s=said(COUNT, "how long a period lasts"),
            telemetry=said(TEXT_OR_NULL, "whose requests these are; null: direct demand"),
            levels=said(list_of({"type": "number"}), "of the quantiles, increasing"),
            series=list_of(
                record(
                    service=TEXT,
                    origin=TEXT,
                    model=TEXT,
                    why=said(TEXT, "why this model"),
                    scores=said(map_of(NUMBER_OR_NULL), "backtest score by model; lower is better"),
                    mean_rps=said(rps, "by period"),
                    quantiles_rps=said(list_of(rps), "by period and level"),
                )
            ),
            totals=said(
                list_of(
                    record(
                        service=said(TEXT_OR_NULL, "null: all"),
                        origin=said(TEXT_OR_NULL, "null: all"),
                        mean_rps=said(rps, "by period: the sum of those of the series"),
                        quantiles_rps=said(list_of(rps), "by period and level"),
                    )
                ),
                "everything, origins and services that several series add up to",
            ),
            tracked={"anyOf": [_tracked_shape(), {"type": "null"}]},
            events=said(
                list_of(_event()), "known events ahead, and of the weeks that forecasts learn from"
            ),
            anomalies=said(
                list_of(_anomaly()), "what strayed in the hours of the history that are shown"
            ),
        ),
    }


def _tracked_shape() -> Document:
    return record(
        starts=MOMENT,
        hours=COUNT,
        series=list_of(
            record(
                service=TEXT,
                origin=TEXT,
                error=said(NUMBER_OR_NULL, "of the median, over that of repeating the week before"),
                loss_rps=said(NUMBER_OR_NULL, "mean quantile loss of what was given out"),
                loss_as_foreseen_rps=said(NUMBER_OR_NULL, "without corrections and switches"),
                below=said(list_of(NUMBER_OR_NULL), "share of hours not above each quantile"),
                model=said(TEXT, "in use at the end"),
            )
        ),
        switches=list_of(
            record(at=MOMENT, service=TEXT, origin=TEXT, before=TEXT, after=TEXT, why=TEXT)
        ),
    )


def _event() -> Document:
    return record(
        name=TEXT,
        kind=TEXT,
        starts=MOMENT,
        ends=MOMENT,
        services=said(list_of(TEXT), "empty: all"),
        origins=said(list_of(TEXT), "empty: all"),
        factor=said(NUMBER_OR_NULL, "null: as earlier events of its kind"),
    )


def _anomaly() -> Document:
    return record(
        signal=TEXT,
        service=TEXT,
        origin=TEXT,
        starts=MOMENT,
        ends=MOMENT,
        score=NUMBER_OR_NULL,
        value=NUMBER_OR_NULL,
        expected=NUMBER_OR_NULL,
        why=TEXT,
    )
