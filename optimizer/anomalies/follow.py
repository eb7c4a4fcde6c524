"""One pass over the values of one series: how rare each is, and where an alarm is due."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from optimizer.anomalies.memory import rarity, remember
from optimizer.anomalies.state import (
    ALARMED,
    ALARMED_RARITY,
    BLOCK_RUN,
    BLOCK_STEPS,
    BLOCK_SUM,
    BLOCKS,
    EVENTS,
    FULL_BLOCKS,
    IN_BLOCK,
    LAST_AT,
    MEMORY_STEPS,
    REST_STEPS,
    RUN,
    SEEN,
    SHAPE,
    SIZES,
    STARTS,
    STRIDES,
    UNSETTLED,
    WIDTHS,
    State,
)
from optimizer.compiled import compiled

ALARM_RARITY = 3.2  # once in 1,600 steps, unless asked for otherwise
GRAVE_RARITY = 6.0  # an event that becomes as rare is worth a second alarm
LOW_RARITY = 2.0  # events begin here
PRIOR_STEPS = 4_000.0  # for so long, what chance tells counts against what was seen
LEARNING = 100  # means that a width must have seen before it judges
LEARNING_SHAPES = 60
LONGEST_HOLE = 3  # missing steps that are not yet a gap
SETTLING = 12  # steps after a gap
SHAPE_BLOCKS = 8  # blocks of a shape
SHAPE_CANDIDATES = 8  # shapes at that time of the day that there must be
SAME_TIME_S = 1_800.0  # so near is the same time of the day
DAY_S = 86_400.0

RARITY, ALARM, VIEW, VALUE, EXPECTED, LOW, HIGH = range(7)
FACTS = 7
"""Columns of what ``follow`` says of each step. ``VALUE``, ``EXPECTED``: the mean that was judged,
or the newest block, and what it usually is. ``LOW``, ``HIGH``: in between are 98 in 100. For shapes
those two are the distance to the nearest, and that of 99 in 100.
"""


@compiled
def follow(
    state: State,
    at_s: NDArray[np.float64],
    values: NDArray[np.float64],
    step_s: float,
    least: float = ALARM_RARITY,
) -> NDArray[np.float64]:
    """What is said of each value [step, fact] by those before it; ``state`` learns them.

    ``at_s`` [step]: seconds since 1970. ``least``: the rarity that an alarm is raised for. A NaN is
    a gap: nothing is said of it or learnt from it.
    """
    facts = np.full((len(values), FACTS), np.nan)
    for i in range(len(values)):
        facts[i, RARITY] = 0.0
        facts[i, ALARM] = 0.0
        if math.isfinite(values[i]):
            _notice_gap(state, at_s[i], step_s)
            _judge_widths(state, values[i], facts[i])
            _judge_shape(state, at_s[i], values[i], step_s, facts[i])
            _raise_alarm(state, facts[i], least)
    return facts


@compiled
def _notice_gap(state: State, at_s: float, step_s: float) -> None:
    """Means and shapes do not span a gap, and the first values behind it raise no alarm."""
    counts = state.counts
    if counts[SEEN] > 0 and at_s - state.marks[LAST_AT] > (LONGEST_HOLE + 1.5) * step_s:
        counts[RUN] = 0
        counts[IN_BLOCK] = 0
        counts[BLOCK_RUN] = 0
        state.marks[BLOCK_SUM] = 0.0
        counts[UNSETTLED] = SETTLING
    state.marks[LAST_AT] = at_s


@compiled
def _judge_widths(state: State, value: float, fact: NDArray[np.float64]) -> None:
    """The mean of the last 1, 8, ... values, against such means before."""
    counts = state.counts
    state.recent[counts[SEEN] % len(state.recent)] = value
    counts[SEEN] += 1
    counts[RUN] += 1
    for view in range(SHAPE):
        width = WIDTHS[view]
        if counts[RUN] < width:
            continue
        mean = 0.0
        for back in range(width):
            mean += state.recent[(counts[SEEN] - 1 - back) % len(state.recent)]
        mean /= width
        start, held = STARTS[view], state.held[view]
        ordered = state.ordered[start : start + SIZES[view]]
        if held * STRIDES[view] >= LEARNING:
            rare = max(rarity(ordered, held, mean, True), rarity(ordered, held, mean, False))
            rare = _recalibrated(state, view, rare)
            if rare > fact[RARITY]:
                fact[RARITY] = rare
                fact[VIEW] = view
                fact[VALUE] = mean
                fact[EXPECTED] = ordered[held // 2]
                fact[LOW] = ordered[held // 100]
                fact[HIGH] = ordered[held - 1 - held // 100]
        if counts[SEEN] % STRIDES[view] == 0:
            aged = state.aged[start : start + SIZES[view]]
            state.held[view], state.oldest[view] = remember(
                ordered, aged, held, state.oldest[view], mean
            )


@compiled
def _judge_shape(
    state: State, at_s: float, value: float, step_s: float, fact: NDArray[np.float64]
) -> None:
    """When a block is full: how far the last blocks are from the nearest at that time of day."""
    counts, marks = state.counts, state.marks
    marks[BLOCK_SUM] += value
    counts[IN_BLOCK] += 1
    if counts[IN_BLOCK] < BLOCK_STEPS:
        return
    newest = counts[FULL_BLOCKS]
    counts[FULL_BLOCKS] += 1
    counts[BLOCK_RUN] += 1
    state.blocks[newest % BLOCKS, 0] = marks[BLOCK_SUM] / BLOCK_STEPS
    state.blocks[newest % BLOCKS, 1] = at_s % DAY_S
    state.blocks[newest % BLOCKS, 2] = counts[BLOCK_RUN]
    counts[IN_BLOCK] = 0
    marks[BLOCK_SUM] = 0.0
    if counts[BLOCK_RUN] < SHAPE_BLOCKS:
        return
    distance, nearest = _nearest(state, newest, max(SAME_TIME_S, BLOCK_STEPS * step_s / 2.0))
    if nearest < 0:
        return
    start, held = STARTS[SHAPE], state.held[SHAPE]
    ordered = state.ordered[start : start + SIZES[SHAPE]]
    if held >= LEARNING_SHAPES:
        rare = _recalibrated(state, SHAPE, rarity(ordered, held, distance, True))
        if rare > fact[RARITY]:
            fact[RARITY] = rare
            fact[VIEW] = SHAPE
            fact[VALUE] = state.blocks[newest % BLOCKS, 0]
            fact[EXPECTED] = state.blocks[nearest % BLOCKS, 0]
            fact[LOW] = distance
            fact[HIGH] = ordered[held - 1 - held // 100]
    aged = state.aged[start : start + SIZES[SHAPE]]
    state.held[SHAPE], state.oldest[SHAPE] = remember(
        ordered, aged, held, state.oldest[SHAPE], distance
    )


@compiled
def _nearest(state: State, newest: int, within_s: float) -> tuple[float, int]:
    """The mean distance of the last blocks to the nearest earlier ones, and the last of those.

    Only at the same time of the day, not overlapping and without a gap. (0, -1) when there are too
    few to tell.
    """
    blocks = state.blocks
    seen = 0
    best, nearest = np.inf, -1
    for other in range(max(SHAPE_BLOCKS - 1, newest - BLOCKS + SHAPE_BLOCKS), newest):
        if other > newest - SHAPE_BLOCKS or blocks[other % BLOCKS, 2] < SHAPE_BLOCKS:
            continue
        apart = abs(blocks[newest % BLOCKS, 1] - blocks[other % BLOCKS, 1])
        if min(apart, DAY_S - apart) > within_s:
            continue
        seen += 1
        distance = 0.0
        for back in range(SHAPE_BLOCKS):
            ours, theirs = (newest - back) % BLOCKS, (other - back) % BLOCKS
            distance += abs(blocks[ours, 0] - blocks[theirs, 0])
            if distance >= best:
                break
        if distance < best:
            best, nearest = distance, other
    if seen < SHAPE_CANDIDATES:
        return 0.0, -1
    return best / SHAPE_BLOCKS, nearest


@compiled
def _recalibrated(state: State, view: int, rare: float) -> float:
    """Rarity by how often this view of the series has been as rare; an event counts once.

    Events come as a Poisson process. Before anything is seen, those of rarity x come at a rate of
    10^-x, as if seen for ``PRIOR_STEPS``; with n of them in t steps, the mean of the gamma
    posterior is (n + PRIOR_STEPS 10^-x) / (t + PRIOR_STEPS).
    """
    if rare < LOW_RARITY or state.counts[UNSETTLED] > 0:
        return rare
    events, happened, step = state.events[view], state.happened[view], state.counts[SEEN]
    same = happened > 0 and step - events[(happened - 1) % EVENTS, 0] <= REST_STEPS
    as_rare = 0
    for event in range(max(0, happened - EVENTS), happened - same):
        at, other = events[event % EVENTS]
        if other >= rare and step - at <= MEMORY_STEPS:
            as_rare += 1
    if same:
        latest = (happened - 1) % EVENTS
        events[latest, 1] = max(events[latest, 1], rare)
    else:
        events[happened % EVENTS, 0] = step
        events[happened % EVENTS, 1] = rare
        state.happened[view] += 1
    known = min(step, MEMORY_STEPS)
    return -math.log10((as_rare + PRIOR_STEPS * 10.0**-rare) / (known + PRIOR_STEPS))


@compiled
def _raise_alarm(state: State, fact: NDArray[np.float64], least: float) -> None:
    """Once per event, and once more when it becomes grave; not just behind a gap."""
    counts, marks = state.counts, state.marks
    if counts[UNSETTLED] > 0:
        counts[UNSETTLED] -= 1
        return
    rested = counts[SEEN] - counts[ALARMED] > REST_STEPS
    worse = marks[ALARMED_RARITY] < GRAVE_RARITY <= fact[RARITY]
    if fact[RARITY] >= least and (rested or worse):
        fact[ALARM] = 1.0
        counts[ALARMED] = counts[SEEN]
        marks[ALARMED_RARITY] = fact[RARITY]
