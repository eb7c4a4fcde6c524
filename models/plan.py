"""What a planning run ends in: a plan, a clash of rules, or nothing in the time given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.commitments import CommitmentUse
from models.demand import Forecast
from models.fleet import Group
from models.placement import Bill, Placement
from models.rules import Rule
from models.world import World


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A rule that today's fleet does not keep."""

    rule: Rule
    how: str


@dataclass(frozen=True, eq=False)
class Today:
    """What the current fleet costs over the plan's horizon if it simply stays as it is.

    Compute is exact at list price, and owned commitments cover of it what they can. Egress assumes
    that users reach the nearest place that runs the service, and callers the nearest callee.
    ``unpriced`` groups have no price in the book and cost more than is shown. ``capacity_rps`` has
    shape [service].
    """

    bill: Bill
    capacity_rps: NDArray[np.float64]
    unpriced: tuple[Group, ...]
    broken: tuple[BrokenRule, ...]
    commitments: tuple[CommitmentUse, ...] = ()


@dataclass(frozen=True, eq=False)
class Plan:
    """A placement, with what it was made from.

    ``demand_rps`` [service, origin, period] is the demand that capacity is planned for (the
    policy's quantile); ``bands_rps`` [service, period, level] is each service's whole demand at
    every level of the forecast, and ``mean_rps`` [service, period] its mean. Services, origins
    and periods are in the order of the world.
    """

    world: World
    forecast: Forecast
    demand_rps: NDArray[np.float64]
    mean_rps: NDArray[np.float64]
    bands_rps: NDArray[np.float64]
    placement: Placement
    today: Today


@dataclass(frozen=True, eq=False)
class Infeasible:
    """No plan keeps every rule. ``clash`` is a set of rules that cannot be kept together.

    ``irreducible``: it is proven that without any one of them the rest of ``clash`` can be kept.
    ``smallest``: it is proven that no smaller set clashes. An empty clash means that demand itself
    cannot be placed; ``reasons`` say why in words.
    """

    world: World
    clash: tuple[Rule, ...]
    smallest: bool
    reasons: tuple[str, ...] = ()
    irreducible: bool = True


@dataclass(frozen=True, eq=False)
class Unfinished:
    """Time ran out before any plan was found. Nothing is proven about feasibility."""

    world: World
    bound_usd: float
    seconds: float


Outcome = Plan | Infeasible | Unfinished
