"""How many planted exhaustions and bottlenecks are foreseen in time, and how many alarms are false.

Every world is replayed: each six hours all is foreseen from what was measured by then, and nothing
else. An alarm is a prediction of at least ``LIKELY``. Trouble is *found* when an alarm was given in
the day that ends with the promised lead time before it, and the trouble lies within its horizon.
Alarms of one series that follow each other within a day are one; it is *false* when nothing
happens from its first look to the horizon after its last.

Development used seeds below 100; the cases here use seeds from 1,000 on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.planted import DAY, DAYS, STARTS, STEPS, planted_world
from benchmarks.planted_failures import FAILURES, LEAD, planted_failures
from benchmarks.planted_loads import LOADS, PlantedLoad, planted_load
from benchmarks.registry import Case, Metric, benchmark

LEARNT_HOURS = 28 * DAY
SURGE_HOURS = 2 * DAY
SURGE_EVERY = 36
MOST_STRETCHES = 1200
SEEDS = range(1000, 1010)
EVERY = 6
HORIZON = 7 * DAY
FIRST = 7 * DAY
LEARNT_DAYS = 14
DAYS_PER_MONTH = 30
BINS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)


@benchmark("foresight", "planted exhaustions and bottlenecks: how many are foreseen in time")
def foresight(data: Path | None) -> Iterator[Case]:
    yield Case("exhaustion", partial(measure_exhaustion, SEEDS))
    yield Case("bottleneck", partial(measure_bottlenecks, SEEDS))
    yield Case("failure", partial(measure_failures, SEEDS))
    if data is not None:
        for name, from_share in (("appserver_hourly", 0.5), ("m4_hourly", 0.0)):
            path = data / "traces" / f"{name}.parquet"
            if path.exists():
                yield Case(f"surges, {name}", partial(measure_surges, path, from_share))


@dataclass
class Tally:
    """Counts over many series; ``said`` and ``came`` are of every look, for ``horizon`` steps."""

    horizon: int = HORIZON
    after: int = DAY
    """For so long after it has happened nothing is counted."""

    found: dict[str, list[bool]] = field(default_factory=dict)
    false: dict[str, int] = field(default_factory=dict)
    months: float = 0.0
    said: list[float] = field(default_factory=list)
    came: list[bool] = field(default_factory=list)
    not_before: list[bool] = field(default_factory=list)
    off: list[float] = field(default_factory=list)

    def add(
        self,
        case: str,
        looks: Looks,
        events: list[tuple[int, int, int]],
        besides: Sequence[int] = (),
    ) -> None:
        """``events``: (begins, happens, lead) of one series; ``besides``: steps in which it
        happened, too, though nobody could know, or was so still.
        """
        from optimizer.foresight.foresee import LIKELY

        self.months += DAYS / DAYS_PER_MONTH
        at, chance = looks.at, looks.probability
        over = np.zeros(at.size, bool)
        for begins, happens, lead in events:
            over |= (at >= happens) & (at <= happens + self.after)
            due = np.flatnonzero(
                (at > begins) & (at <= happens - lead) & (at > happens - lead - DAY)
            )
            alarm = due[(chance[due] >= LIKELY) & (at[due] + self.horizon >= happens)]
            self.found.setdefault(case, []).append(alarm.size > 0)
            if alarm.size:
                last = alarm[-1]
                self.not_before.append(bool(at[last] + looks.earliest[last] <= happens))
                self.off.append(float(at[last] + looks.expected[last] - happens) / lead)
        when = np.array([*(happens for _, happens, _ in events), *besides])
        for first, last in _alarms((chance >= LIKELY) & ~over):
            until = at[last] + self.horizon
            if until <= STEPS and not ((when >= at[first]) & (when <= until)).any():
                self.false[case] = self.false.get(case, 0) + 1
        told = ~over & (at + self.horizon <= STEPS)
        self.said += chance[told].tolist()
        self.came += [bool(((when >= t) & (when < t + self.horizon)).any()) for t in at[told]]

    def metrics(self) -> Iterator[Metric]:
        every = [one for found in self.found.values() for one in found]
        yield Metric("events", len(every), "1")
        yield Metric("found", float(np.mean(every)), "1", baseline=0.95)
        alarms = sum(self.false.values()) / self.months
        yield Metric("false_alarms_per_service_month", alarms, "1", baseline=1.0)
        yield Metric("service_months", self.months, "1")
        yield Metric("not_before_earliest", float(np.mean(self.not_before)), "1", baseline=0.9)
        yield Metric("median_error_over_lead", float(np.median(np.abs(self.off))), "1")
        for case, found in self.found.items():
            yield Metric(f"found_{case}", float(np.mean(found)), "1")
            yield Metric(f"events_{case}", len(found), "1")
        for case, count in sorted(self.false.items()):
            yield Metric(f"false_{case}", count, "1")
        said, came = np.array(self.said), np.array(self.came)
        for low, high in pairwise(BINS):
            part = (said >= low) & ((said < high) | (high == 1.0))
            if part.any():
                name = f"came_of_{low:g}_to_{high:g}"
                yield Metric(name, float(came[part].mean()), "1", baseline=float(said[part].mean()))
                yield Metric(f"looks_{low:g}_to_{high:g}", int(part.sum()), "1")


@dataclass(frozen=True, eq=False)
class Looks:
    """What was foreseen of one series ``at`` [look] steps; times are steps ahead."""

    at: NDArray[np.int64]
    probability: NDArray[np.float64]
    earliest: NDArray[np.float64]
    expected: NDArray[np.float64]


def _alarms(up: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First and last look of every alarm; those that follow within a day are one."""
    looks = np.flatnonzero(up)
    if looks.size:
        for part in np.split(looks, np.flatnonzero(np.diff(looks) > DAY // EVERY) + 1):
            yield int(part[0]), int(part[-1])


def measure_exhaustion(seeds: range, folder: Path) -> Iterator[Metric]:
    """Disks and memory that run out, and what only looks like it."""
    del folder
    from optimizer.foresight.exhaustion import passage
    from optimizer.foresight.saying import EARLIEST

    tally, began = Tally(), process_time()
    at = np.arange(FIRST, STEPS + 1, EVERY)
    for seed in seeds:
        world = planted_world(seed)
        values = world.signals.values
        seen = [passage(values[:, :now], DAY, int(now) % (7 * DAY), HORIZON) for now in at]
        chance = np.stack([one.probability for one in seen])
        earliest = np.stack([one.not_before(EARLIEST) for one in seen])
        expected = np.stack([one.quantile(0.5) for one in seen])
        for row, case in enumerate(world.cases):
            key = world.signals.keys[row]
            events = [(t.begins, t.happens, t.lead) for t in world.trouble if t.key == key]
            looks = Looks(at, chance[:, row], earliest[:, row], expected[:, row])
            tally.add(case, looks, events)
    yield from tally.metrics()
    series = len(seeds) * len(world.cases)
    yield Metric("per_look", 1000 * (process_time() - began) / (at.size * series), "ms")


def measure_bottlenecks(seeds: range, folder: Path) -> Iterator[Metric]:
    """Load that breaks latency objectives, and what only looks like it."""
    del folder
    tally, held, began = Tally(), list[bool](), process_time()
    for seed in seeds:
        for case in LOADS:
            planted = planted_load(seed, case)
            looks, inside = _replayed(planted)
            events = []
            if planted.begins is not None and planted.happens is not None:
                events = [(planted.begins, planted.happens, planted.lead)]
                kept = looks.at < planted.happens
                looks = Looks(looks.at[kept], looks.probability[kept], looks.earliest[kept],
                              looks.expected[kept])  # fmt: skip
            if case != "new-version":  # where its objective breaks changes
                held += inside
            tally.add(case, looks, events)
    yield from tally.metrics()
    yield Metric("interval_holds_breaking_load", float(np.mean(held)), "1", baseline=0.9)
    count = (STEPS - FIRST) / EVERY * len(seeds) * len(LOADS)
    yield Metric("per_look", 1000 * (process_time() - began) / count, "ms")


def _replayed(planted: PlantedLoad) -> tuple[Looks, list[bool]]:
    """And, wherever the breaking load was said to be known, whether its interval held it."""
    from optimizer.foresight.bottlenecks import bottleneck
    from optimizer.foresight.saying import EARLIEST

    rows, inside = [], []
    at = np.arange(FIRST, STEPS + 1, EVERY)
    for now in at:
        seen = bottleneck(
            planted.load[:now], planted.latency[:now], planted.objective_ms, DAY,
            int(now) % (7 * DAY), HORIZON,
        )  # fmt: skip
        if seen.ahead is None:
            rows.append((0.0, float(HORIZON), float(HORIZON)))
        else:
            ahead = seen.ahead
            first, middle = float(ahead.not_before(EARLIEST)[0]), float(ahead.quantile(0.5)[0])
            rows.append((seen.probability, first, middle))
        if seen.breaks is not None and seen.breaks.known:
            inside.append(seen.breaks.low <= planted.breaking_load <= seen.breaks.high)
    chance, earliest, expected = np.array(rows).T
    return Looks(at, chance, earliest, expected), inside


def measure_failures(seeds: range, folder: Path) -> Iterator[Metric]:
    """Services that fail within a day, and what only looks like it."""
    del folder
    from models.signals import Signals
    from optimizer.anomalies.detect import detect
    from optimizer.foresight.failing import failing
    from optimizer.foresight.saying import Moment
    from optimizer.foresight.troubles import signs

    tally, began = Tally(DAY, after=0), process_time()
    at = np.arange(LEARNT_DAYS * DAY, STEPS + 1, EVERY)
    for seed in seeds:
        for case in FAILURES:
            planted = planted_failures(seed, case)
            whole, anomalies = planted.signals, detect(planted.signals)
            rows, already = np.tile((0.0, DAY, DAY), (at.size, 1)), np.zeros(at.size, np.bool_)
            for row, now in enumerate(at.tolist()):
                known = Signals(whole.starts, whole.step_s, whole.keys, whole.values[:, :now])
                moment = Moment(known.ends, whole.step_s, timedelta(hours=DAY))
                begun = [one for one in anomalies if one.starts < moment.made_at]
                for one in failing(signs(known, moment), known, moment, begun):
                    early, middle = (
                        (at_time - one.made_at).total_seconds() / whole.step_s
                        for at_time in (one.earliest_at, one.expected_at)
                    )
                    rows[row] = (one.probability, early, middle)
                    already[row] = one.since is not None
            # What is so already is no forecast.
            looks = Looks(*(values[~already] for values in (at, *rows.T)))
            tally.add(case, looks, [(*t, LEAD) for t in planted.troubles], planted.failed)
    yield from tally.metrics()
    count = at.size * len(seeds) * len(FAILURES)
    yield Metric("per_look", 1000 * (process_time() - began) / count, "ms")


def measure_surges(path: Path, from_share: float, folder: Path) -> Iterator[Metric]:
    """Chances of surges and drops within two days, on stretches of public traces, and how many
    came. ``from_share``: the part of each trace before that served development.
    """
    del folder
    from optimizer.foresight.surges import FACTOR, crossings, over_usual, usual
    from optimizer.foresight.traffic import foretold

    stretches = np.array(list(_stretches(path, from_share)))
    picked = np.random.default_rng(0).permutation(len(stretches))[:MOST_STRETCHES]
    stretches = stretches[picked]
    past, later = stretches[:, :LEARNT_HOURS], stretches[:, LEARNT_HOURS:]
    expected = usual(past, 7 * DAY, SURGE_HOURS)
    made = foretold([f"{i:05d}" for i in range(len(past))], past, STARTS, SURGE_HOURS)
    found = np.array(
        [
            [
                max(one.probability for one in crossings(
                    rps, usually, quantiles, made.levels, None, factor
                ))
                for factor in (FACTOR, 1 / FACTOR)
            ]
            for rps, usually, quantiles in zip(past, expected, made.quantiles_rps, strict=True)
        ]
    )  # fmt: skip
    ratio = over_usual(later, expected[:, LEARNT_HOURS:])
    yield Metric("stretches", len(past), "1")
    for name, said, rows in (
        ("surge", found[:, 0], np.flatnonzero((ratio > FACTOR).any(axis=1))),
        ("drop", found[:, 1], np.flatnonzero((ratio < 1 / FACTOR).any(axis=1))),
    ):
        came = np.zeros(len(past))
        came[rows] = 1.0
        yield Metric(f"{name}_rate", float(came.mean()), "1")
        brier, base = float(((said - came) ** 2).mean()), float(came.mean() * (1 - came.mean()))
        yield Metric(f"{name}_brier", brier, "1", baseline=base)
        for low, high in pairwise(BINS):
            part = np.flatnonzero((said >= low) & (said < (high if high < 1.0 else 2.0)))
            if part.size:
                label = f"{name}_came_of_{low:g}_to_{high:g}"
                yield Metric(label, float(came[part].mean()), "1", float(said[part].mean()))
                yield Metric(f"{name}_looks_{low:g}_to_{high:g}", part.size, "1")


def _stretches(path: Path, from_share: float) -> Iterator[NDArray[np.float64]]:
    """Hours of traces, ``LEARNT_HOURS`` to learn from and ``SURGE_HOURS`` that come."""
    for _, trace in pd.read_parquet(path).groupby("series_id", observed=True):
        hours = trace.set_index("ts")["value"].resample("1h").sum(min_count=1).to_numpy(float)
        hours = hours[int(from_share * hours.size) :]
        for end in range(LEARNT_HOURS, hours.size - SURGE_HOURS, SURGE_EVERY):
            one = hours[end - LEARNT_HOURS : end + SURGE_HOURS]
            known = ~np.isnan(one)
            if known[-SURGE_HOURS - DAY :].all() and known.mean() >= 0.9:
                yield one
