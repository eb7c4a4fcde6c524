"""Units that calls tie together, exactly: a better bound, and another way for each.

At given prices the dual lets the cells of a unit mix what they hold, so as to agree with each
other about where calls go. How much that gives away is at most what the unit's rows in a plan cost
at these prices beyond its least (its *slack*): units with the most of it are solved as mixed
integer programmes (``drafting``). Their dual bounds take the place of units' least in the bound,
their solutions are ways that the plan had not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from optimizer.decompose.calls import cost_of_each
from optimizer.decompose.drafting import Chosen, Draft, draft_unit
from optimizer.decompose.dual import Case, Pass
from optimizer.decompose.fleet import Fleet
from optimizer.decompose.single import left_of
from optimizer.decompose.sweep import list_counts
from optimizer.decompose.tariff import Prices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NODES = 400
"""Of the branch and bound of a unit, at most."""
PRECISE = 0.05
"""Of a unit's slack, with which its programme is solved."""
OFF = 1e-5
"""Of a unit's cost, by which a solver's dual bound may be off."""
LITTLE = 1e-7
"""Shares and replicas that are none."""
AT_A_TIME = 64
"""Units after which it is asked whether more are worth their time."""
WORTHWHILE = 2e-4
"""Slack of as many units, of a plan's cost, from which they are."""
THREADS = 2


@dataclass(frozen=True, eq=False)
class Refined:
    """A unit, solved: no way costs less than ``bound`` at the prices.

    ``held``, ``share``: replicas by slot and traffic by lane of ``cells``; None: no lawful plan.
    """

    unit: int
    bound: float
    cells: Ints
    held: list[Ints] | None
    share: list[Floats] | None


def unit_costs(fleet: Fleet, prices: Prices) -> Floats:
    """What units of a fleet cost at prices, with what their calls really cost [unit], USD."""
    case, links = fleet.case, fleet.case.links
    own = fleet.at_prices(replace(prices, ends=np.zeros_like(prices.ends)))
    calls = cost_of_each(
        links.lane, links.places, links.gb, links.usd_per_gb, links.region_of_lane, fleet.share
    )
    usd = np.bincount(case.unit_of_group, own, case.units).astype(np.float64)
    usd += np.bincount(case.unit_of_link, calls, case.units)
    return usd


def refinable(case: Case) -> Bools:
    """Units with calls whose programme is exact [unit].

    They have one hour, and no cell of several origins that must survive a loss.
    """
    asks, cells = case.cells.asks, case.cells
    several = np.diff(asks.entry_start) > 1
    losses = asks.share_zone + asks.share_region + asks.share_cloud > 0.0
    odd = (several & losses) | (cells.hours[asks.group_span[cells.cell_group]] > 1.0)
    unit = case.unit_of_group[cells.cell_group]
    known = np.bincount(unit, odd, case.units) == 0
    known &= np.bincount(case.unit_of_link, minlength=case.units) > 0
    return np.asarray(known, np.bool_)


def refine(
    case: Case,
    prices: Prices,
    found: Pass,
    fleet: Fleet,
    enough_usd: float,
    late: Callable[[], bool],
) -> list[Refined]:
    """The units of which ``fleet`` says the least, solved at prices; ``found`` there, exactly.

    Those with the most slack come first, until bounds have risen by ``enough_usd``, or all that is
    left is too little, or it is ``late``.
    """
    refining = Refining(case, prices, found.value, found.between)
    slack = np.where(refinable(case), unit_costs(fleet, prices) - refining.least, 0.0)
    order = np.argsort(-slack, kind="stable")
    refined: list[Refined] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for at in range(0, len(order), AT_A_TIME):
            units = order[at : at + AT_A_TIME]
            units = units[slack[units] > 0.0]
            if slack[units].sum() < WORTHWHILE * fleet.usd or late():
                break
            refined += pool.map(refining.solve, units.tolist(), slack[units].tolist())
            if sum(unit.bound - refining.least[unit.unit] for unit in refined) > enough_usd:
                break
    return refined


class Refining:
    """Units of a case at some prices, at which groups cost ``value`` and calls ``between``."""

    def __init__(self, case: Case, prices: Prices, value: Floats, between: Floats) -> None:
        self.case, self.prices, self.value = case, prices, value
        self.usd = case.tariff.candidates(prices)
        self.routes = case.tariff.routes(prices)
        self.own = case.tariff.routes(replace(prices, ends=np.zeros_like(prices.ends)))
        self.least = np.bincount(case.unit_of_group, value, case.units)
        self.least += np.bincount(case.unit_of_link, between, case.units)
        self._groups = _by_unit(case.unit_of_group, case.units)
        self._links = _by_unit(case.unit_of_link, case.units)

    def solve(self, unit: int, slack: float) -> Refined:
        """``slack``: by how much some way of the unit is known to be dearer than its least."""
        case, links = self.case, self.case.links
        groups = self._groups(unit)
        least = float(self.least[unit])
        draft, chosen, left_out = draft_unit(
            case.stock, case.asks, self.usd, self.routes, self.own, self.prices.rooms, groups,
            self.value[groups], slack + OFF * abs(least), self._links(unit), links.lane,
            links.places, links.gb, links.usd_per_gb, links.region_of_lane,
        )  # fmt: skip
        if left_out <= 0.0:
            return Refined(unit, least, chosen.cell, None, None)
        found, values = _solved(draft, PRECISE * slack / max(abs(least), 1e-9))
        bound = max(min(found, least + left_out) - OFF * abs(least), least)
        held, share = _read(case, chosen, values)
        if held is None and len(chosen.beyond):
            draft.upper[chosen.beyond] = 0.0
            held, share = _read(case, chosen, _solved(draft, PRECISE)[1])
        return Refined(unit, bound, chosen.cell, held, share)


def _by_unit(unit: Ints, units: int) -> Callable[[int], Ints]:
    order = np.argsort(unit, kind="stable")
    start = np.searchsorted(unit[order], np.arange(units + 1))
    return lambda u: order[start[u] : start[u + 1]]


def _solved(draft: Draft, precise: float) -> tuple[float, Floats | None]:
    """Dual bound and solution of a programme; infinite: there is no solution."""
    columns, rows, entries = draft.size.tolist()
    matrix = sparse.csc_array(
        (draft.value[:entries], (draft.row[:entries], draft.column[:entries])),
        shape=(rows, columns),
    )
    found = milp(
        draft.cost[:columns],
        integrality=draft.whole[:columns].astype(np.int64),
        bounds=Bounds(0.0, draft.upper[:columns]),
        constraints=LinearConstraint(matrix, draft.low[:rows], draft.high[:rows]),
        options={"node_limit": NODES, "mip_rel_gap": precise},
    )
    if found.status == 2:
        return np.inf, None
    bound = found.mip_dual_bound
    return (-np.inf if bound is None else float(bound)), found.x


def _read(
    case: Case, chosen: Chosen, values: Floats | None
) -> tuple[list[Ints] | None, list[Floats] | None]:
    """Replicas and shares of a unit's cells; None: plans may not leave so much unmet."""
    cells, asks = case.cells, case.cells.asks
    if values is None or values[chosen.beyond].sum() > LITTLE:
        return None, None
    held, shares = [], []
    for i, cell in enumerate(chosen.cell.tolist()):
        options = slice(chosen.first[i], chosen.first[i + 1])
        places = int(asks.slot_start[cell + 1] - asks.slot_start[cell])
        here = chosen.held[options][int(values[options].argmax()), :places]
        lanes = int(asks.lane_start[cell + 1] - asks.lane_start[cell])
        share = values[chosen.lane[i] : chosen.lane[i] + lanes].reshape(-1, places)
        share = np.where(share > LITTLE, share, 0.0)
        share /= share.sum(axis=1, keepdims=True)
        group = cells.cell_group[cell]
        alone = asks.group_start[group + 1] - asks.group_start[group] == 1 and len(share) == 1
        # Hours in which less is asked for are not listed where the cell could serve all of that.
        if alone:
            unlisted = min(asks.low[cell], asks.low_bound[cell], asks.peak[asks.entry_start[cell]])
            if (share[0] * unlisted > here + LITTLE).any():
                return None, None
        held.append(here)
        shares.append(share.ravel())
    return held, shares


def with_units(fleet: Fleet, units: Sequence[Refined], prices: Prices) -> Fleet:
    """``fleet`` with units going the ways that were found for them.

    Neither lanes that are closed for the sake of workflows nor numbers of places are heeded.
    """
    case, cells, asks = fleet.case, fleet.case.cells, fleet.case.cells.asks
    held, share, alive = fleet.held.copy(), fleet.share.copy(), np.zeros_like(fleet.held)
    moved = np.zeros(len(asks.need), np.bool_)
    for unit in units:
        if unit.held is None or unit.share is None:
            continue
        for cell, here, lanes in zip(unit.cells.tolist(), unit.held, unit.share, strict=True):
            slots = slice(asks.slot_start[cell], asks.slot_start[cell + 1])
            held[slots], share[asks.lane_start[cell] : asks.lane_start[cell + 1]] = here, lanes
            moved[cell] = True
            if asks.share_zone[cell] > 0.0 and asks.entry_start[cell] < asks.entry_start[cell + 1]:
                left = left_of(asks.share_zone[cell], asks.ruled[asks.entry_start[cell]])
                alive[slots] = np.maximum(here - (here.sum() - left), 0)
    groups = np.unique(cells.cell_group[moved])
    usd = case.tariff.candidates(prices)
    cell, candidate, count = list_counts(case.stock, case.asks, usd, groups, held, alive)
    stay = ~moved[fleet.cell]
    return Fleet(
        case,
        np.concatenate([fleet.cell[stay], cell]),
        np.concatenate([fleet.candidate[stay], candidate]),
        np.concatenate([fleet.count[stay], count]),
        held,
        share,
    )
