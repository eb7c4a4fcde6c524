"""Corrections between plans: what is asked now, and where that leads while an instance boots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from models.rules import QuotaRule
from optimizer.problem import Floats
from optimizer.rolling.facts import ALMOST, Facts, GroupKey
from optimizer.rolling.state import Ahead, Cause, Cohort, Reason

MOST_GROWTH = 2.0
LEAST_GROWTH = 0.5
"""The forecast's shape says by how much demand grows while an instance boots: within these."""


def needed_rps(
    facts: Facts, ahead: Ahead, load_rps: Floats, now: timedelta, target: Floats, boot: timedelta
) -> Floats:
    """What must be served [service, region] a boot from now on, by what was asked of late.

    ``load_rps`` [service, region] of the step that ended, ``now`` since the plan's start: grown as
    the forecast says that it grows in between, filled to ``target`` [service].
    """
    at = ahead.starts + now
    regions = facts.shape[1]
    then = ahead.routes_at(at).load_rps(ahead.mean_at(at), regions)
    later = ahead.routes_at(at + boot).load_rps(ahead.mean_at(at + boot), regions)
    growth = np.divide(later, then, out=np.ones_like(then), where=then > 0)
    grown: Floats = load_rps * np.clip(growth, LEAST_GROWTH, MOST_GROWTH) / target[:, None]
    return grown


@dataclass(frozen=True, eq=False)
class Correction:
    """``wanted`` beyond the plan's groups, and why."""

    wanted: dict[GroupKey, int]
    reasons: tuple[Reason, ...]


def corrected(
    facts: Facts,
    planned: Mapping[GroupKey, int],
    capacity_rps: Floats,
    needed: Floats,
    running: tuple[Cohort, ...],
) -> Correction:
    """Groups that serve what the plan's capacity lacks of ``needed``, both [service, region].

    What runs beyond the plan stays as long as it is needed, the cheapest for what it serves
    first; then on-demand instances are started, as far as quotas leave room.
    """
    wanted, reasons = dict(planned), list[Reason]()
    lacking = needed - capacity_rps
    short = np.argwhere(lacking > ALMOST * np.maximum(needed, 1.0))
    if not short.size:
        return Correction(wanted, ())
    runs: dict[GroupKey, int] = {}
    for cohort in running:
        runs[cohort.key] = runs.get(cohort.key, 0) + cohort.count
    room = Room(facts, wanted)
    for s, r in short.tolist():
        left = _kept(facts, wanted, runs, (s, r), float(lacking[s, r]))
        if left <= ALMOST * lacking[s, r]:
            continue
        name, place = facts.world.services[s].name, facts.world.regions[r].place
        for key in facts.spare(s, r, left):
            serves = float(facts.roster((key,)).serves_rps[0])
            count = int(np.ceil(left / serves - ALMOST))
            start = room.take(key, count)
            if not start:
                continue
            wanted[key] = wanted.get(key, 0) + start
            left -= start * serves
            reasons.append(
                Reason(
                    Cause.OBSERVED, name,
                    f"{needed[s, r]:,.0f} rps are to be served in {place}, and the plan serves "
                    f"{capacity_rps[s, r]:,.0f}: {start} x {key} more",
                )
            )  # fmt: skip
            if left <= ALMOST * lacking[s, r]:
                break
        else:
            why = f"{left:,.0f} rps lack capacity in {place}, and nothing on demand may be added"
            reasons.append(Reason(Cause.REFUSED, name, why))
    return Correction(wanted, tuple(reasons))


def _kept(
    facts: Facts,
    wanted: dict[GroupKey, int],
    runs: Mapping[GroupKey, int],
    where: tuple[int, int],
    left: float,
) -> float:
    """Keep of what runs there beyond ``wanted`` what is needed; what is still lacking after."""
    name, place = facts.world.services[where[0]].name, facts.world.regions[where[1]].place
    beyond = [
        key
        for key, count in runs.items()
        if key.service == name and key.place == place and count > wanted.get(key, 0)
    ]
    if not beyond:
        return left
    roster = facts.roster(sorted(beyond))
    usd = np.nan_to_num(roster.usd_per_hour, nan=np.inf)
    order = np.argsort(usd / np.maximum(roster.serves_rps, ALMOST), kind="stable")
    for i in order.tolist():
        key, serves = roster.keys[i], float(roster.serves_rps[i])
        if serves <= 0 or left <= ALMOST:
            continue
        more = min(runs[key] - wanted.get(key, 0), int(np.ceil(left / serves - ALMOST)))
        wanted[key] = wanted.get(key, 0) + more
        left -= more * serves
    return left


class Room:
    """What quotas leave, as instances are added to ``wanted``."""

    def __init__(self, facts: Facts, wanted: Mapping[GroupKey, int]) -> None:
        self._facts, self._wanted = facts, wanted
        rules = [rule for rule in facts.world.rules if isinstance(rule, QuotaRule)]
        self._quotas = [(rule, facts.counted(rule)) for rule in rules]

    def take(self, key: GroupKey, count: int) -> int:
        """So many of ``count`` instances more of ``key`` as every quota leaves room for."""
        facts = self._facts
        row = facts.row_of(key)
        book = facts.world.book.offerings
        for rule, counted in self._quotas:
            if row < 0 or not counted[row]:
                continue
            here = [
                (facts.row_of(other), n)
                for other, n in self._wanted.items()
                if other.place == key.place
            ]
            vcpus, instances = 0.0, 0
            for other, n in here:
                if other >= 0 and counted[other]:
                    vcpus += n * float(book["vcpus"].iloc[other])
                    instances += n
            if rule.vcpus_at_most is not None:
                own = float(book["vcpus"].iloc[row])
                count = min(count, int((rule.vcpus_at_most - vcpus) / own + ALMOST))
            if rule.instances_at_most is not None:
                count = min(count, int(rule.instances_at_most - instances + ALMOST))
        return max(count, 0)
