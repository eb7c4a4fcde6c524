"""The bundled shop on a catalogue and traffic from real life, by the whole command.

Catalogue and traffic are public data sets; what is made of them goes away with the folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from benchmarks.command import figures, plan_cold
from benchmarks.registry import Case, Metric, benchmark

OFFERS = "catalog/offers.parquet"
TRAFFIC = "traces/web_minute.parquet"
TRACES = {"web/worldcup98": 2, "web/nasa_http_1995": 0}
"""By how many hours the local time of most users is ahead of the trace's clock."""
SHOP = Path(__file__).parents[1] / "scenarios" / "shop"
UTC_OFFSET_HOURS = {"asia-pacific": 8, "europe": 1, "north-america": -6}
PEAK = 0.99
BUDGETS = 1.25  # football fans stay up later than shoppers: more hours of the day are busy


@benchmark(
    "real-shop",
    "a cold trimtab plan for the bundled shop with real prices and real traffic",
    needs=(OFFERS, TRAFFIC),
)
def real_shop(data: Path | None) -> Iterator[Case]:
    if data is not None:
        for trace in TRACES:
            yield Case(trace.removeprefix("web/"), partial(measure, data.resolve(), trace))


def measure(data: Path, trace: str, folder: Path) -> Iterator[Metric]:
    """Give the shop other prices and other users, and plan it in a fresh process."""
    from optimizer.gather import gather

    path, out = folder / "world", folder / "out"
    write_world(data, trace, path)
    yield Metric("whole_process", plan_cold(path, out), "s")
    yield from figures(out)
    world, catalogue = gather(path)
    yield Metric("offerings", len(catalogue.book), "1")
    yield Metric("offerings_in_places", len(world.book), "1")


def write_world(data: Path, trace: str, folder: Path) -> None:
    """The shop's world with the catalogue of ``data`` and users who behave as in ``trace``."""
    shutil.copytree(SHOP, folder)
    world: dict[str, Any] = yaml.safe_load((folder / "world.yaml").read_text(encoding="utf-8"))
    world["prices"] = {"file": str(data / OFFERS), "unpriced": "report"}
    world["demand"] = {"history": "demand.csv", "gaps": "fill", "note": f"{trace}, scaled"}
    for rule in world["rules"]:
        if rule["kind"] == "budget":
            rule["usd_per_month"] *= BUDGETS
    (folder / "world.yaml").write_text(yaml.safe_dump(world, sort_keys=False), encoding="utf-8")
    minutes = pd.read_parquet(data / TRAFFIC).set_index("ts")
    hourly = minutes.loc[minutes["series_id"] == trace, "value"].resample("h").mean()
    local = hourly.shift(TRACES[trace], freq="h").tz_localize("UTC")
    demand = pd.read_csv(SHOP / "demand.csv", parse_dates=["ts"])
    acted_out(demand, local).to_csv(folder / "demand.csv", index=False)


def acted_out(demand: pd.DataFrame, local: pd.Series[float]) -> pd.DataFrame:
    """``demand`` with the rhythm of ``local``, hourly means by local time, in every origin.

    The trace moves by whole weeks, so that weekdays stay what they are, as little as lets it
    cover the end in every origin. The 99th percentile of every series stays what it was.
    """
    beyond = demand["ts"].max() + pd.Timedelta(hours=max(UTC_OFFSET_HOURS.values()))
    weeks = -((local.index[-1] - beyond) // pd.Timedelta(weeks=1))
    now = local.shift(weeks * 7 * 24, freq="h")
    parts = []
    for (_, origin), series in demand.groupby(["service", "origin"]):
        here = now.shift(-UTC_OFFSET_HOURS[str(origin)], freq="h").reindex(series["ts"])
        scale = series["rps"].quantile(PEAK) / here.quantile(PEAK)
        parts.append(series.assign(rps=(here.to_numpy() * scale).round(2)))
    return pd.concat(parts).dropna()
