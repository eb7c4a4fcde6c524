"""How forecasts do as time goes by: errors followed, quantiles corrected, models switched.

Forecasts are told when they are made, demand when it is known; nothing is looked at before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.errors import UnusableData
from optimizer.forecast.spread import normal_scores

Values = NDArray[np.float64]

OUTERMOST: Final = 1e-4
BEYOND: Final = 100.0
"""Normal scores per unit of level below ``OUTERMOST`` or above its counterpart. Adaptive conformal
inference covers whatever comes only if quantiles can be as far out as it takes."""

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast is learnt. ``step``: how far one miss moves the level of a quantile, γ of adaptive
    conformal inference. Losses forget what is ``memory`` observations older, by a factor e.
    ``least_seen`` observations come between switches, to a model whose loss is below the share
    ``better`` of that of the model in use.
    """

    step: float = 0.01
    memory: float = 72.0
    least_seen: int = 24
    better: float = 0.9


A_DAY_AHEAD: Final = Pace(step=0.001, memory=168.0, least_seen=168, better=0.8)
"""For forecasts of whole days: hours of one day err together and tell little more than one."""


@dataclass(frozen=True, slots=True)
class Switch:
    """From one model to another, for the series of ``service`` and ``origin``."""

    at: datetime
    service: str
    origin: str
    before: str
    after: str
    why: str


class OnlineErrors:
    """Follows the forecasts of several models for several series, one step after the other.

    ``loss`` [model, series] is the mean pinball loss over the levels, forgetting exponentially;
    ``seen`` [series] counts observations and ``below`` [series, level] those that were not above
    the quantile given out. ``level_used`` [series, level] are the levels at which the quantiles of
    the model in use are read, so that they cover what they promise: adaptive conformal inference
    (Gibbs and Candès 2021), a + γ·(q - 1{y ≤ Q(a)}) after each observation y, for every level q.
    """

    def __init__(
        self,
        series: Sequence[tuple[str, str]],
        models: Sequence[str],
        levels: Sequence[float],
        used: Sequence[str] = (),
        pace: Pace = Pace(),
    ) -> None:
        """``used``: the model that every series starts with; the first one if not given."""
        self.series, self.models, self.pace = tuple(series), tuple(models), pace
        self.levels = np.asarray(levels, dtype=np.float64)
        increasing = (np.diff(self.levels) > 0).all()
        if not (self.levels.size and self.levels[0] > 0 and self.levels[-1] < 1 and increasing):
            raise ValueError(f"quantile levels {tuple(levels)} are not increasing within (0, 1)")
        rows, count = len(self.series), len(self.models)
        start = [self.models.index(model) for model in used] or [0] * rows
        self.in_use = np.array(start, dtype=np.int64)
        self.loss = np.zeros((count, rows))
        self.weight = np.zeros((count, rows))
        self.seen = np.zeros(rows, dtype=np.int64)
        self.since_switch = np.zeros(rows, dtype=np.int64)
        self.below = np.zeros((rows, self.levels.size))
        self.level_used = np.tile(self.levels, (rows, 1))
        self.journal: list[Switch] = []
        self._waiting: dict[datetime, tuple[Values, Values]] = {}

    def expect(self, at: datetime, quantiles: Values) -> Values:
        """Take what models foresee for the step that starts ``at``: [model, series, level], NaN
        where a model says nothing. Returns the corrected quantiles [series, level] of the models
        in use. What was foreseen for that step before counts no more.
        """
        shape = (len(self.models), len(self.series), self.levels.size)
        if quantiles.shape != shape:
            raise ValueError(f"quantiles of shape {quantiles.shape}, not {shape}")
        given = self.corrected(quantiles[self.in_use, np.arange(len(self.series))])
        self._waiting[at] = (quantiles.copy(), given)
        return given

    def corrected(self, quantiles: Values) -> Values:
        """``quantiles`` [series, level] read at the levels in use: never crossing, never negative.

        Between and beyond levels the distribution is normal in pieces: linear in normal scores.
        """
        within = np.clip(self.level_used, OUTERMOST, 1 - OUTERMOST)
        wanted = normal_scores(within) + BEYOND * (self.level_used - within)
        known = normal_scores(self.levels)
        read = np.empty_like(quantiles)
        for row, (values, scores) in enumerate(zip(quantiles, wanted, strict=True)):
            read[row] = _read(known, values, scores)
        return np.maximum(np.maximum.accumulate(read, axis=1), 0.0)

    def observe(self, at: datetime, actual: Values) -> tuple[Switch, ...]:
        """Take what came in the step that started ``at`` [series], NaN where nobody knows.

        Scores what was foreseen for it, corrects levels, and returns the switches that follow. A
        step that nobody foresaw teaches nothing.
        """
        waiting = self._waiting.pop(at, None)
        if waiting is None:
            return ()
        quantiles, given = waiting
        error = actual[None, :, None] - quantiles
        loss = np.maximum(self.levels * error, (self.levels - 1) * error).mean(axis=2)
        told = ~np.isnan(loss)
        forgotten = np.where(told, 1 - 1 / self.pace.memory, 1.0)
        self.loss = forgotten * self.loss + np.where(told, loss, 0.0)
        self.weight = forgotten * self.weight + told
        known = ~np.isnan(actual) & ~np.isnan(given).any(axis=1)
        under = (actual[:, None] <= given) & known[:, None]
        self.seen += known
        self.since_switch += known
        self.below += under
        self.level_used += np.where(known[:, None], self.pace.step * (self.levels - under), 0.0)
        switches = tuple(self._switches(at))
        self.journal.extend(switches)
        return switches

    @property
    def mean_loss(self) -> Values:
        """Mean pinball loss [model, series] of late; NaN where a model was never scored."""
        mean: Values = np.where(
            self.weight > 0, self.loss / np.where(self.weight > 0, self.weight, 1.0), np.nan
        )
        return mean

    @property
    def coverage(self) -> Values:
        """Share of observations [series, level] not above the quantile given out; NaN: none yet."""
        seen = np.where(self.seen > 0, self.seen, np.nan)[:, None]
        share: Values = self.below / seen
        return share

    def _switches(self, at: datetime) -> list[Switch]:
        mean = self.mean_loss
        found = []
        for row in np.flatnonzero(self.since_switch >= self.pace.least_seen):
            scores = np.where(np.isnan(mean[:, row]), np.inf, mean[:, row])
            # A model that was heard for a while only has not earned trust yet.
            scores[self.weight[:, row] < 0.5 * self.weight[:, row].max()] = np.inf
            used, best = int(self.in_use[row]), int(np.argmin(scores))
            if best == used or not scores[best] < self.pace.better * scores[used]:
                continue
            before, after = self.models[used], self.models[best]
            why = (
                f"over the last observations {after} lost {scores[best]:.3g} on average, {before}"
                f" {scores[used]:.3g}: {1 - scores[best] / scores[used]:.0%} less"
                if np.isfinite(scores[used])
                else f"{before} has fallen silent; of the others {after} lost least"
            )
            self.in_use[row], self.since_switch[row] = best, 0
            self.level_used[row] = self.levels  # the corrections were those of another model
            found.append(Switch(at, *self.series[row], before, after, why))
        return found

    def to_json(self) -> str:
        """All that is known, for ``from_json``."""
        state: dict[str, Any] = {
            "format": _FORMAT,
            "series": self.series,
            "models": self.models,
            "pace": asdict(self.pace),
            "journal": [{**asdict(entry), "at": entry.at.isoformat()} for entry in self.journal],
            "waiting": [
                [at.isoformat(), _listed(quantiles), _listed(given)]
                for at, (quantiles, given) in sorted(self._waiting.items())
            ],
        }
        return json.dumps(state | {name: getattr(self, name).tolist() for name in _ARRAYS})

    @classmethod
    def from_json(cls, text: str) -> OnlineErrors:
        """What ``to_json`` wrote. Raises ``UnusableData`` when it is something else."""
        try:
            state = json.loads(text)
            if state["format"] != _FORMAT:
                raise UnusableData(f"errors of forecasts in format {state['format']!r} are unknown")
            series = [(s, o) for s, o in state["series"]]
            pace = Pace(**state["pace"])
            made = cls(series, state["models"], state["levels"], pace=pace)
            for name in _ARRAYS:
                before = getattr(made, name)
                setattr(made, name, np.array(state[name], before.dtype).reshape(before.shape))
            for entry in state["journal"]:
                at = datetime.fromisoformat(entry.pop("at"))
                made.journal.append(Switch(at=at, **entry))
            for at, quantiles, given in state["waiting"]:
                arrays = (np.array(quantiles, np.float64), np.array(given, np.float64))
                made._waiting[datetime.fromisoformat(at)] = arrays
        except (KeyError, TypeError, ValueError) as error:
            raise UnusableData(f"errors of forecasts cannot be read: {error}") from error
        return made


_ARRAYS: Final = (
    "levels",
    "in_use",
    "loss",
    "weight",
    "seen",
    "since_switch",
    "below",
    "level_used",
)


def _listed(values: Values) -> Any:
    """Nested lists, None for NaN."""
    held = values.astype(object)
    held[np.isnan(values)] = None
    return held.tolist()


def _read(known: Values, values: Values, wanted: Values) -> Values:
    """Linear interpolation, and extrapolation by the outermost pieces."""
    if known.size == 1:
        return np.repeat(values, wanted.size)
    piece = np.clip(np.searchsorted(known, wanted) - 1, 0, known.size - 2)
    slope = (values[piece + 1] - values[piece]) / (known[piece + 1] - known[piece])
    read: Values = values[piece] + slope * (wanted - known[piece])
    return read
