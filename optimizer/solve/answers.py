"""What a solver may answer. A time limit is not an optimum, and its type says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from models.placement import Proof
from optimizer.problem import Floats, Problem

OPTIMAL_GAP = 1e-6
"""Relative gap below which an answer is called optimal (solvers work in floating point)."""


@dataclass(frozen=True, eq=False)
class Solved:
    """Values for every column, and what is proven about them (gap relative to objective)."""

    values: Floats
    objective: float
    bound: float
    proof: Proof
    solver: str
    seconds: float

    @property
    def gap(self) -> float:
        return relative_gap(self.objective, self.bound)


@dataclass(frozen=True, slots=True)
class ProvenInfeasible:
    """No values satisfy all rows."""

    seconds: float


@dataclass(frozen=True, slots=True)
class OutOfTime:
    """Nothing found in the time given; ``bound`` still holds."""

    bound: float
    seconds: float


Answer = Solved | ProvenInfeasible | OutOfTime


class Backend(Protocol):
    """A way to solve a ``Problem``."""

    @property
    def name(self) -> str:
        """What users call it."""
        ...

    def solve(self, problem: Problem, *, gap: float, time_limit_s: float) -> Answer:
        """Solve to a relative ``gap`` or until the time limit; raises ``SolverFailed``."""
        ...


def relative_gap(objective: float, bound: float) -> float:
    """(objective - bound) / |objective|; 0 when both are 0."""
    return max(0.0, objective - bound) / max(abs(objective), 1e-9)


def proof_of(objective: float, bound: float, gap_target: float) -> Proof:
    gap = relative_gap(objective, bound)
    if gap <= OPTIMAL_GAP:
        return Proof.OPTIMAL
    return Proof.WITHIN_GAP if gap <= gap_target * (1 + 1e-9) else Proof.TIME_LIMIT
