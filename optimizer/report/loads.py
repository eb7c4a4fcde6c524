"""Demand against capacity, service by service, drawn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from models.plan import Plan
from optimizer.report.charts import Frame, hour_ticks, ticks
from optimizer.report.wording import (
    CLOUD_WORDS,
    NBSP,
    PURCHASE_WORDS,
    exact,
    number,
    percent,
)

MOST_CHARTS = 60
MOST_TOOLTIPS = 48
WIDTH, HEIGHT = 420.0, 200.0
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layer:
    """Capacity of one cloud and purchase option, as a stepped area on top of the layers below."""

    path: str
    cloud: str
    purchase: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Hover:
    """A strip of the chart that tells its numbers."""

    x: float
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class LoadChart:
    """Everything that the drawing of one service needs; ``key`` is a safe anchor."""

    key: str
    service: str
    summary: str
    facts: tuple[tuple[str, str], ...]
    frame: Frame
    layers: tuple[Layer, ...]
    capacity: str
    bands: tuple[str, ...]
    mean: str
    planned: str
    today_y: float | None
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    hovers: tuple[Hover, ...]


@dataclass(frozen=True, slots=True)
class Loads:
    """Charts of the services that cost most; ``left_out`` counts the others."""

    charts: tuple[LoadChart, ...]
    left_out: int
    clouds: tuple[tuple[str, str], ...]
    spot: bool
    bands: str


def loads(plan: Plan) -> Loads:
    """One chart per service, dearest first."""
    layers, stacks = _stacks(plan)
    cost = plan.placement.bill.by("service")
    names = [service.name for service in plan.world.services]
    order = sorted(range(len(names)), key=lambda s: (-cost.get(names[s], 0), names[s]))
    charts = tuple(
        _chart(plan, s, f"load-{rank}", layers, stacks[s])
        for rank, s in enumerate(order[:MOST_CHARTS], start=1)
    )
    used = sorted({cloud for cloud, _ in layers})
    levels = plan.forecast.levels
    return Loads(
        charts=charts,
        left_out=max(0, len(order) - MOST_CHARTS),
        clouds=tuple((cloud, CLOUD_WORDS.get(cloud, cloud)) for cloud in used),
        spot=any(purchase == "spot" for _, purchase in layers),
        bands=", ".join(f"{levels[low]:g}–{levels[high]:g}" for low, high in level_pairs(levels)),
    )


def _stacks(plan: Plan) -> tuple[list[tuple[str, str]], Values]:
    """(cloud, purchase) layers, and capacity in rps of shape [service, layer, period]."""
    counts = plan.placement.counts
    pair = counts["cloud"].astype(str) + " " + counts["purchase"].astype(str)
    known, position = np.unique(pair.to_numpy(str), return_inverse=True)
    layers = [
        (str(cloud), str(purchase)) for cloud, _, purchase in (k.partition(" ") for k in known)
    ]
    row = {service.name: i for i, service in enumerate(plan.world.services)}
    stacks = np.zeros((len(row), len(layers), plan.demand_rps.shape[2]))
    np.add.at(
        stacks,
        (
            counts["service"].map(row).to_numpy(np.int64),
            position.ravel().astype(np.int64),
            counts["period"].to_numpy(np.int64),
        ),
        counts["capacity_rps"].to_numpy(np.float64),
    )
    return layers, stacks


def level_pairs(levels: tuple[float, ...]) -> list[tuple[int, int]]:
    """Indices of the levels that bound a band, the widest first: those as far from 0 as from 1.

    Where no two levels are, the lowest and the highest.
    """
    pairs = [
        (low, high)
        for low in range(len(levels))
        for high in range(low + 1, len(levels))
        if abs(levels[low] + levels[high] - 1) < 1e-9
    ]
    return pairs or ([(0, len(levels) - 1)] if len(levels) > 1 else [])


def _chart(plan: Plan, s: int, key: str, layers: list[tuple[str, str]], stack: Values) -> LoadChart:
    mean, bands = plan.mean_rps[s], plan.bands_rps[s]
    planned = plan.demand_rps[s].sum(axis=0)
    capacity = stack.sum(axis=0)
    today = float(plan.today.capacity_rps[s])
    highest = float(max(capacity.max(), planned.max(), bands.max(initial=0.0)))
    if highest < today <= 2 * highest:  # beyond that, today's line would flatten the rest
        highest = today
    marks = ticks(highest)
    frame = Frame(48, 20, WIDTH - 58, HEIGHT - 46, len(mean), marks[-1])
    tops = np.cumsum(stack, axis=0)
    peak = int(planned.argmax())
    return LoadChart(
        key=key,
        service=plan.world.services[s].name,
        summary=f"peak {number(float(planned[peak]))}{NBSP}rps · {_use(planned, capacity)} used",
        facts=_facts(planned, capacity, today, peak),
        frame=frame,
        layers=tuple(
            Layer(
                frame.step_band(tops[i] - stack[i], tops[i]), cloud, purchase,
                f"{CLOUD_WORDS.get(cloud, cloud)}, {PURCHASE_WORDS.get(purchase, purchase)}",
            )
            for i, (cloud, purchase) in enumerate(layers)
            if stack[i].any()
        ),
        capacity=frame.steps(capacity),
        bands=tuple(
            frame.band(bands[:, low], bands[:, high])
            for low, high in level_pairs(plan.forecast.levels)
        ),
        mean=frame.line(mean),
        planned=frame.steps(planned),
        today_y=round(frame.y(today), 1) if 0 < today <= marks[-1] else None,
        y_ticks=tuple(Tick(round(frame.y(v), 1), f"{v:,g}") for v in marks),
        x_ticks=_x_ticks(plan, frame),
        hovers=_hovers(plan, frame, mean, planned, capacity),
    )  # fmt: skip


def _use(planned: Values, capacity: Values) -> str:
    """Planned-for demand as a share of capacity, over all periods."""
    whole = float(capacity.sum())
    return percent(exact(float(planned.sum())) / exact(whole), 0) if whole > 0 else "none"


def _facts(
    planned: Values, capacity: Values, today: float, peak: int
) -> tuple[tuple[str, str], ...]:
    return (
        ("Busiest hour, planned for", f"{number(float(planned[peak]))}{NBSP}rps"),
        ("Capacity in that hour", f"{number(float(capacity[peak]))}{NBSP}rps"),
        ("Capacity, lowest to highest",
         f"{number(float(capacity.min()))}–{number(float(capacity.max()))}{NBSP}rps"),
        ("Capacity that runs today", f"{number(today)}{NBSP}rps"),
    )  # fmt: skip


def _x_ticks(plan: Plan, frame: Frame) -> tuple[Tick, ...]:
    long = frame.periods > 48
    return tuple(
        Tick(
            round(frame.x(p), 1),
            f"{plan.placement.starts + timedelta(hours=p):{'%d %b' if long else '%H:%M'}}",
        )
        for p in hour_ticks(frame.periods)
    )


def _hovers(
    plan: Plan, frame: Frame, mean: Values, planned: Values, capacity: Values
) -> tuple[Hover, ...]:
    stride = -(-frame.periods // MOST_TOOLTIPS)
    hovers = []
    for first in range(0, frame.periods, stride):
        last = min(first + stride, frame.periods)
        peak = first + int(planned[first:last].argmax())
        when = plan.placement.starts + timedelta(hours=peak)
        hovers.append(
            Hover(
                round(frame.x(first), 1),
                round(frame.x(last) - frame.x(first), 1),
                f"{when:%d %b %H:%M}: mean {number(float(mean[peak]))}, "
                f"planned for {number(float(planned[peak]))}, "
                f"capacity {number(float(capacity[peak]))}{NBSP}rps",
            )
        )
    return tuple(hovers)
