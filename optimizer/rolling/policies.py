"""Ways of running a fleet to compare a rolling horizon with, and the horizon itself as one."""

from __future__ import annotations

from dataclasses import dataclass

from optimizer.problem import Floats
from optimizer.rolling.facts import Facts
from optimizer.rolling.horizon import Horizon
from optimizer.rolling.play import Cloud, Trace
from optimizer.rolling.state import Decision, Seen, State


@dataclass(eq=False)
class Rolling:
    """A horizon and its state, step after step of a trace."""

    horizon: Horizon
    state: State
    trace: Trace
    before: Floats | None = None
    """What was asked in the step before the first, where the horizon began earlier."""

    def __call__(self, facts: Facts, step: int, cloud: Cloud) -> Decision:
        before = self.trace.rps[:, step - 1] if step else self.before
        decision, self.state = self.horizon.step(facts, self.state, Seen(before, cloud.cohorts()))
        return decision
