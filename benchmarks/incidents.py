"""How often the service at fault is told as the root of the incident that it caused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.incident_worlds import LEARNT, STEPS, Company, company, name
from benchmarks.registry import Case, Metric, benchmark

COMPANIES = 200
TOP = 3
CASES = {
    "one cause": (1, 0.0, 0),
    "one cause, 20 % missed, 3 false alarms": (1, 0.2, 3),
    "two causes at once": (2, 0.0, 0),
    "two causes, 20 % missed, 3 false alarms": (2, 0.2, 3),
    "one cause, anomalies as trimtab detects them": (1, None, 0),
    "two causes, anomalies as trimtab detects them": (2, None, 0),
}


@benchmark("incidents", "planted failures among 20 services: roots found, causes kept apart")
def incidents(data: Path | None) -> Iterator[Case]:
    del data
    for case, (causes, missed, false_alarms) in CASES.items():
        yield Case(case, partial(measure_roots, causes, missed, false_alarms))


def measure_roots(
    causes: int, missed: float | None, false_alarms: int, folder: Path
) -> Iterator[Metric]:
    """Shares of causes over many companies; ranked by weight, as incidents are told.

    ``at_best``: causes whose service shows any anomaly at all.
    """
    del folder
    from optimizer.anomalies.chance import beyond_chance
    from optimizer.incidents.grouping import incidents_of

    companies = [company(seed, causes, missed or 0, false_alarms) for seed in range(COMPANIES)]
    companies = [one for one in companies if len(one.planted) == causes]
    if missed is None:
        companies = [_detected(one) for one in companies]
    first = top = merged = count = 0
    seen = walk = earliest = 0
    began = perf_counter()
    told = [incidents_of(one.anomalies, one.edges(), one.signals) for one in companies]
    if missed is None:
        values = len(companies[0].signals.keys) * (STEPS - LEARNT)
        told = [tuple(i for i in found if beyond_chance(i.anomalies, values)) for found in told]
    took = perf_counter() - began
    for one, found in zip(companies, told, strict=True):
        wanted = {name(cause.service) for cause in one.planted}
        roots = [incident.root.key.service for incident in found]
        count += len(wanted)
        seen += len(wanted & {anomaly.key.service for anomaly in one.anomalies})
        first += len(wanted & set(roots[:causes]))
        top += len(wanted & set(roots[:TOP]))
        merged += any(wanted <= {a.key.service for a in i.anomalies} and causes > 1 and
                      len(wanted & set(roots)) < causes for i in found)  # fmt: skip
        walk += len(wanted & set(_by_random_walk(one)[:causes]))
        earliest += len(wanted & set(_by_time(one)[:causes]))
    yield Metric("companies", len(companies), "1")
    yield Metric("anomalies", float(np.mean([len(one.anomalies) for one in companies])), "1")
    yield Metric("at_best", seen / count, "1")
    yield Metric("found_first", first / count, "1")
    yield Metric(f"found_in_{TOP}", top / count, "1")
    yield Metric("wrongly_merged", merged / len(companies), "1")
    yield Metric("incidents", float(np.mean([len(found) for found in told])), "1")
    yield Metric("random_walk_first", walk / count, "1")
    yield Metric("earliest_first", earliest / count, "1")
    yield Metric("time_each", took / len(companies), "s")


def _detected(one: Company) -> Company:
    """The same company, with what trimtab itself sees stray once it has learnt what is usual."""
    from optimizer.anomalies.detect import detect

    learnt = one.signals.at(LEARNT)
    found = tuple(anomaly for anomaly in detect(one.signals) if anomaly.starts >= learnt)
    return replace(one, anomalies=found)


def _by_time(one: Company) -> list[str]:
    """Services by when they strayed first."""
    return _distinct(a.key.service for a in sorted(one.anomalies, key=lambda a: (a.starts, a.key)))


def _by_random_walk(one: Company) -> list[str]:
    """Services by personalised PageRank on those that stray, after MicroRCA (Wu, Tordsson,
    Elmroth, Kao: "MicroRCA: Root Cause Localization of Performance Issues in Microservices", NOMS
    2020): a walker goes from a caller to a callee by the correlation of their latencies, and
    starts anew where scores are high."""
    score: dict[str, float] = {}
    for anomaly in one.anomalies:
        service = anomaly.key.service
        score[service] = max(score.get(service, 0.0), anomaly.score)
    names = sorted(score)
    row = {key: i for i, key in enumerate(one.signals.keys)}
    latency = {
        key.service: one.signals.values[i, -240:]
        for key, i in row.items()
        if key.signal == "latency_p95_ms"
    }
    moves = np.zeros((len(names), len(names)))
    for caller, callee in one.edges():
        if caller in score and callee in score:
            alike = abs(np.corrcoef(latency[caller], latency[callee])[0, 1])
            moves[names.index(caller), names.index(callee)] = alike
    start = np.array([score[n] for n in names])
    start /= start.sum()
    out = moves.sum(axis=1, keepdims=True)
    moves = np.where(out > 0, moves / np.where(out > 0, out, 1), start[None, :])
    rank = start.copy()
    for _ in range(100):
        rank = 0.15 * start + 0.85 * rank @ moves
    return [names[i] for i in np.argsort(-rank, kind="stable")]


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
