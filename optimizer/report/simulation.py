"""A simulation as one page: what policies cost against what they leave unserved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from optimizer.output.simulation_text import WHOLE_INSTANCES, over_words, share_words
from optimizer.report.charts import coordinate, ticks
from optimizer.report.loads import Tick
from optimizer.report.page import render
from optimizer.report.wording import exact, hour, number, plural, usd
from optimizer.simulate.choosing import WHOLE_FLEET
from optimizer.simulate.compare import Compared
from optimizer.simulate.study import Figures, Study
from optimizer.simulate.sweep import SHARES, Sweep

WIDTH: Final = 860.0
HEIGHT: Final = 440.0
LEFT: Final = 52.0
TOP: Final = 14.0
RIGHT: Final = 16.0
BOTTOM: Final = 44.0
LEAST_SHARE: Final = 1e-6
"""Smaller shares than this, and none at all, are drawn at the edge."""
MOST_SHARE: Final = 0.1
MOST_OVER: Final = 2.0
"""Settings that leave more unserved, or cost more than this multiple of perfect foresight, are left
out of the drawing."""
MOST_ROWS: Final = 500

NAMES: Final = {
    "ours": "Ours", "reactive": "Reactive target tracking", "hpa": "Kubernetes HPA",
    "tracking": "Cloud target tracking", "scheduled": "By hour of the week",
    "yesterday": "Yesterday at today's level", "static": "Always the same",
    "foresight": "Perfect foresight",
}  # fmt: skip
_SHAPES: Final = {
    "ours": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "reactive": "M-3.4-3.4h6.8v6.8h-6.8z",
    "hpa": "M0-4.4L4.2 3.2H-4.2z", "tracking": "M0 4.4L4.2-3.2H-4.2z",
    "scheduled": "M0-4.6L4.6 0L0 4.6L-4.6 0z", "yesterday": "M-4-1.2h8v2.4h-8z",
    "static": "M-1.2-4h2.4v8h-2.4z",
    "foresight": "M-1.2-4.2h2.4v3h3v2.4h-3v3h-2.4v-3h-3v-2.4h3z",
}  # fmt: skip
"""Marks that can be told apart without colour, around their middle."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One setting, where it is drawn."""

    x: str
    y: str
    title: str


@dataclass(frozen=True, slots=True)
class Family:
    key: str
    name: str
    shape: str
    line: str
    spots: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Cost over foresight's (up) against the share unserved (across, logarithmic)."""

    families: tuple[Family, ...]
    left_out: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Page:
    world: str
    span: str
    smooth: bool
    whole: str
    facts: tuple[tuple[str, str], ...]
    plot: Plot | None
    shares: tuple[str, ...]
    reached: tuple[tuple[str, tuple[str, ...]], ...]
    policies: tuple[tuple[str, tuple[str, ...]], ...]
    services: tuple[tuple[str, str, str, tuple[str, ...]], ...]
    services_left_out: int
    held: tuple[tuple[str, ...], ...]


def render_simulation(it: Compared) -> str:
    """A whole HTML document, the same for the same simulation."""
    return render("simulation.html.j2", it=_page(it), **_sizes())


def _sizes() -> dict[str, float]:
    return {"width": WIDTH, "height": HEIGHT, "left": LEFT, "top": TOP, "right": WIDTH - RIGHT,
            "bottom": HEIGHT - BOTTOM}  # fmt: skip


def _page(it: Compared) -> Page:
    study, sweep = it.study, it.sweep
    order = {one.service: i for i, one in enumerate(study.held)}
    rows = sorted(study.found, key=lambda one: order[one.service])
    return Page(
        world=study.world,
        span=f"{hour(study.starts)} to {hour(study.ends)}",
        smooth=study.asked.smooth,
        whole=WHOLE_INSTANCES if WHOLE_FLEET in study.policies else "",
        facts=_facts(study),
        plot=None if sweep is None else plot(sweep),
        shares=tuple(share_words(share) for share in SHARES),
        reached=() if sweep is None else _reached(sweep),
        policies=tuple((name, _cells(study, study.of(name), None)) for name in study.policies),
        services=tuple(
            (o.service, o.policy, o.chosen, _cells(study, o.figures, o.service)[:5])
            for o in rows[:MOST_ROWS]
        ),
        services_left_out=max(0, len(rows) - MOST_ROWS),
        held=tuple(
            (one.service, one.place, one.instance_type, one.purchase.replace("_", " "),
             usd(exact(one.machine.usd_per_hour), _FINE), number(one.machine.serves_rps),
             f"{one.machine.boot_s:g}", f"{1000 * one.machine.wait_s:.0f}")
            for one in study.held[:MOST_ROWS]
        ),
    )  # fmt: skip


_FINE: Final = exact(0.0001)


def _facts(study: Study) -> tuple[tuple[str, str], ...]:
    settings = study.settings
    bills = settings.billing
    per = "second" if bills.granularity_s == 1 else f"{bills.granularity_s} s"
    return (
        ("Demand", study.source),
        ("Services", f"{len(study.held):,}"),
        ("Parameters", f"chosen on {hour(study.asked.starts)} to {hour(study.starts)}"),
        ("Billing", f"by the {per}, {plural(bills.minimum_s, 'second')} at least, boots included"),
        ("Requests", f"wait up to {plural(settings.patience_s, 'second')} for a replica"),
        ("Seed", f"{study.seed}"),
    )  # fmt: skip


def _cells(study: Study, figures: Figures, service: str | None) -> tuple[str, ...]:
    late = figures.missed_minutes / figures.minutes if figures.minutes else 0.0
    gone = figures.interruptions
    return (
        usd(exact(round(figures.usd, 2))),
        over_words(study.over_foresight(figures, service)),
        share_words(figures.unserved_share),
        share_words(late),
        f"{figures.starts:,}",
        f"{figures.stops:,}",
        f"{figures.failures:,}",
        f"{figures.survived:,} of {gone:,}" if gone else "",
    )


def _reached(sweep: Sweep) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(
        (NAMES[family], tuple(over_words(sweep.cost_at(family, share)) or "not reached"
                              for share in SHARES))
        for family in sweep.families
    )  # fmt: skip


def plot(sweep: Sweep) -> Plot:
    """Every family with its frontier as a line and its settings as marks."""
    shown = [
        p
        for p in sweep.points
        if p.over_foresight <= MOST_OVER and p.figures.unserved_share <= MOST_SHARE
    ]
    highest = max((p.over_foresight for p in shown), default=1.0)
    lowest = min((p.over_foresight for p in shown), default=1.0)
    every = ticks(highest, round(8 * highest / (highest - lowest + 0.1)))
    base = max(value for value in every if value <= lowest)
    marks = [value for value in every if value >= base]
    top = marks[-1]
    families = []
    for family in sweep.families:
        own = [p for p in shown if p.family == family]
        if not own:
            continue
        best = sweep.best(family)
        best = best[(best[:, 0] <= MOST_OVER) & (best[:, 1] <= MOST_SHARE)]
        spots = tuple(
            Spot(
                coordinate(_x(p.figures.unserved_share)),
                coordinate(_y(p.over_foresight, base, top)),
                f"{NAMES[family]}, {p.setting}: {over_words(p.over_foresight)} × perfect "
                f"foresight, {share_words(p.figures.unserved_share)} unserved",
            )
            for p in own
        )
        line = _line(best, base, top)
        families.append(Family(family, NAMES[family], _SHAPES[family], line, spots))
    return Plot(
        tuple(families),
        len(sweep.points) - len(shown),
        tuple(Tick(round(_x(10.0**e), 1), _share(e)) for e in range(-6, 0)),
        tuple(Tick(round(_y(v, base, top), 1), f"{v:.4g}") for v in marks),
    )


def _share(exponent: int) -> str:
    if exponent == round(math.log10(LEAST_SHARE)):
        return "less"
    return f"{100 * 10.0**exponent:g} %"


def _x(share: float) -> float:
    low, high = math.log10(LEAST_SHARE), math.log10(MOST_SHARE)
    at = (math.log10(min(max(share, LEAST_SHARE), MOST_SHARE)) - low) / (high - low)
    return LEFT + (WIDTH - LEFT - RIGHT) * at


def _y(over: float, base: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (over - base) / (top - base))


def _line(best: NDArray[np.float64], base: float, top: float) -> str:
    points: Sequence[tuple[float, float]] = [(_x(s), _y(c, base, top)) for c, s in best.tolist()]
    return "M" + "L".join(f"{coordinate(x)} {coordinate(y)}" for x, y in points) if points else ""
