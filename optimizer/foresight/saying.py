"""Predictions from chances, with what speaks for them in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from models.foreseen import Kind, Prediction
from optimizer.foresight.exhaustion import Passage
from optimizer.foresight.growth import SHAPES

SAID: Final = {
    "even": "evenly", "on workdays": "on workdays", "faster": "faster and faster",
    "much faster": "faster and faster", "slowing": "more and more slowly",
    "filling slowly": "more and more slowly", "filling": "more and more slowly",
    "filling fast": "hardly any more",
}  # fmt: skip
"""How each shape of growth goes on."""

EARLIEST: Final = 0.1
"""Share of the chances that is used up by ``earliest_at``; by ``expected_at`` it is half."""


def load_words(load: float) -> str:
    """Three significant digits, and more of what is larger: ``53.7``, ``1,932``."""
    return f"{load:,.0f}" if load >= 999.5 else f"{load:.3g}"


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is foreseen, and how far ahead: times are UTC, ``step_s`` seconds a step."""

    made_at: datetime
    step_s: int
    horizon: timedelta

    @property
    def day_steps(self) -> int:
        return 86400 // self.step_s

    @property
    def horizon_steps(self) -> int:
        return max(int(self.horizon.total_seconds()) // self.step_s, 1)

    @property
    def week_step(self) -> int:
        """Whole steps since the last midnight (UTC) of a Monday."""
        at = self.made_at
        seconds = at.weekday() * 86400 + at.hour * 3600 + at.minute * 60 + at.second
        return seconds // self.step_s

    def after(self, steps: float) -> datetime:
        return self.made_at + timedelta(seconds=round(steps * self.step_s))


def said(
    kind: Kind,
    of: str,
    what: str,
    moment: Moment,
    ahead: Passage,
    row: int,
    evidence: tuple[str, ...],
) -> Prediction:
    """The prediction that ``ahead`` makes of one of its series."""
    one = Prediction(
        kind,
        of,
        what,
        moment.made_at,
        moment.after(float(ahead.not_before(EARLIEST)[row])),
        moment.after(float(ahead.quantile(0.5)[row])),
        float(min(max(ahead.probability[row], 0.0), 1.0)),
        evidence,
    )
    return already(one, moment, int(ahead.full_for[row]))


def already(one: Prediction, moment: Moment, steps: int) -> Prediction:
    """The same of what has been so for ``steps``, and is not to be foreseen; as it is for 0."""
    return so_since(one, moment.after(-steps)) if steps > 0 else one


def so_since(one: Prediction, since: datetime) -> Prediction:
    """The same of what has been so since then."""
    evidence = (f"it is so now, since {since:%d %B %H:%M}", *one.evidence)
    return replace(
        one,
        earliest_at=one.made_at,
        expected_at=one.made_at,
        probability=1.0,
        evidence=evidence,
        since=since,
    )


def percent_a_day(share: float) -> str:
    """A rate of growth, to two digits."""
    return f"{100 * share:,.0f} %" if abs(share) >= 0.1 else f"{100 * share:.2g} %"


def growth_in_words(ahead: Passage, row: int, moment: Moment, rate: str) -> str:
    """``rate`` says how much it grows a day."""
    growth = ahead.growth
    shape = int(growth.shape[row])
    if shape < 0:
        return "no lasting growth"
    since = moment.after(-float(growth.onset[row] * ahead.block))
    how = SAID[tuple(SHAPES)[shape]]
    return f"grows by {rate} a day, {how}, since about {since:%d %B %H:%M}"


def lives_in_words(ahead: Passage, row: int, moment: Moment) -> str:
    """How often it was emptied; empty when it never was."""
    levels = ahead.lives.levels[row]
    if not levels.size:
        return ""
    times = "once" if levels.size == 1 else f"{levels.size} times"
    highest = f"emptied {times}, at {100 * np.max(levels):.0f} % at the most"
    ages = ahead.lives.ages[row]
    ages = ages[np.isfinite(ages)]
    if not ages.size:
        return highest
    days = float(np.median(ages)) / moment.day_steps
    return f"{highest}, after {days:.1f} days in the median"
