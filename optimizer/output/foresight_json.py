"""What is foreseen as a JSON document and as a table, and the schema of the document."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import pandas as pd

from models.foreseen import Kind
from models.world import World
from optimizer.foresight.foresee import Foresight
from optimizer.output.json_values import Document, finite_or_null, utc_text
from optimizer.output.shapes import (
    COUNT,
    FLAG,
    MOMENT,
    NUMBER_OR_NULL,
    SCHEMA_DIALECT,
    TEXT,
    list_of,
    one_of,
    record,
    said,
)

FORESIGHT_FORMAT: Final = "trimtab-foresight"
FORESIGHT_VERSION: Final = 1
COLUMNS: Final = (
    "kind", "of", "what", "probability", "earliest_at", "expected_at", "made_at", "evidence",
    "since",
)  # fmt: skip


def foresight_document(world: World, it: Foresight, least: float) -> Document:
    """Predictions of at least this probability, and what curves say of every service."""
    return {
        "format": FORESIGHT_FORMAT,
        "version": FORESIGHT_VERSION,
        "world": {"name": world.name, "where": str(world.at)},
        "made_at": utc_text(it.made_at),
        "horizon_hours": round(it.horizon / timedelta(hours=1)),
        "predictions": [
            {
                "kind": one.kind.value,
                "of": one.of,
                "what": one.what,
                "probability": round(one.probability, 4),
                "earliest_at": utc_text(one.earliest_at.replace(microsecond=0)),
                "expected_at": utc_text(one.expected_at.replace(microsecond=0)),
                "since": _moment_or_none(one.since),
                "evidence": list(one.evidence),
            }
            for one in it.likely(least)
        ],
        "curves": [
            {
                "service": one.service,
                "signal": one.signal,
                "objective_ms": one.objective_ms,
                "objective_of": one.objective_of,
                "known": one.breaks is not None and one.breaks.known,
                "breaks_at": None if one.breaks is None else finite_or_null(one.breaks.load),
                "not_below": None if one.breaks is None else finite_or_null(one.breaks.low),
                "not_above": None if one.breaks is None else finite_or_null(one.breaks.high),
                "stated_rps": one.stated_rps,
                "wrong": one.wrong,
                "says": one.says,
            }
            for one in it.curves
        ],
    }


def foresight_table(it: Foresight, least: float) -> pd.DataFrame:
    """One row per prediction of at least this probability."""
    rows = [
        (
            one.kind.value, one.of, one.what, round(one.probability, 4),
            utc_text(one.earliest_at.replace(microsecond=0)),
            utc_text(one.expected_at.replace(microsecond=0)), utc_text(one.made_at),
            "; ".join(one.evidence), _moment_or_none(one.since),
        )
        for one in it.likely(least)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _moment_or_none(at: datetime | None) -> str | None:
    return None if at is None else utc_text(at.replace(microsecond=0))


def foresight_schema() -> Document:
    """Schema of what ``foresight_document`` makes."""
    share = {"type": "number", "minimum": 0, "maximum": 1}
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "trimtab foresight",
        "description": "What is going to go wrong, with probabilities.",
        **record(
            format={"const": FORESIGHT_FORMAT},
            version={"const": FORESIGHT_VERSION},
            world=record(name=TEXT, where=TEXT),
            made_at=said(MOMENT, "what was known then"),
            horizon_hours=COUNT,
            predictions=list_of(
                record(
                    kind=one_of([kind.value for kind in Kind]),
                    of=said(TEXT, "service, team, or place of a quota"),
                    what=said(TEXT, "what breaks or runs out"),
                    probability=said(share, "that it happens within the horizon"),
                    earliest_at=said(MOMENT, "not before that, with nine chances in ten"),
                    expected_at=MOMENT,
                    since={
                        "anyOf": [MOMENT, {"type": "null"}],
                        "description": "it is so already, since then; null: it is to come",
                    },
                    evidence=list_of(TEXT),
                )
            ),
            curves=list_of(
                record(
                    service=TEXT,
                    signal=said(TEXT, "the latency that the objective is compared with"),
                    objective_ms={"type": "number"},
                    objective_of=said(TEXT, "by which rule the service may take so long itself"),
                    known=said(FLAG, "whether what was measured says where the objective breaks"),
                    breaks_at=said(NUMBER_OR_NULL, "load of a replica"),
                    not_below=NUMBER_OR_NULL,
                    not_above=NUMBER_OR_NULL,
                    stated_rps=said(NUMBER_OR_NULL, "throughput of a replica in the world"),
                    wrong=said(FLAG, "whether that cannot be"),
                    says=TEXT,
                )
            ),
        ),
    }
