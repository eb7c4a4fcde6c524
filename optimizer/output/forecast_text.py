"""What is expected in the words and tables of a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.padding import Padding

from optimizer.expectations import Expectations
from optimizer.forecast.tracked import Tracked
from optimizer.output.terminal import WIDE, percent, plural, rendered, table, words
from optimizer.report.wording import number

MOST_SERIES: Final = 30
MOST_STRAYED: Final = 12
_BARS: Final = "▁▂▃▄▅▆▇█"
_SKETCH: Final = 16


def forecast_text(it: Expectations, width: int, colour: bool) -> str:
    """The busiest series: when, how high, against last week, and which model says so."""
    return rendered(_parts(it, width), width, colour)


def _parts(it: Expectations, width: int) -> Iterator[RenderableType]:
    made = it.forecast
    starts = made.starts.strftime("%Y-%m-%d %H:%M UTC")
    yield words(it.world.name, "bold").append(
        f"  {_lasting(made.periods * it.step)} from {starts}", "dim"
    )
    yield ""
    wide = width >= WIDE
    level = min(max(it.world.policy.demand_quantile, made.levels[0]), made.levels[-1])
    median, high = made.at_level(0.5), made.at_level(level)
    heads = ["Service", "Origin", "Busiest", "When", f"{level:g} quantile"]
    further = [f"Last {_lasting(it.lately)}", "On last week", "Ahead", "Model"] if wide else []
    numbers = ["Busiest", f"{level:g} quantile", *further[:3]]
    title = f"Requests in telemetry {it.measured!r}, rps" if it.measured else "Direct demand, rps"
    shown = table(title, heads + further, numbers)
    changes = it.against_last_week
    for s in it.order[:MOST_SERIES]:
        service, origin = made.series[s]
        peak = int(median[s].argmax())
        cells: list[RenderableType] = [
            words(service),
            words(origin),
            number(float(median[s, peak])),
            _when(it, peak),
            number(float(high[s].max())),
        ]
        if wide:
            cells += [
                _lately(float(it.lately_rps[s])),
                _signed(float(changes[s])),
                sketch(median[s]),
                words(made.choices[s].model),
            ]
        shown.add_row(*cells)
    yield shown
    if len(made.series) > MOST_SERIES:
        yield _more(len(made.series) - MOST_SERIES)
    if it.summed is not None:
        yield from _totals(it.summed, level, wide)
    if it.tracked is not None:
        yield from _tracked(it.tracked, it.order, wide)
    for event in it.events:
        span = f"{event.starts:%Y-%m-%d %H:%M} to {event.ends:%Y-%m-%d %H:%M}"
        yield words(f"Event: {event.name} ({event.kind}), {span}")
    if it.anomalies:
        yield from _strayed(it)


def _totals(it: Expectations, level: float, wide: bool) -> Iterator[RenderableType]:
    made = it.forecast
    median, high = made.at_level(0.5), made.at_level(level)
    heads = ["Of", "Busiest", "When", f"{level:g} quantile"]
    further = [f"Last {_lasting(it.lately)}", "On last week", "Ahead"] if wide else []
    numbers = ["Busiest", f"{level:g} quantile", *further[:2]]
    shown = table("Totals, rps", heads + further, numbers)
    changes = it.against_last_week
    for s, (service, origin) in enumerate(made.series[:MOST_SERIES]):
        peak = int(median[s].argmax())
        cells: list[RenderableType] = [
            words(service or origin or "everything"),
            number(float(median[s, peak])),
            _when(it, peak),
            number(float(high[s].max())),
        ]
        if wide:
            cells += [
                _lately(float(it.lately_rps[s])),
                _signed(float(changes[s])),
                sketch(median[s]),
            ]
        shown.add_row(*cells)
    yield shown
    if len(made.series) > MOST_SERIES:
        yield _more(len(made.series) - MOST_SERIES)


def _tracked(it: Tracked, order: NDArray[np.int64], wide: bool) -> Iterator[RenderableType]:
    """How forecasts did, and the switches between models."""
    online = it.online
    days = plural(it.hours // 24, "day")
    shown_levels = [k for k, level in enumerate(online.levels) if wide or level in (0.5, 0.9)]
    below = [f"≤ {online.levels[k]:g}" for k in shown_levels]
    heads = ["Service", "Origin", "Error", *below, *(["Model in use"] if wide else [])]
    shown = table(f"The last {days}, foretold day by day", heads, ["Error", *below])
    for s in order[:MOST_SERIES]:
        cells: list[RenderableType] = [words(name) for name in online.series[s]]
        cells.append(f"{it.error[s]:.2f}" if math.isfinite(it.error[s]) else "")
        shares = online.coverage[s, shown_levels]
        cells += ["" if math.isnan(share) else f"{100 * share:.0f} %" for share in shares]
        if wide:
            cells.append(words(online.models[online.in_use[s]]))
        shown.add_row(*cells)
    yield shown
    if len(online.series) > MOST_SERIES:
        yield _more(len(online.series) - MOST_SERIES)
    note = "Error: of the median, over that of repeating the week before. ≤: share of hours not"
    yield words(f"{note} above that quantile.", "dim")
    yield words(f"{plural(len(online.journal), 'switch', 'switches')} of models", "bold")
    for one in online.journal[-MOST_STRAYED:]:
        where = f"{one.at:%Y-%m-%d %H:%M} {one.service} ({one.origin})"
        said = f"{where}: {one.before} → {one.after}; {one.why}"
        yield Padding(words(said), (0, 0, 0, 2))
    if len(online.journal) > MOST_STRAYED:
        yield _more(len(online.journal) - MOST_STRAYED)


def _when(it: Expectations, period: int) -> str:
    when = it.forecast.starts + period * it.step
    near = it.forecast.periods * it.step <= timedelta(weeks=1)
    return f"{when:%a %H:%M}" if near else f"{when:%d %b %H:%M}"


def _strayed(it: Expectations) -> Iterator[RenderableType]:
    yield words(f"{plural(len(it.anomalies), 'anomaly', 'anomalies')} in the history", "bold")
    for one in it.anomalies[-MOST_STRAYED:]:
        span = f"{one.starts:%Y-%m-%d %H:%M} to {one.ends:%Y-%m-%d %H:%M}"
        yield Padding(words(f"{one.key.in_words}, {span}: {one.why}"), (0, 0, 0, 2))
    if len(it.anomalies) > MOST_STRAYED:
        yield _more(len(it.anomalies) - MOST_STRAYED)


def sketch(values: NDArray[np.float64]) -> str:
    """Values as a row of bars from 0 to their highest, at most 16 of them."""
    stride = -(-len(values) // _SKETCH)
    highest = float(values.max(initial=0.0))
    if not highest > 0:
        return _BARS[0] * -(-len(values) // stride)
    parts = [values[i : i + stride].max() for i in range(0, len(values), stride)]
    return "".join(_BARS[min(int(part / highest * len(_BARS)), len(_BARS) - 1)] for part in parts)


def _lately(mean_rps: float) -> str:
    return number(mean_rps) if math.isfinite(mean_rps) else ""


def _lasting(span: timedelta) -> str:
    """Whole hours as such, else minutes."""
    minutes = round(span / timedelta(minutes=1))
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def _signed(change: float) -> str:
    if not math.isfinite(change):
        return ""
    sign = "+" if change >= 0.0005 else "−" if change <= -0.0005 else ""
    return sign + percent(abs(change))


def _more(count: int) -> Padding:
    return Padding(words(f"and {count:,} more", "dim"), (0, 0, 0, 2))
