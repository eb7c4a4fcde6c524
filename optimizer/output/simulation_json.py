"""A simulation as a JSON document and as tables, and the schema of the document."""

from __future__ import annotations

from typing import Final

import pandas as pd

from optimizer.output.json_values import Document, finite_or_null, usd_or_null, utc_text
from optimizer.output.shapes import (
    COUNT,
    FLAG,
    MOMENT,
    NUMBER_OR_NULL,
    SCHEMA_DIALECT,
    TEXT,
    USD,
    list_of,
    record,
    said,
)
from optimizer.simulate.compare import Compared
from optimizer.simulate.study import Figures, Study
from optimizer.simulate.sweep import Sweep

SIMULATION_FORMAT: Final = "trimtab-simulation"
SIMULATION_VERSION: Final = 1


def simulation_document(it: Compared) -> Document:
    """What every policy cost and served, and the frontiers where they were swept."""
    study = it.study
    return {
        "format": SIMULATION_FORMAT,
        "version": SIMULATION_VERSION,
        "world": study.world,
        "demand": study.source,
        "smooth": study.asked.smooth,
        "step_s": study.asked.step_s,
        "learnt_from": utc_text(study.asked.starts),
        "starts": utc_text(study.starts),
        "ends": utc_text(study.ends),
        "seed": study.seed,
        "policies": [
            {"policy": name, **_figures(study, study.of(name))} for name in study.policies
        ],
        "services": [
            {
                "policy": one.policy,
                "service": one.service,
                "chosen": one.chosen,
                **_figures(study, one.figures, one.service),
            }
            for one in study.found
        ],
        "held": [
            {
                "service": one.service,
                "place": one.place,
                "instance_type": one.instance_type,
                "purchase": one.purchase,
                "usd_per_replica_hour": usd_or_null(one.machine.usd_per_hour),
                "serves_rps": one.machine.serves_rps,
                "boot_s": one.machine.boot_s,
                "wait_s": one.machine.wait_s,
            }
            for one in study.held
        ],
        "frontier": [] if it.sweep is None else _points(it.sweep),
    }


def _figures(study: Study, figures: Figures, service: str | None = None) -> Document:
    return {
        "usd": usd_or_null(figures.usd),
        "over_foresight": finite_or_null(study.over_foresight(figures, service)),
        "unserved_share": figures.unserved_share,
        "requests": round(figures.asked),
        "unserved": round(figures.lost),
        "minutes": figures.minutes,
        "missed_minutes": figures.missed_minutes,
        "starts": figures.starts,
        "stops": figures.stops,
        "failures": figures.failures,
        "interruptions": figures.interruptions,
        "survived": figures.survived,
    }


def _points(sweep: Sweep) -> list[Document]:
    return [
        {
            "family": one.family,
            "setting": one.setting,
            "usd": usd_or_null(one.figures.usd),
            "over_foresight": finite_or_null(one.over_foresight),
            "unserved_share": one.figures.unserved_share,
            "missed_minutes": one.figures.missed_minutes,
        }
        for one in sweep.points
    ]


def simulation_table(it: Compared) -> pd.DataFrame:
    """One row per policy and service."""
    return pd.DataFrame(simulation_document(it)["services"])


def frontier_table(sweep: Sweep) -> pd.DataFrame:
    """One row per family and setting, over all services."""
    return pd.DataFrame(_points(sweep))


def simulation_schema() -> Document:
    """Schema of what ``simulation_document`` makes."""
    share = {"type": "number", "minimum": 0, "maximum": 1}
    figures = {
        "usd": said(USD, "paid between starts and ends"),
        "over_foresight": said(NUMBER_OR_NULL, "over the cost of perfect foresight, by minute"),
        "unserved_share": said(share, "of all requests"),
        "requests": COUNT,
        "unserved": COUNT,
        "minutes": said(COUNT, "in which demand is known, of all services together"),
        "missed_minutes": said(COUNT, "with more than 1 in 100 requests late or unserved"),
        "starts": COUNT,
        "stops": COUNT,
        "failures": COUNT,
        "interruptions": said(COUNT, "of spot pools"),
        "survived": said(COUNT, "of them, without a request unserved"),
    }
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "trimtab simulation",
        "description": "What policies would have cost and served.",
        **record(
            format={"const": SIMULATION_FORMAT},
            version={"const": SIMULATION_VERSION},
            world=TEXT,
            demand=said(TEXT, "where it comes from"),
            smooth=said(FLAG, "whether bursts within hours are unknown"),
            step_s=COUNT,
            learnt_from=said(MOMENT, "parameters are chosen from here to starts"),
            starts=said(MOMENT, "figures count from here on"),
            ends=MOMENT,
            seed=COUNT,
            policies=list_of(record(policy=TEXT, **figures)),
            services=list_of(
                record(policy=TEXT, service=TEXT, chosen=said(TEXT, "parameters"), **figures)
            ),
            held=list_of(
                record(
                    service=TEXT,
                    place=TEXT,
                    instance_type=TEXT,
                    purchase=TEXT,
                    usd_per_replica_hour=USD,
                    serves_rps=NUMBER_OR_NULL,
                    boot_s=NUMBER_OR_NULL,
                    wait_s=said(NUMBER_OR_NULL, "a request that waits longer is late"),
                )
            ),
            frontier=said(
                list_of(
                    record(
                        family=TEXT,
                        setting=TEXT,
                        usd=USD,
                        over_foresight=NUMBER_OR_NULL,
                        unserved_share=share,
                        missed_minutes=COUNT,
                    )
                ),
                "every setting of every family, over all services; empty unless asked for",
            ),
        ),
    }
