"""What is expected, as one page: history, quantiles, what strayed, and which model says so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from models.events import DemandEvent
from models.foreseen import Anomaly
from optimizer.expectations import Expectations
from optimizer.forecast.tracked import Tracked
from optimizer.report.charts import Frame, ticks
from optimizer.report.loads import HEIGHT, Hover, Tick, level_pairs
from optimizer.report.page import render
from optimizer.report.wording import NBSP, exact, hour, lasting, listed, number, percent, plural

MOST_CHARTS = 60
MOST_TOTALS = 24
MOST_ROWS = 500
MOST_TOOLTIPS = 84
WIDTH = 640.0
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of time on a chart, in its coordinates."""

    x: float
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The drawing of one series; ``key`` is a safe anchor, ``now`` where what is ahead begins."""

    key: str
    service: str
    origin: str
    summary: str
    facts: tuple[tuple[str, str], ...]
    frame: Frame
    past: str
    told: str
    bands: tuple[str, ...]
    median: str
    now: float
    marks: tuple[Mark, ...]
    events: tuple[Mark, ...]
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    hovers: tuple[Hover, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One series in the table: figures in words."""

    service: str
    origin: str
    lately: str
    busiest: str
    when: str
    high: str
    change: str
    model: str
    score: str
    why: str


@dataclass(frozen=True, slots=True)
class Told:
    """How the last days would have been foretold: a row per series, in words, and the switches."""

    days: str
    levels: tuple[str, ...]
    rows: tuple[tuple[str, str, str, tuple[str, ...], str], ...]
    switches: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Page:
    world: str
    span: str
    step: str
    lately: str
    facts: tuple[tuple[str, str], ...]
    bands: str
    high: str
    totals: tuple[Chart, ...]
    totals_left_out: int
    charts: tuple[Chart, ...]
    charts_left_out: int
    rows: tuple[Row, ...]
    rows_left_out: int
    told: Told | None
    events: tuple[tuple[str, str, str, str, str], ...]
    strayed: tuple[tuple[str, str, str, str, str], ...]
    strayed_left_out: int


def render_forecast(it: Expectations) -> str:
    """What is expected: a whole HTML document, the same for the same expectations."""
    return render("forecast.html.j2", it=_page(it))


def _page(it: Expectations) -> Page:
    order = [int(s) for s in it.order]
    levels = it.forecast.levels
    pairs = level_pairs(levels)
    changes = it.against_last_week
    totals = () if it.totals is None else it.totals.series
    return Page(
        world=it.world.name,
        span=f"{lasting(it.forecast.periods * it.step)} from {hour(it.forecast.starts)}",
        step=lasting(it.step).removeprefix("1 "),
        lately=lasting(it.lately).removeprefix("1 "),
        facts=_facts(it),
        bands=", ".join(f"{levels[low]:g}–{levels[high]:g}" for low, high in pairs),
        high=f"{_high_level(it):g}",
        totals=_charts_of_totals(it.summed),
        totals_left_out=max(0, len(totals) - MOST_TOTALS),
        charts=tuple(_chart(it, s, f"series-{i + 1}") for i, s in enumerate(order[:MOST_CHARTS])),
        charts_left_out=max(0, len(order) - MOST_CHARTS),
        rows=tuple(_row(it, s, float(changes[s])) for s in order[:MOST_ROWS]),
        rows_left_out=max(0, len(order) - MOST_ROWS),
        told=None if it.tracked is None else _told(it.tracked, order[:MOST_ROWS]),
        events=tuple(_event(one) for one in it.events),
        strayed=tuple(_strayed(one) for one in it.anomalies[:MOST_ROWS]),
        strayed_left_out=max(0, len(it.anomalies) - MOST_ROWS),
    )


def _charts_of_totals(it: Expectations | None) -> tuple[Chart, ...]:
    if it is None:
        return ()
    count = min(len(it.forecast.series), MOST_TOTALS)
    return tuple(_chart(it, s, f"total-{s + 1}") for s in range(count))


def _facts(it: Expectations) -> tuple[tuple[str, str], ...]:
    models = sorted({choice.model for choice in it.forecast.choices})
    observed = ~np.isnan(it.past_rps)
    share = float(observed.mean()) if observed.size else 0.0
    shown, asked = lasting(it.past_shown), "a service's direct users at one origin each"
    if it.measured:
        asked = "what arrives at a service from one origin each, or from all"
    facts = [
        ("Series", f"{len(it.forecast.series):,} ({asked})"),
        ("History shown", f"{shown} to {hour(it.forecast.starts)}, {percent(exact(share))} seen"),
        ("Models", listed(models, 8)),
    ]  # fmt: skip
    if it.measured:
        facts.append(("Source", f"telemetry {it.measured!r}"))
    elif it.world.history.note:
        facts.append(("Source", it.world.history.note))
    if it.world.demand_factors:
        facts.append(("What-if", "demand is scaled as the scenario says"))
    return tuple(facts)


def _high_level(it: Expectations) -> float:
    """The quantile that capacity is planned for, within what is foreseen."""
    levels = it.forecast.levels
    return min(max(it.world.policy.demand_quantile, levels[0]), levels[-1])


def _row(it: Expectations, s: int, change: float) -> Row:
    service, origin = it.forecast.series[s]
    median, high = it.forecast.at_level(0.5)[s], it.forecast.at_level(_high_level(it))[s]
    peak = int(median.argmax())
    choice = it.forecast.choices[s]
    score = dict(choice.scores).get(choice.model, math.nan)
    lately = float(it.lately_rps[s])
    return Row(
        service=service,
        origin=origin,
        lately=number(lately) if math.isfinite(lately) else "",
        busiest=number(float(median[peak])),
        when=f"{it.forecast.starts + peak * it.step:%a %d %b %H:%M}",
        high=number(float(high.max())),
        change=_signed(change),
        model=choice.model,
        score=f"{score:.3f}" if math.isfinite(score) else "",
        why=choice.why,
    )


def _told(it: Tracked, order: list[int]) -> Told:
    online = it.online
    return Told(
        days=plural(it.hours // 24, "day"),
        levels=tuple(f"{level:g}" for level in online.levels),
        rows=tuple(
            (
                *online.series[s],
                f"{it.error[s]:.2f}" if math.isfinite(it.error[s]) else "",
                tuple(
                    "" if math.isnan(share) else f"{100 * share:.0f} %"
                    for share in online.coverage[s]
                ),
                online.models[online.in_use[s]],
            )
            for s in order
        ),
        switches=tuple(
            (
                f"{one.service} · {one.origin}",
                hour(one.at),
                f"{one.before} → {one.after}",
                one.why,
            )
            for one in online.journal[-MOST_ROWS:]
        ),
    )


def _signed(change: float) -> str:
    if not math.isfinite(change):
        return ""
    words = percent(exact(round(change, 6)))
    return f"+{words}" if change >= 0.0005 else words


def _chart(it: Expectations, s: int, key: str) -> Chart:
    service, origin = it.forecast.series[s]
    past, quantiles = it.past_rps[s], it.forecast.quantiles_rps[s]
    median = it.forecast.at_level(0.5)[s]
    behind, ahead = len(past), it.forecast.periods
    seen = past[~np.isnan(past)]
    marks = ticks(float(max(seen.max(initial=0.0), quantiles.max(initial=0.0))))
    frame = Frame(48, 20, WIDTH - 58, HEIGHT - 46, behind + ahead, marks[-1])
    peak = int(median.argmax())
    high = it.forecast.at_level(_high_level(it))[s]
    why = it.forecast.choices[s : s + 1]
    when = hour(it.forecast.starts + peak * it.step)
    return Chart(
        key=key,
        service=service or "all services",
        origin=origin or "all origins",
        summary=f"at most {number(float(median[peak]))}{NBSP}rps",
        facts=(
            ("Most ahead, median", f"{number(float(median[peak]))}{NBSP}rps, {when}"),
            (f"Highest {_high_level(it):g} quantile", f"{number(float(high.max()))}{NBSP}rps"),
            *(("Model", choice.model) for choice in why),
            *(("Why", choice.why) for choice in why),
        ),
        frame=frame,
        past=frame.pieces(past),
        told="" if it.tracked is None else frame.pieces(*_medians(it.tracked, s, behind)),
        bands=tuple(
            frame.fan(quantiles[:, low], quantiles[:, high_], behind)
            for low, high_ in level_pairs(it.forecast.levels)
        ),
        median=frame.pieces(median, behind),
        now=round(frame.x(behind), 1),
        marks=_marks(it, s, frame),
        events=_event_marks(it, s, frame),
        y_ticks=tuple(Tick(round(frame.y(v), 1), f"{v:,g}") for v in marks),
        x_ticks=_time_ticks(it.past_starts, it.step, frame),
        hovers=_hovers(it, s, frame),
    )  # fmt: skip


def _medians(it: Tracked, s: int, behind: int) -> tuple[Values, int]:
    """The medians given out that fall into the hours shown, and the hour of the first."""
    shown = min(it.hours, behind)
    return it.median_rps[s, it.hours - shown :], behind - shown


def _marks(it: Expectations, s: int, frame: Frame) -> tuple[Mark, ...]:
    series = it.forecast.series[s]
    found = [
        _stretch(it, frame, one.starts, one.ends, one.why)
        for one in it.anomalies
        if (one.key.service, one.key.origin) == series
    ]
    return tuple(mark for mark in found if mark)


def _event_marks(it: Expectations, s: int, frame: Frame) -> tuple[Mark, ...]:
    found = [
        _stretch(it, frame, event.starts, event.ends, event.name)
        for event in it.events
        if _touches(event, *it.forecast.series[s])
    ]
    return tuple(mark for mark in found if mark)


def _touches(event: DemandEvent, service: str, origin: str) -> bool:
    """Whether it moves any demand of a series, or of a total."""
    services, origins = event.services or {service}, event.origins or {origin}
    return (not service or service in services) and (not origin or origin in origins)


def _stretch(
    it: Expectations, frame: Frame, starts: datetime, ends: datetime, words: str
) -> Mark | None:
    """What of a stretch of time lies in the frame."""
    first = max((starts - it.past_starts) / it.step, 0.0)
    last = min((ends - it.past_starts) / it.step, float(frame.periods))
    if last <= first:
        return None
    x, end = round(frame.x(first), 1), round(frame.x(last), 1)
    return Mark(x, round(end - x, 1), f"{hour(starts)}: {words}")


def _event(event: DemandEvent) -> tuple[str, str, str, str, str]:
    effect = "as earlier ones of its kind" if event.factor is None else f"× {event.factor:g}"
    span = f"{hour(event.starts)} to {hour(event.ends)}"
    services = listed(sorted(event.services)) if event.services else "all services"
    origins = listed(sorted(event.origins)) if event.origins else "all origins"
    return event.name, event.kind, span, f"{services}; {origins}", effect


def _time_ticks(starts: datetime, step: timedelta, frame: Frame) -> tuple[Tick, ...]:
    """Midnights, or full hours of less than two days; at most seven."""
    whole = frame.periods * step
    unit = timedelta(days=1) if whole >= timedelta(days=2) else timedelta(hours=1)
    gap = unit * max(1, -(-(whole // unit) // 7))
    grain = unit if unit.days else gap
    midnight = starts.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight - (midnight - starts) // grain * grain
    words = "%d %b" if unit.days else "%H:%M"
    found = []
    while at < starts + whole:
        found.append(Tick(round(frame.x((at - starts) / step), 1), at.strftime(words)))
        at += gap
    return tuple(found)


def _hovers(it: Expectations, s: int, frame: Frame) -> tuple[Hover, ...]:
    """Strips that tell the hour of the highest value in each."""
    past, median = it.past_rps[s], it.forecast.at_level(0.5)[s]
    low, high = it.forecast.quantiles_rps[s, :, 0], it.forecast.quantiles_rps[s, :, -1]
    whole = np.concatenate([past, median])
    stride = -(-frame.periods // MOST_TOOLTIPS)
    hovers = []
    for first in range(0, frame.periods, stride):
        strip = whole[first : first + stride]
        if np.isnan(strip).all():
            continue
        at = first + int(np.nanargmax(strip))
        when = f"{it.past_starts + at * it.step:%a %d %b %H:%M}"
        if at < len(past):
            words = f"{when}: {number(float(past[at]))}{NBSP}rps"
        else:
            h = at - len(past)
            words = (
                f"{when}: median {number(float(median[h]))}, "
                f"{number(float(low[h]))} to {number(float(high[h]))}{NBSP}rps"
            )
        x = round(frame.x(first), 1)
        width = round(frame.x(min(first + stride, frame.periods)) - frame.x(first), 1)
        hovers.append(Hover(x, width, words))
    return tuple(hovers)


def _strayed(one: Anomaly) -> tuple[str, str, str, str, str]:
    where = " · ".join(part for part in (one.key.service, one.key.origin) if part)
    span = f"{hour(one.starts)} to {hour(one.ends)}"
    return where, span, number(one.value), number(one.expected), one.why
