"""What a plan changes of today's fleet: what that costs, what it saves, and what stays and why."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd

from models.placement import (
    CENT_OF_A_CENT,
    CHANGE_COLUMNS,
    Bill,
    BillLine,
    ShadowLine,
    ShadowTerm,
    Term,
)
from models.world import HOURS_PER_MONTH
from optimizer.formulate.assemble import Formulation
from optimizer.formulate.changes import Moves
from optimizer.problem import Bools, Floats, Ints, Problem

CENT = Decimal("0.01")
ONE_OFF = "one_off"
"""Stands for the purchase option of what is paid for once."""


def move_lines(formulation: Formulation, values: Floats) -> list[BillLine]:
    """The horizon's share of one-off costs, a line per service and place."""
    moves, layout = formulation.moves, formulation.layout
    if moves is None or not layout.world.policy.changes.moves_cost:
        return []
    costs = layout.world.policy.changes
    shape = (len(layout.service_names), len(layout.place_names))
    started = np.zeros(shape, np.int64)
    np.add.at(
        started, (layout.options.service, layout.options.region), _started(formulation, values)
    )
    opened = _is_one(values, layout.open_column)
    gib = np.where(opened, moves.moved_gib, 0.0)
    lines = []
    for s, r in np.argwhere((started > 0) | (gib > 0)).tolist():
        once = int(started[s, r]) * _exact(costs.usd_per_started_instance) + _exact(
            gib[s, r]
        ) * _exact(costs.usd_per_gib_of_state_moved)
        usd = (once * layout.periods / _exact(costs.amortise_over_hours)).quantize(CENT_OF_A_CENT)
        region = layout.world.regions[r]
        name = layout.service_names[s]
        lines.append(BillLine(Term.MOVES, region.cloud.value, region.place, name, ONE_OFF, usd))
    return [line for line in lines if line.usd]


def hurdle_lines(formulation: Formulation, values: Floats) -> tuple[ShadowLine, ...]:
    """The minimum savings of services that change: they weigh in the decision, and nobody pays."""
    moves, layout = formulation.moves, formulation.layout
    if moves is None:
        return ()
    changed = _is_one(values, moves.changed_column) & (moves.hurdle_usd > 0)
    return tuple(
        ShadowLine(
            ShadowTerm.MINIMUM_SAVING,
            "",
            "",
            layout.service_names[s],
            _exact(layout.periods / HOURS_PER_MONTH).quantize(CENT_OF_A_CENT),
            _exact(moves.hurdle_usd[s]).quantize(CENT_OF_A_CENT),
        )
        for s in np.flatnonzero(changed).tolist()
    )


def without_hurdles_where_nothing_changes(formulation: Formulation, values: Floats) -> Problem:
    """The same problem with everything settled but services that stay, which may change freely.

    What they save in its solution is what their minimum saving keeps them from.
    """
    problem, moves, layout = formulation.problem, formulation.moves, formulation.layout
    if moves is None:
        return problem
    free = staying(moves, values)
    lower, upper, cost = problem.lower.copy(), problem.upper.copy(), problem.cost.copy()
    settled = np.flatnonzero(~free[layout.options.service])
    blocks = layout.count_blocks[layout.options.service[settled]]
    columns = np.concatenate(
        [
            np.zeros(0, np.int64),
            *(
                first + np.arange(size)
                for first, size in zip(
                    layout.option_column[settled].tolist(), blocks.tolist(), strict=True
                )
            ),
        ]
    )
    lower[columns] = upper[columns] = np.round(values[columns])
    cost[moves.changed_column[free]] = 0.0
    return replace(problem, lower=lower, upper=upper, cost=cost)


def staying(moves: Moves, values: Floats) -> Bools:
    """[service]: whether its minimum saving applies and it stays as it is."""
    stays: Bools = (moves.hurdle_usd > 0) & ~_is_one(values, moves.changed_column)
    return stays


def changes_table(
    formulation: Formulation, values: Floats, bill: Bill, today: Bill, freely: Bill | None
) -> pd.DataFrame:
    """The columns of CHANGE_COLUMNS, a row per service that runs today.

    ``today`` is the bill of today's fleet, and ``freely`` that of a plan in which what stays was
    free to change (None: not known).
    """
    moves, layout = formulation.moves, formulation.layout
    if moves is None:
        return pd.DataFrame(columns=list(CHANGE_COLUMNS))
    started, stopped = _started(formulation, values), _stopped(formulation, values)
    services = len(layout.service_names)
    started = np.bincount(layout.options.service, started, minlength=services).astype(np.int64)
    stopped = np.bincount(layout.options.service, stopped, minlength=services).astype(np.int64)
    stopped += moves.standing.left_behind
    opened = _is_one(values, layout.open_column)
    gib = np.where(opened, moves.moved_gib, 0.0).sum(axis=1)
    one_off: dict[str, Decimal] = {}
    for line in bill.lines:
        if line.term is Term.MOVES:
            one_off[line.service] = one_off.get(line.service, Decimal(0)) + line.usd
    paid, before = bill.by("service"), today.by("service")
    after = freely.by("service") if freely is not None else {}
    rows = []
    for s in np.flatnonzero(moves.standing.runs).tolist():
        name = layout.service_names[s]
        least = _per_month(_exact(moves.hurdle_usd[s]), bill.hours)
        zero = Decimal(0)
        stays = not (started[s] or stopped[s])
        if stays:
            known = freely is not None and bool(moves.hurdle_usd[s])
            saving = _per_month(paid.get(name, zero) - after.get(name, zero), bill.hours)
            saved = max(saving, zero) if known else None
        else:
            saved = _per_month(before.get(name, zero) - paid.get(name, zero), bill.hours)
        must = bool(moves.standing.left_behind[s])
        rows.append(
            (
                name,
                "must" if must else ("no" if stays else "yes"),
                int(started[s]),
                int(stopped[s]),
                float(gib[s]),
                _per_month(one_off.get(name, zero), bill.hours),
                saved,
                least,
                _why(stays, int(moves.standing.left_behind[s]), saved, least),
            )
        )
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS), dtype=object)


def _why(stays: bool, left_behind: int, saving: Decimal | None, least: Decimal) -> str:
    if left_behind:
        return (
            f"cannot stay: {left_behind:,} of its instances may no longer be used, or are unknown"
        )
    said = None if saving is None else f"{abs(saving):,} USD/month"
    if stays:
        if said is None:
            return "no cheaper plan was found"
        if not saving:
            return "nothing cheaper was found"
        if saving is not None and saving > least:
            return f"would save {said}, above the minimum of {least:,}: within the plan's gap"
        return f"would save {said}, below the minimum of {least:,}"
    if saving is not None and saving < 0:
        return f"costs {said} more than today: rules or demand ask for it"
    minimum = f"; the minimum is {least:,}" if least else ""
    return f"saves {said}{minimum}"


def _started(formulation: Formulation, values: Floats) -> Ints:
    """[option]: instances at the busiest hour beyond what runs now, of services that run today."""
    extreme = _extreme(formulation, values, np.maximum)
    return np.maximum(extreme, 0)


def _stopped(formulation: Formulation, values: Floats) -> Ints:
    """[option]: of the instances that run now, those missing at the quietest hour."""
    return np.maximum(-_extreme(formulation, values, np.minimum), 0)


def _extreme(formulation: Formulation, values: Floats, most: np.ufunc) -> Ints:
    """[option]: the most, or fewest, instances of any block, less those that run now."""
    moves, layout = formulation.moves, formulation.layout
    if moves is None or not len(layout.options):
        return np.zeros(len(layout.options), np.int64)
    blocks = layout.count_blocks[layout.options.service]
    ends = np.cumsum(blocks)
    within = np.arange(ends[-1]) - np.repeat(ends - blocks, blocks)
    counts = np.round(values[np.repeat(layout.option_column, blocks) + within]).astype(np.int64)
    extreme: Ints = most.reduceat(counts, ends - blocks) - moves.standing.now
    return np.where(moves.standing.runs[layout.options.service], extreme, 0)


def _is_one(values: Floats, columns: Ints) -> Bools:
    """Whether yes-or-no columns say yes; -1 says no."""
    said: Bools = (columns >= 0) & (values[columns] > 0.5)
    return said


def _exact(amount: float) -> Decimal:
    return Decimal(repr(float(amount)))


def _per_month(usd: Decimal, hours: int) -> Decimal:
    return (usd * Decimal(repr(HOURS_PER_MONTH)) / hours).quantize(CENT)
