"""A rolling horizon on the bundled shop with real traffic, against other ways of running it.

Days of a public trace, minute by minute, in the shape that the shop's users give it: their hours of
the day, and the shop's levels. Everything that is tuned is tuned on the week before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.registry import Case, Metric, benchmark
from benchmarks.shop import SHOP

if TYPE_CHECKING:
    from models.demand import History
    from optimizer.rolling.facts import Facts
    from optimizer.rolling.horizon import Horizon
    from optimizer.rolling.play import Decide, Played, Trace
    from optimizer.rolling.state import Routes

Floats = NDArray[np.float64]

MINUTES: Final = "traces/web_minute.parquet"
HOURLY: Final = "traces/appserver_hourly.parquet"
DAYS: Final = float(os.environ.get("ROLLING_DAYS", "2"))
HISTORY_DAYS: Final = 28
LOOKBACK_DAYS: Final = 7
UTC_OFFSET_HOURS: Final = {"asia-pacific": 8, "europe": 1, "north-america": -6}
PEAK: Final = 0.99
BUDGETS: Final = 1.25


@dataclass(frozen=True, slots=True)
class Traffic:
    """A series of a file; ``ahead_hours``: how far local time is ahead of its clock; ``first``:
    the share of it after which the days to play begin."""

    file: str
    series: str
    ahead_hours: int
    first: float


TRAFFIC: Final = {
    "World Cup 98": Traffic(MINUTES, "web/worldcup98", 2, 0.9),
    "NASA": Traffic(MINUTES, "web/nasa_http_1995", 0, 0.8),
    "app-server": Traffic(HOURLY, "", 0, 0.6),
}


@benchmark("rolling", "a plan as a policy: the shop on real traffic", (MINUTES, HOURLY))
def rolling(data: Path | None) -> Iterator[Case]:
    if data is None:
        return
    for name, traffic in TRAFFIC.items():
        yield Case(name, partial(measure, data.resolve(), traffic))


@dataclass(frozen=True, eq=False)
class Shop:
    """The shop when the days begin, the days, and the steps before them [series, step]."""

    facts: Facts
    trace: Trace
    before: Floats
    horizon: Horizon


def measure(data: Path, traffic: Traffic, folder: Path) -> Iterator[Metric]:
    """Every way of running the shop over the same days."""
    from models.rules import BudgetRule
    from optimizer.rolling.facts import Facts
    from optimizer.rolling.planning import Planner
    from optimizer.rolling.play import Cloud, play
    from optimizer.rolling.policies import Foresight, Rolling, Standing
    from optimizer.rolling.state import Seen

    del folder
    shop = shop_with(data, traffic)
    facts, trace, horizon = shop.facts, shop.trace, shop.horizon

    def played(decide: Decide) -> Played:
        return play(trace, lambda _: facts, Cloud(horizon.boot), decide)

    planner = Planner("ortools", horizon.method, horizon.time_limit_s, horizon.boot_s)
    rules = tuple(rule for rule in facts.world.rules if not isinstance(rule, BudgetRule))
    free = Facts(replace(facts.world, rules=rules))  # no budget holds an hour's peak all hour
    foresight = Foresight(trace, planner, horizon.boot)
    bound = play(trace, lambda _: free, Cloud(horizon.boot), foresight)
    yield from figures("foresight", bound, bound, facts)
    begun = horizon.begin(facts, trace.starts, shop.before)
    first, _ = horizon.step(facts, begun, Seen(None, ()))
    rolled = played(Rolling(horizon, begun, trace))
    yield from figures("rolling", rolled, bound, facts)
    for how in ("whole", "again"):
        took = [one.solve_s for one in rolled.planned if one.how == how] or [float("nan")]
        yield Metric(f"{how}_solves", len(took), "1")
        yield Metric(f"{how}_solve_median", float(np.median(took)), "s")
        yield Metric(f"{how}_solve_slowest", max(took), "s")
    yield Metric("foresee_median", float(np.median([p.foresee_s for p in rolled.planned])), "s")
    failed = sum(one.usd is None for one in rolled.planned)
    yield Metric("plans_not_found", failed, "1")
    bare = replace(horizon, corrects=False)
    daily = replace(bare, every_hours=24, whole_every_hours=24)
    yield from figures("daily", played(Rolling(daily, begun, trace)), bound, facts)
    for name, spot in (("tracking", False), ("tracking_on_spot", True)):
        reacting = played(tracking(shop, first.routes, spot=spot))
        yield from figures(name, reacting, bound, facts)
    yield from figures("today", played(Standing(facts, trace)), bound, facts)


def figures(name: str, played: Played, bound: Played, facts: Facts) -> Iterator[Metric]:
    """Cost, what was not served, and moves."""
    yield Metric(f"{name}_cost", played.usd_per_hour, "USD/h")
    yield Metric(f"{name}_over_foresight", played.usd_per_hour / bound.usd_per_hour, "1")
    yield Metric(f"{name}_unserved", played.unserved_share, "1")
    yield Metric(f"{name}_worst_service", float(played.unserved_shares.max()), "1")
    missed = int((played.unserved_shares > facts.world.policy.unserved_share).sum())
    yield Metric(f"{name}_services_above_objective", missed, "1")
    days = played.usd.shape[1] * played.step_s / 86_400
    yield Metric(f"{name}_moves_per_day", played.moves / days, "1")


def tracking(shop: Shop, routes: Routes, *, spot: bool) -> Decide:
    """Reactive scaling on the routes of our first plan, its targets tuned on the week before."""
    from optimizer.rolling.hedge import Grid, Lookback, choose, usual_hedge
    from optimizer.rolling.policies import Tracking, cheapest_keys

    facts, horizon = shop.facts, shop.horizon
    steps = shop.before[:, -LOOKBACK_DAYS * 24 * 3600 // horizon.step_s :]
    demand = replace(shop.trace, rps=steps).demand_rps(facts)
    loads = np.stack(
        [routes.load_rps(demand[:, :, t], facts.shape[1]) for t in range(demand.shape[2])], axis=2
    )
    keys = cheapest_keys(facts, routes, np.quantile(loads, 0.9, axis=2), spot=spot)
    roster = facts.roster(keys)
    looks: list[Lookback | None] = []
    for s in range(facts.shape[0]):
        rows = np.flatnonzero(roster.service == s)
        load = loads[s, roster.region[rows]]
        hours = load.shape[1] * horizon.step_s // 3600
        nothing = np.zeros((len(rows), hours, 8))
        looks.append(Lookback(load, nothing, roster.serves_rps[rows], np.ones(len(rows))))
    policy, services = facts.world.policy, facts.shape[0]
    grid = replace(Grid.of(horizon.step_s), levels=(0.5,))
    usual = usual_hedge(services, 0.5, shop.trace.starts, horizon.step_s)
    objective = np.full(services, policy.unserved_share)
    hedge = choose(looks, objective, usual, [grid] * services, horizon.boot_steps)
    return Tracking(shop.trace, routes, keys, hedge.target, hedge.hold, shop.before)


def shop_with(data: Path, traffic: Traffic) -> Shop:
    """The shop whose users behave as in the trace, with as much demand as it has of its own."""
    from models.rules import BudgetRule
    from optimizer.gather import gather
    from optimizer.rolling.facts import Facts
    from optimizer.rolling.horizon import Horizon
    from optimizer.rolling.play import Trace

    minutes = traffic.file == MINUTES
    horizon = Horizon(step_s=60, boot_s=180) if minutes else Horizon(step_s=300, boot_s=300)
    world, _ = gather(SHOP)
    rules = tuple(
        replace(rule, usd_per_month=rule.usd_per_month * BUDGETS)
        if isinstance(rule, BudgetRule)
        else rule
        for rule in world.rules
    )
    local = read(data, traffic, horizon.step_s)
    whole = (local.index[-1] - local.index[0]) // pd.Timedelta(days=1)
    first = local.index[0].ceil("D") + pd.Timedelta(days=int(traffic.first * whole))
    begins = first - pd.Timedelta(days=HISTORY_DAYS)
    index = pd.date_range(begins, first + pd.Timedelta(days=DAYS), freq=f"{horizon.step_s}s",
                          inclusive="left")  # fmt: skip
    series, rows = [], []
    levels = world.history.frame.groupby(["service", "origin"], observed=True)["rps"]
    for (service, origin), own in levels:
        here = local.shift(-UTC_OFFSET_HOURS[str(origin)], freq="h").reindex(index)
        known = here[:first]
        scale = own.quantile(PEAK) / known.resample("h").mean().quantile(PEAK)
        series.append((str(service), str(origin)))
        rows.append(here.to_numpy(np.float64) * float(scale))
    rps = np.stack(rows)
    steps = HISTORY_DAYS * 86_400 // horizon.step_s
    starts = first.tz_localize("UTC").to_pydatetime()
    made = replace(
        world, rules=rules, starts=starts,
        history=hourly(series, rps[:, :steps], begins.tz_localize("UTC"), 3600 // horizon.step_s),
    )  # fmt: skip
    trace = Trace(tuple(series), starts, horizon.step_s, rps[:, steps:])
    return Shop(Facts(made), trace, rps[:, :steps], horizon)


def read(data: Path, traffic: Traffic, step_s: int) -> pd.Series[float]:
    """Requests by local time, in steps; hours are laid on lines between their middles."""
    rows = pd.read_parquet(data / traffic.file)
    if traffic.series:
        rows = rows[rows["series_id"] == traffic.series]
    values = rows.set_index("ts")["value"].sort_index()
    if traffic.file == MINUTES:
        found = values.resample(f"{step_s}s").mean()
    else:
        middle = values.resample("h").mean().shift(30, freq="min")
        found = middle.resample(f"{step_s}s").interpolate("linear", limit_area="inside")
    return found.shift(traffic.ahead_hours, freq="h")


def hourly(
    series: list[tuple[str, str]], rps: Floats, begins: pd.Timestamp, per_hour: int
) -> History:
    """Means of hours, as a history."""
    from models.demand import History

    parts = []
    for (service, origin), row in zip(series, rps, strict=True):
        blocks = row.reshape(-1, per_hour)
        known = (~np.isnan(blocks)).sum(axis=1)
        mean = np.where(known > 0, np.nansum(blocks, axis=1) / np.maximum(known, 1), np.nan)
        ts = begins + pd.to_timedelta(np.arange(len(mean)), unit="h")
        frame = pd.DataFrame({"ts": ts, "service": service, "origin": origin, "rps": mean})
        parts.append(frame.dropna())
    return History(pd.concat(parts, ignore_index=True))
