"""Seeded worlds of any size, written as the files that a person would write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from models.errors import NOWHERE, Fault, FaultyInput
from scenarios.generate.chance import Chance, Floats
from scenarios.generate.company import (
    ORIGINS,
    Company,
    crowds_of,
    found_company,
    journeys_of,
    throughputs_rps,
    whole_demand_rps,
)
from scenarios.generate.estate import HEADROOM, NEAREST, PLACES, todays_fleet
from scenarios.generate.folder import entry, new_folder, write_table, write_text
from scenarios.generate.kinds import Strict
from scenarios.generate.law import ample_budgets, ample_quotas, rule_items, workflow_items
from scenarios.generate.strictly import strictly
from scenarios.generate.traffic import HOURS_PER_WEEK, hourly_rps

STARTS: Final = datetime(2026, 11, 16, tzinfo=UTC)
"""The first hour to plan, a Monday; history ends here."""
SMALL: Final = 200
"""Up to this many services, everything but demand stands in the YAML file."""
MAX_HOURS: Final = 744  # the longest horizon that a world file may ask for
MAX_SERVICES: Final = 100_000
BLOCKS: Final = {"count_hours": 2, "route_hours": 2}
"""Sizes and routes change every two hours, not more often."""
WITH_JOURNEYS: Final = 2 / 3
WITH_JOURNEYS_STRICT: Final = 0.78
"""Share of teams that have a workflow; in strict worlds such that a third of services have one."""
LISTS: Final = ("architectures", "replica_gpu_models")  # separated by spaces in tables

Parts = dict[str, Any]
Series = list[tuple[str, str]]


def generate_world(
    services: int,
    hours: int,
    seed: int,
    out: Path,
    strict: Strict | None = None,
    *,
    hourly: bool = False,
) -> None:
    """Write a world of ``services`` services, to be planned for ``hours`` hours, to ``out``.

    ``out/world.yaml`` is the world file. Up to 200 services it holds everything but demand
    (``demand.csv``, four weeks); larger worlds keep services, dependencies, fleet and demand (two
    weeks) in Parquet files beside it. The same arguments give the same world on every machine.
    Generated worlds are feasible; ``scenarios.generate.law`` says why.

    With ``strict``, quotas, a budget and workflows bind, and there are commitments and demand
    scenarios; kinds that it leaves out are missing, and everything else stays as it is with them.
    Sizes and routes change every two hours, or with ``hourly`` every hour.

    Raises ``FaultyInput`` when an argument is out of range or ``out`` is not empty, and
    ``OutputFailed`` when writing fails; in both cases nothing is left behind.
    """
    _check(services, hours, seed)
    with new_folder(out) as folder:
        chance = Chance(seed)
        company = found_company(services, chance)
        series, history, demand_rps = _demand(company, chance)
        peak_rps = demand_rps.sum(axis=1).max(axis=1)
        mean_rps = demand_rps.sum(axis=1).mean(axis=1)
        company = company.serving(throughputs_rps(peak_rps, chance))
        suffix = ".csv" if services <= SMALL else ".parquet"
        share = WITH_JOURNEYS if strict is None else WITH_JOURNEYS_STRICT
        journeys = journeys_of(company, chance, share)
        luck = None if strict is None else Chance(seed, "workflows")
        head = _head(services, hours, seed, f"demand{suffix}", strict, hourly)
        parts: Parts = {
            **head,
            "services": company.services,
            "dependencies": company.calls,
            "workflows": workflow_items(journeys, company, series, luck),
            "rules": rule_items(company, chance),
            "fleet": todays_fleet(company, demand_rps, chance),
        }
        budgets = ample_budgets(company, peak_rps, mean_rps)
        if strict is None:
            parts["rules"] += ample_quotas(company, peak_rps) + budgets
        else:
            parts["rules"] += budgets
            parts = strictly(parts, strict, company, demand_rps, seed)
        write_table(history, folder / f"demand{suffix}")
        _write_parts(parts, folder, inline=services <= SMALL)


def _check(services: int, hours: int, seed: int) -> None:
    faults = [
        Fault(NOWHERE, f"{name} is {value}", f"choose from {least} to {most}")
        for name, value, least, most in (
            ("services", services, 1, MAX_SERVICES),
            ("hours", hours, 1, MAX_HOURS),
            ("seed", seed, 0, 2**63 - 1),
        )
        if not least <= value <= most
    ]
    if faults:
        raise FaultyInput(faults)


def _demand(company: Company, chance: Chance) -> tuple[Series, pd.DataFrame, Floats]:
    """Who asks, the history, and the last week of all services [service, origin, period]."""
    crowds = crowds_of(company, chance)
    series = list(crowds)
    hours = (4 if len(company.services) <= SMALL else 2) * HOURS_PER_WEEK
    began = STARTS - timedelta(hours=hours)
    rps = hourly_rps(list(crowds.values()), began, hours, chance)
    row = np.repeat(np.arange(len(series)), hours)
    history = pd.DataFrame(
        {
            "ts": np.tile(pd.date_range(began, periods=hours, freq="h"), len(series)),
            "service": pd.Index([service for service, _ in series]).take(row),
            "origin": pd.Index([origin for _, origin in series]).take(row),
            "rps": rps.ravel(),
        }
    )
    return series, history, whole_demand_rps(company, series, rps[:, -HOURS_PER_WEEK:])


def _head(
    services: int, hours: int, seed: int, history: str, strict: Strict | None, hourly: bool
) -> Parts:
    rules = "" if strict is None else f", rules={strict.in_words}"
    how = f"synthetic: generate_world(services={services}, hours={hours}, seed={seed}{rules})"
    return {
        "trimtab": 1,
        "world": f"generated-{services}-{hours}-{seed}",
        "description": f"An invented company with {services} services. Everything in it is {how}.",
        "places": {"places": list(PLACES)},
        "prices": {"book": "embedded"},
        "policy": {"horizon_hours": hours, "headroom": HEADROOM, **({} if hourly else BLOCKS)},
        "demand": {"history": history, "note": how},
        "origins": [{"name": origin, "near": NEAREST[origin][0]} for origin in ORIGINS],
    }


def _write_parts(parts: Parts, folder: Path, inline: bool) -> None:
    """``world.yaml``; its tables inline, or each in a Parquet file beside it."""
    document = []
    for key, value in parts.items():
        if isinstance(value, pd.DataFrame | list) and len(value) == 0:
            continue  # a company of one service calls nobody
        if not isinstance(value, pd.DataFrame):
            document.append(entry(key, value))
        elif inline:
            document.append(entry(key, _items(value)))
        else:
            write_table(value, folder / f"{key}.parquet")
            document.append(entry(key, {"table": f"{key}.parquet"}))
    write_text(folder / "world.yaml", "".join(document))


def _items(table: pd.DataFrame) -> list[Parts]:
    """Rows as a person would write them: replica fields nested, lists as lists, nothing empty."""
    return [_item(row) for row in table.to_dict("records")]


def _item(row: dict[Any, Any]) -> Parts:
    item: Parts = {}
    replica: Parts = {}
    for field, cell in row.items():
        if pd.isna(cell) or cell in ("", 0, False):
            continue
        value = cell.split(" ") if field in LISTS else _plain(cell)
        if field.startswith("replica_"):
            item["replica"] = replica
            replica[field.removeprefix("replica_")] = value
        else:
            item[field] = value
    return item


def _plain(value: Any) -> Any:
    """4 rather than 4.0, as a person would write it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
