"""Rows that bound how many instances start and stop, and how soon they may stop again.

A start is counted per option and block; stops need no columns of their own, since starts less
stops are what the number of instances grows by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.rules import DisruptionRule
from optimizer.formulate.layout import Layout, runs
from optimizer.formulate.standing import Standing, minimum_run_hours, stand
from optimizer.problem import Bools, Draft, Ints

HOURS_PER_DAY = 24


@dataclass(frozen=True, eq=False)
class Starts:
    """``column`` [option]: the first of a run of columns, one per block; -1: none."""

    column: Ints
    standing: Standing


def count_starts(draft: Draft, layout: Layout) -> Starts | None:
    """start[s,o,b] ≥ n[s,o,b] - n[s,o,b-1], where n[s,o,-1] runs now.

    For services whose starts are limited, and for those whose instances run for a minimum time;
    the latter start freely in the first block when nothing of them runs today. None where there
    are none of both.
    """
    limited, sustained = _limited(layout), run_blocks(layout) > 1
    if not (limited | sustained).any():
        return None
    standing = stand(layout.options, layout.world)
    counted = (limited & standing.runs) | sustained
    options = np.flatnonzero(counted[layout.options.service])
    chosen = layout.options.where(options)
    owner, block = runs(np.arange(len(options)), layout.count_blocks[chosen.service])
    names = (
        layout.service_names,
        layout.place_names,
        layout.offering_names(options),
        layout.period_names,
    )
    keys = (chosen.service[owner], chosen.region[owner], owner, block)
    start = draft.add_columns("start", "instances", keys, names)
    told = np.flatnonzero((block > 0) | standing.runs[chosen.service[owner]])
    rows = np.arange(len(told))
    later = np.flatnonzero(block[told] > 0)
    count = (layout.option_column[options][owner] + block)[told]
    now = standing.now[options][owner[told]].astype(np.float64)
    draft.add_rows(
        "changes_are_counted",
        "instances",
        tuple(key[told] for key in keys),
        names,
        [
            (rows, start[told], np.ones(len(rows))),
            (rows, count, np.full(len(rows), -1.0)),
            (later, count[later] - 1, np.ones(len(later))),
        ],
        lower=np.where(block[told] > 0, 0.0, -now),
    )
    column = np.full(len(layout.options), -1)
    column[options] = start[block == 0]
    return Starts(column, standing)


def _limited(layout: Layout) -> Bools:
    named = {
        name
        for rule in layout.world.rules
        if isinstance(rule, DisruptionRule)
        for name in rule.services
    }
    return np.array([name in named for name in layout.service_names], np.bool_)


def run_blocks(layout: Layout) -> Ints:
    """[service]: count blocks that an instance runs at least, 1 where one is all there is."""
    hours = minimum_run_hours(layout.world)
    blocks = -(-hours // layout.world.policy.count_hours)
    return np.minimum(blocks, layout.count_blocks)


def runs_long_enough(draft: Draft, layout: Layout, starts: Starts | None) -> None:
    """Σ_{i = b-L+1 … b} start[s,o,i] ≤ n[s,o,b]: what started in the last L blocks still runs.

    With the rows that count starts these describe the convex hull of all sequences that keep the
    minimum (Rajan and Takriti: Minimum up/down polytopes of the unit commitment problem with
    start-up costs, IBM RC23628, 2005): no tighter rows exist for one option alone.
    """
    if starts is None:
        return
    least = run_blocks(layout)
    options = np.flatnonzero(least[layout.options.service] > 1)
    chosen = layout.options.where(options)
    at = np.arange(len(options))
    owner, block = runs(at, layout.count_blocks[chosen.service])
    rows = np.arange(len(owner))
    window = np.minimum(least[chosen.service][owner], block + 1)
    row, back = runs(rows, window)
    draft.add_rows(
        "runs_long_enough",
        "instances",
        (chosen.service[owner], chosen.region[owner], owner, block),
        (
            layout.service_names,
            layout.place_names,
            layout.offering_names(options),
            layout.period_names,
        ),
        [
            (row, starts.column[options][owner[row]] + block[row] - back, np.ones(len(row))),
            (rows, layout.option_column[options][owner] + block, np.full(len(rows), -1.0)),
        ],
        upper=0.0,
    )


def disruption_within(draft: Draft, layout: Layout, starts: Starts | None) -> None:
    """Σ_o Σ_{b in day} (start[o,b] + stop[o,b]) ≤ limit, per service, or over all of a rule's, with
    Σ_{b in day} stop[o,b] = Σ_{b in day} start[o,b] - n[o,last b] + n[o,last b of the day before].

    What runs now and may not be used any more stops on the first day.
    """
    if starts is None:
        return
    for rule in layout.world.rules:
        if not isinstance(rule, DisruptionRule):
            continue
        services = np.array([layout.service_names.index(name) for name in rule.services])
        services = services[starts.standing.runs[services]]
        if rule.at_most_per_day is not None:
            for s in services:
                _one_limit(draft, layout, starts, rule, np.array([s]), rule.at_most_per_day)
        if rule.in_all_per_day is not None and len(services):
            _one_limit(draft, layout, starts, rule, services, rule.in_all_per_day)


def _one_limit(
    draft: Draft,
    layout: Layout,
    starts: Starts,
    rule: DisruptionRule,
    services: Ints,
    limit: int,
) -> None:
    options = np.flatnonzero(np.isin(layout.options.service, services))
    owner, block = runs(options, layout.count_blocks[layout.options.service[options]])
    day = _first_hours(layout, owner, block) // HOURS_PER_DAY
    days = -(-layout.periods // HOURS_PER_DAY)
    last = np.ones(len(owner), np.bool_)
    last[:-1] = (np.diff(day) != 0) | (np.diff(owner) != 0)
    count = layout.option_column[owner] + block
    carried = last & (np.append(owner[1:], -1) == owner)  # the next day starts from it
    rows = np.arange(days)
    upper = np.full(days, float(limit))
    upper[0] -= starts.standing.now[options].sum() + starts.standing.left_behind[services].sum()
    draft.add_rows(
        "disruption_within",
        "instances",
        (rows * 0, rows * 0, rows),
        (
            [rule.name],
            ["+".join(layout.service_names[s] for s in services)],
            [f"day{d}" for d in rows],
        ),
        [
            (day, starts.column[owner] + block, np.full(len(owner), 2.0)),
            (day[last], count[last], np.full(int(last.sum()), -1.0)),
            (day[np.roll(carried, 1)], count[carried], np.ones(int(carried.sum()))),
        ],
        upper=upper,
        rule=rule,
    )


def _first_hours(layout: Layout, owner: Ints, block: Ints) -> Ints:
    """The first hour of every (option, block)."""
    return block * layout.world.policy.count_hours
