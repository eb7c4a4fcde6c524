"""Lines of logs that stray: kinds that are new, and bursts of those that are known.

How many lines of a kind come in a step is judged by a negative binomial whose mean and index of
dispersion are those of the steps before, the older the lighter: errors come in clumps, and a
Poisson count would be surprised by each of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nbinom

from models.foreseen import Anomaly
from models.signals import SignalKey, Signals
from providers.otlp.logs import ErrorLines
from providers.otlp.templates import OTHER

RARE: Final = 1e-6
"""A step is a burst when no more than this share of steps would have so many lines."""
LEAST_LINES: Final = 5
HALF_LIFE: Final = timedelta(hours=12)
LEARNT: Final = timedelta(hours=24)
"""Of a service whose logs are known for less, nothing is called new."""
_PEACE_STEPS: Final = 3  # between two stretches
_SHOWN: Final = 120  # characters of an example


@dataclass(frozen=True, eq=False)
class _Kind:
    """Lines of one template on the grid: ``counts`` [step], NaN where no log was seen."""

    service: str
    counts: NDArray[np.float64]
    told: dict[int, ErrorLines]


def straying_lines(lines: Iterable[ErrorLines], signals: Signals) -> tuple[Anomaly, ...]:
    """New kinds of lines and bursts, by service and time, each judged by what came before only.

    ``signals`` tell with ``log_errors_rps`` in which steps a service sent logs at all; lines
    outside of its grid are left out.
    """
    kinds = list(_kinds(lines, signals))
    found = [one for kind in kinds for one in _stretches(kind, signals)]
    return tuple(sorted(found, key=lambda one: (one.key, one.starts, one.why)))


def _kinds(lines: Iterable[ErrorLines], signals: Signals) -> Iterator[_Kind]:
    known = {
        key.service: row
        for key, row in zip(signals.keys, signals.values, strict=True)
        if key == SignalKey("log_errors_rps", key.service)
    }
    told: defaultdict[tuple[str, str], dict[int, ErrorLines]] = defaultdict(dict)
    for line in lines:
        at = datetime.fromtimestamp(line.starts, UTC) - signals.starts
        step = int(at.total_seconds()) // signals.step_s
        if 0 <= step < signals.steps and line.service in known and line.identity != OTHER:
            told[line.service, line.identity][step] = line
    for (service, _), of_kind in sorted(told.items()):
        counts = np.where(np.isnan(known[service]), np.nan, 0.0)
        counts[list(of_kind)] = [line.lines for line in of_kind.values()]
        yield _Kind(service, counts, of_kind)


def _stretches(kind: _Kind, signals: Signals) -> Iterator[Anomaly]:
    surprise, expected = surprises(kind.counts, signals.step_s)
    new = np.zeros(len(surprise), bool)
    first = min(kind.told)
    learnt_s = (~np.isnan(kind.counts[:first])).sum() * signals.step_s
    new[first] = learnt_s >= LEARNT.total_seconds()
    burst = (surprise <= RARE) & (kind.counts >= LEAST_LINES)
    straying = np.flatnonzero(_lasting(burst, kind.counts, signals.step_s) | new)
    for stretch in np.split(straying, np.flatnonzero(np.diff(straying) > _PEACE_STEPS) + 1):
        if len(stretch):
            yield _anomaly(kind, signals, stretch, expected, is_new=bool(new[stretch[0]]))


def _lasting(
    burst: NDArray[np.bool_], counts: NDArray[np.float64], step_s: int
) -> NDArray[np.bool_]:
    """Bursts with the steps that follow and have half as many lines or more.

    What goes on is learnt and surprises less and less; after ``HALF_LIFE`` it is the usual.
    """
    lasting = burst.copy()
    longest = int(HALF_LIFE.total_seconds()) // step_s
    for start in np.flatnonzero(burst).tolist():
        after = counts[start + 1 : start + 1 + longest]
        less = np.flatnonzero(~(after >= max(LEAST_LINES, counts[start] / 2)))
        lasting[start + 1 : start + 1 + (int(less[0]) if less.size else len(after))] = True
    return lasting


def _anomaly(
    kind: _Kind,
    signals: Signals,
    stretch: NDArray[np.int64],
    expected: NDArray[np.float64],
    *,
    is_new: bool,
) -> Anomaly:
    most = stretch[kind.counts[stretch].argmax()]
    count, usual = float(kind.counts[most]), float(expected[most])
    line = kind.told[int(stretch[0])]
    minutes = signals.step_s / 60
    rate = f"{count / minutes:,.3g} lines a minute"
    said = f"a new kind of error, {rate}" if is_new else (
        f"{rate} of an error that comes {usual / minutes:,.2g} times a minute"
    )  # fmt: skip
    sure = 1 - 0.5**count if is_new else 1 - RARE
    return Anomaly(
        SignalKey("log_errors_rps", kind.service),
        signals.at(int(stretch[0])),
        signals.at(int(stretch[-1]) + 1),
        min(sure, 1 - RARE),
        count / signals.step_s,
        usual / signals.step_s,
        f"{said}: {_shortened(line.template)}, such as: {_shortened(line.example)}",
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def surprises(
    counts: Sequence[float] | NDArray[np.float64], step_s: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For every step, the probability of as many lines or more, and how many were expected.

    With the weight W of the steps before, their mean m and their variance v, the count has the mean
    μ = (W·m + ½) / (W + 1), which is Jeffreys' prior for a Poisson rate and one step of none, and
    the variance μ · (max(1, v / m) + 1 / (W + 1)): that of the counts, and that of not knowing μ.
    1 and NaN where nothing was counted.
    """
    values = np.asarray(counts, np.float64)
    keep = 0.5 ** (step_s / HALF_LIFE.total_seconds())
    weights, means, dispersions = (np.empty(len(values)) for _ in range(3))
    weight = total = squares = 0.0
    for i, value in enumerate(values.tolist()):
        mean = (total + 0.5) / (weight + 1)
        spread = squares / weight - (total / weight) ** 2 if weight else 0.0
        weights[i], means[i] = weight, mean
        dispersions[i] = max(1.0, spread * weight / total) if total else 1.0
        if value == value:  # not a gap
            weight, total = keep * weight + 1, keep * total + value
            squares = keep * squares + value * value
    excess = dispersions + 1 / (weights + 1)
    success = 1 / excess
    size = means * success / (1 - success)
    chance = nbinom.sf(values - 1, size, success)
    known = ~np.isnan(values)
    return np.where(known, chance, 1.0), np.where(known, means, np.nan)
