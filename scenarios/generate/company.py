"""Invented companies: teams, their services, who calls whom, and what users do.

Every team owns a small layered application: ``web`` services that users reach, ``logic`` and
``core`` services behind them, and ``data`` services at the bottom. Calls only go down a layer or
more, so the call graph has no cycles; a few calls cross teams.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.demand import service_demand_rps
from models.services import Dependency, Step
from scenarios.generate.chance import Chance, Floats
from scenarios.generate.traffic import BUSINESS, COMMUTERS, SHOPPERS, Crowd

ORIGINS: Final = ("asia-pacific", "europe", "north-america")
UTC_OFFSET_HOURS: Final = (8, 1, -6)
LAYERS: Final = ("web", "logic", "core", "data")
LAYER_ENDS: Final = (0.25, 0.55, 0.75, 1.0)  # share of a team's services up to each layer
MAX_WORKFLOW_STEPS: Final = 6


@dataclass(frozen=True, eq=False)
class Company:
    """Services in the order of their teams and layers, and the calls between them.

    ``services`` has the columns of a services table in a world file; throughput is 0 until
    ``serving`` says what demand asks for. ``team`` and ``layer`` are indices [service]; ``calls``
    has the columns of a dependencies table.
    """

    services: pd.DataFrame
    team: NDArray[np.int64]
    layer: NDArray[np.int64]
    calls: pd.DataFrame

    def serving(self, throughput_rps: Floats) -> Company:
        """The same company, now that the throughput of every replica is known."""
        services = self.services.assign(replica_throughput_rps=throughput_rps)
        return replace(self, services=services)

    @property
    def names(self) -> list[str]:
        return list(self.services["name"])


@dataclass(frozen=True, slots=True)
class Journey:
    """What one user does: the steps of a workflow, and how deep its calls nest."""

    team: int
    steps: tuple[Step, ...]
    depth: int


def found_company(services: int, chance: Chance) -> Company:
    """A company with that many services."""
    team = _teams(services, chance)
    starts = np.searchsorted(team, team)  # index of the first service of the service's team
    sizes = np.bincount(team)[team]
    position = (np.arange(services) - starts) / sizes
    layer = np.searchsorted(np.array(LAYER_ENDS), position, side="right").astype(np.int64)
    names = [f"{LAYERS[level]}-{i:05d}" for i, level in enumerate(layer.tolist(), start=1)]
    frame = _requirements(names, team, layer, chance)
    return Company(frame, team, layer, _calls(np.array(names), team, layer, starts, chance))


def _teams(services: int, chance: Chance) -> NDArray[np.int64]:
    """The team of every service; team sizes are lognormal, around ten."""
    sizes = np.clip(np.round(chance.lognormal(10.0, 0.5, services // 4 + 1)), 4, 40)
    ends = np.cumsum(sizes)
    return np.searchsorted(ends, np.arange(services), side="right").astype(np.int64)


def _requirements(
    names: list[str], team: NDArray[np.int64], layer: NDArray[np.int64], chance: Chance
) -> pd.DataFrame:
    count = len(names)
    # What an instance has left for replicas divides by these sizes, as careful teams see to.
    vcpus = np.array(chance.pick((0.45, 0.9, 1.8, 3.6, 7.2), (30, 35, 20, 11, 4), count))
    ratio = np.array(chance.pick((2.0, 4.0, 8.0), (45, 40, 15), count))
    stateful = (layer == 3) & (chance.uniform(0, 1, count) < 0.5)
    gpus = (layer == 2) & (chance.uniform(0, 1, count) < 0.08)
    arm = ~gpus & (chance.uniform(0, 1, count) < 0.4)
    web = layer == 0
    service_time_ms = np.clip(np.round(chance.lognormal(14.0, 0.7, count)), 1, 120)
    slack_ms = np.round(chance.uniform(60, 90, count), -1)
    return pd.DataFrame(
        {
            "name": names,
            "team": [f"team-{t + 1:04d}" for t in team.tolist()],
            "replica_vcpus": np.where(gpus, 3.0, vcpus),
            "replica_memory_gib": np.where(gpus, 10.8, np.round(vcpus * ratio, 1)),
            "replica_throughput_rps": 0.0,
            "replica_service_time_ms": service_time_ms,
            "replica_gpus": np.where(gpus, 1.0, 0.0),
            "replica_gpu_models": np.where(gpus, "T4", ""),
            "architectures": np.where(arm, "x86_64 arm64", "x86_64"),
            "min_replicas": np.array(chance.pick((1, 2, 3), (20, 60, 20), count)),
            "stateful": stateful,
            "state_gib": np.where(stateful, np.round(chance.pareto(5, 0.8, 4000, count)), 0.0),
            "spot_tolerant": ~stateful & ~gpus & (chance.uniform(0, 1, count) < 0.6),
            # Six places let a service survive a region or a cloud near each of three origins.
            "max_places": pd.Series(6, range(count), "Int64").where(pd.Series(stateful)),
            "response_kib": np.where(web, np.round(chance.lognormal(6.0, 0.8, count), 1), 0.0),
            "latency_objective_ms": service_time_ms + slack_ms,
        }
    )


def _calls(
    names: NDArray[np.str_],
    team: NDArray[np.int64],
    layer: NDArray[np.int64],
    starts: NDArray[np.int64],
    chance: Chance,
) -> pd.DataFrame:
    """One to three callers per service below the web layer, a tenth of them from other teams.

    One call in four to a service above the data layer carries a payload that is worth counting.
    """
    called = np.flatnonzero(layer > 0)
    callers = np.array(chance.pick((1, 2, 3), (55, 30, 15), len(called)), np.int64)
    callee = np.repeat(called, callers)
    above = np.searchsorted(team * 4 + layer, team[callee] * 4 + layer[callee]) - starts[callee]
    caller = starts[callee] + chance.below(above)
    webs = np.flatnonzero(layer == 0)
    stranger = webs[chance.below(np.full(len(callee), len(webs)))]
    caller = np.where(chance.uniform(0, 1, len(callee)) < 0.1, stranger, caller)
    pairs = np.unique(caller * len(names) + callee)
    caller, callee = pairs // len(names), pairs % len(names)
    bulky = (layer[callee] < 3) & (chance.uniform(0, 1, len(pairs)) < 0.25)
    return pd.DataFrame(
        {
            "caller": names[caller],
            "callee": names[callee],
            "calls_per_request": np.clip(
                np.round(chance.lognormal(0.5, 0.7, len(pairs)), 2), 0.02, 4
            ),
            "request_kib": _payload_kib(bulky, 5.0, chance),
            "response_kib": _payload_kib(bulky, 15.0, chance),
        }
    )


def _payload_kib(bulky: NDArray[np.bool_], median: float, chance: Chance) -> Floats:
    """Pages, pictures and documents; what other calls carry costs nothing worth counting."""
    kib = np.clip(np.round(chance.lognormal(median, 0.8, len(bulky)), 1), 0.5, 200)
    return np.where(bulky, kib, 0.0)


def crowds_of(company: Company, chance: Chance) -> dict[tuple[str, str], Crowd]:
    """Who uses the web services: one crowd per (service, origin), sizes heavy-tailed.

    Half of the web services have users everywhere, the others in one or two origins.
    """
    webs = [name for name, level in zip(company.names, company.layer, strict=True) if level == 0]
    peaks = chance.pareto(30.0, 0.9, 6000.0, len(webs))
    rhythms = chance.pick((SHOPPERS, COMMUTERS, BUSINESS), (45, 25, 30), len(webs))
    reach = chance.pick((1, 2, 3), (20, 30, 50), len(webs))
    home = chance.below(np.full(len(webs), len(ORIGINS)))
    shares = chance.lognormal(1.0, 0.8, len(webs), len(ORIGINS))
    growth = np.round(chance.uniform(-0.01, 0.03, len(webs)), 4)
    crowds: dict[tuple[str, str], Crowd] = {}
    for i, name in enumerate(webs):
        chosen = sorted((int(home[i]) + step) % len(ORIGINS) for step in range(reach[i]))
        whole = float(shares[i, chosen].sum())
        for j in chosen:
            peak_rps = max(0.5, round(float(peaks[i] * shares[i, j] / whole), 1))
            crowds[name, ORIGINS[j]] = Crowd(
                peak_rps, rhythms[i], UTC_OFFSET_HOURS[j], float(growth[i]), noise=0.05
            )
    return crowds


def whole_demand_rps(company: Company, series: list[tuple[str, str]], rps: Floats) -> Floats:
    """Demand of every service, its callers' included, shape [service, origin, period]."""
    dependencies = [Dependency(*call) for call in company.calls.iloc[:, :3].itertuples(index=False)]
    return service_demand_rps(company.names, ORIGINS, dependencies, series, rps)


def throughputs_rps(peak_rps: Floats, chance: Chance) -> Floats:
    """Throughput of one replica such that replicas at the peak are Pareto distributed.

    Rounded to two significant digits, between 1 and 5,000 rps.
    """
    replicas = chance.pareto(1.2, 1.1, 150.0, len(peak_rps))
    raw = np.clip(peak_rps / replicas, 1.0, 5000.0)
    digit = 10.0 ** (np.floor(np.log10(raw)) - 1)
    rounded: Floats = np.round(np.round(raw / digit) * digit, 1)
    return rounded


def journeys_of(company: Company, chance: Chance, share: float = 2 / 3) -> Iterator[Journey]:
    """For a share of the teams: what a user of their first web service sets off, breadth first."""
    callees: dict[str, list[str]] = {}
    for caller, callee in zip(company.calls["caller"], company.calls["callee"], strict=True):
        callees.setdefault(caller, []).append(callee)
    names = company.names
    first_of_team = np.unique(company.team, return_index=True)[1]
    kept = chance.uniform(0, 1, len(first_of_team)) < share
    for team, (first, keep) in enumerate(zip(first_of_team.tolist(), kept, strict=True)):
        if keep and callees.get(names[first]):
            yield _journey(team, names[first], callees)


def _journey(team: int, web: str, callees: dict[str, list[str]]) -> Journey:
    found: dict[str, tuple[str, ...]] = {web: ()}
    depth = {web: 1}
    queue = [web]
    for caller in queue:
        for callee in callees.get(caller, []):
            if callee not in found and len(found) < MAX_WORKFLOW_STEPS:
                found[callee] = (caller,)
                depth[callee] = depth[caller] + 1
                queue.append(callee)
    steps = tuple(Step(name, after) for name, after in found.items())
    return Journey(team, steps, max(depth.values()))
