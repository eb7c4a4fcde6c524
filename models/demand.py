"""Requests per second: what came, what is expected, and what that means for every service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.services import Dependency, call_order

HISTORY_COLUMNS = ("ts", "service", "origin", "rps")


@dataclass(frozen=True, eq=False)
class History:
    """What was asked of services that have users of their own.

    ``frame`` is a long table with the columns ``ts`` (UTC, timezone-aware, on the hour),
    ``service``, ``origin`` and ``rps`` (mean over the hour that starts at ``ts``; ≥ 0), sorted by
    service, origin and ts, without duplicates. Hours may be missing. ``note`` says where the
    numbers come from, for reports.
    """

    frame: pd.DataFrame
    note: str = ""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Why one series is forecast by one model, or by a ``combination`` of several.

    ``scores`` maps every model tried, and the combination if there is one, to its backtest error:
    mean absolute error scaled by the seasonal naive error of the history (lower is better; NaN
    when it could not be scored). ``why`` tells the weights of a combination.
    """

    service: str
    origin: str
    model: str
    scores: tuple[tuple[str, float], ...]
    why: str


@dataclass(frozen=True, eq=False)
class Forecast:
    """Expected demand of the series of a history.

    ``series[i]`` is a (service, origin) pair; ``mean_rps`` has shape [series, period] and
    ``quantiles_rps`` [series, period, level], non-decreasing along levels, all ≥ 0. Period ``p``
    covers ``step_s`` seconds from ``starts`` + p steps.
    """

    starts: datetime
    levels: tuple[float, ...]
    series: tuple[tuple[str, str], ...]
    mean_rps: NDArray[np.float64]
    quantiles_rps: NDArray[np.float64]
    choices: tuple[ModelChoice, ...] = ()
    step_s: int = 3600

    @property
    def periods(self) -> int:
        return int(self.mean_rps.shape[1])

    def at_level(self, level: float) -> NDArray[np.float64]:
        """Demand at a quantile level, rps, shape [series, period], linear between known levels."""
        known = np.asarray(self.levels)
        if not known[0] <= level <= known[-1]:
            raise ValueError(f"quantile {level} is outside the forecast's {known[0]}–{known[-1]}")
        upper = int(np.searchsorted(known, level))
        if known[upper] == level:
            exact: NDArray[np.float64] = self.quantiles_rps[:, :, upper]
            return exact
        weight = (level - known[upper - 1]) / (known[upper] - known[upper - 1])
        between: NDArray[np.float64] = (1 - weight) * self.quantiles_rps[
            :, :, upper - 1
        ] + weight * self.quantiles_rps[:, :, upper]
        return between


@dataclass(frozen=True, eq=False)
class Outlook:
    """The demand that may come: scenarios, of which one will.

    ``scenario_rps`` and ``direct_rps`` have shape [scenario, service, origin, period]: all demand,
    and what comes straight from users. ``probability`` [scenario] sums to 1.
    """

    scenario_rps: NDArray[np.float64]
    direct_rps: NDArray[np.float64]
    probability: NDArray[np.float64]

    @classmethod
    def certain(cls, demand_rps: NDArray[np.float64], direct_rps: NDArray[np.float64]) -> Outlook:
        """One scenario that is sure to come; arrays [service, origin, period]."""
        return cls(demand_rps[None], direct_rps[None], np.ones(1))

    @property
    def expected_rps(self) -> NDArray[np.float64]:
        """Mean of all demand, [service, origin, period]."""
        return self._mean(self.scenario_rps)

    @property
    def expected_direct_rps(self) -> NDArray[np.float64]:
        """Mean of what comes straight from users, [service, origin, period]."""
        return self._mean(self.direct_rps)

    @property
    def highest_rps(self) -> NDArray[np.float64]:
        """The most that any scenario asks for, [service, origin, period]."""
        highest: NDArray[np.float64] = self.scenario_rps.max(axis=0)
        return highest

    def _mean(self, rps: NDArray[np.float64]) -> NDArray[np.float64]:
        if len(self.probability) == 1:
            only: NDArray[np.float64] = rps[0]
            return only
        mean: NDArray[np.float64] = np.tensordot(self.probability, rps, axes=1)
        return mean


def direct_demand_rps(
    services: Sequence[str],
    origins: Sequence[str],
    series: Sequence[tuple[str, str]],
    rps: NDArray[np.float64],
) -> NDArray[np.float64]:
    """What users ask of services themselves [service, origin, period], from ``rps`` [series,
    period].
    """
    row = {name: i for i, name in enumerate(services)}
    column = {name: j for j, name in enumerate(origins)}
    total = np.zeros((len(services), len(origins), rps.shape[1]))
    at = np.array([(row[s], column[o]) for s, o in series], np.int64).reshape(-1, 2)
    np.add.at(total, (at[:, 0], at[:, 1]), rps)
    return total


@dataclass(frozen=True, eq=False)
class CallGraph:
    """Who calls whom, in rounds that can be worked out at once.

    A round holds (callees, callers, calls per request): callees by index, each once, and the
    demand of its callers is whole when its turn comes.
    """

    rounds: tuple[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]], ...]

    @classmethod
    def of(cls, services: Sequence[str], dependencies: Sequence[Dependency]) -> CallGraph:
        """Raises ``ValueError`` naming the cycle when there is one."""
        calls_of: dict[str, list[Dependency]] = {name: [] for name in services}
        for dependency in dependencies:
            calls_of[dependency.callee].append(dependency)
        row = {name: i for i, name in enumerate(services)}
        depth: dict[str, int] = {}
        by_round: dict[tuple[int, int], list[tuple[int, int, float]]] = {}
        for name in call_order({k: tuple(d.caller for d in v) for k, v in calls_of.items()}):
            calls = calls_of[name]
            depth[name] = max((depth[call.caller] + 1 for call in calls), default=0)
            for turn, call in enumerate(calls):  # added up in the order in which they are written
                one = (row[name], row[call.caller], call.calls_per_request)
                by_round.setdefault((depth[name], turn), []).append(one)
        rounds = [zip(*by_round[key], strict=True) for key in sorted(by_round)]
        return cls(
            tuple(
                (np.array(callee, np.int64), np.array(caller, np.int64), np.array(calls))
                for callee, caller, calls in rounds
            )
        )

    def traced(self, direct_rps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Demand of services, direct and through their callers, from direct demand; both
        [service, origin, period], traced to the origin that caused it.
        """
        total = direct_rps.copy()
        for callee, caller, calls in self.rounds:
            total[callee] += calls[:, None, None] * total[caller]
        return total


def service_demand_rps(
    services: Sequence[str],
    origins: Sequence[str],
    dependencies: Sequence[Dependency],
    series: Sequence[tuple[str, str]],
    rps: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Demand of every service, direct and through its callers.

    ``rps`` has shape [series, period] and holds direct demand; the result has shape
    [service, origin, period]. A service's demand is its direct demand plus, for each dependency,
    the caller's demand times ``calls_per_request``, traced to the origin that caused it.
    """
    direct = direct_demand_rps(services, origins, series, rps)
    return CallGraph.of(services, dependencies).traced(direct)
