"""What runs when the plan starts, as options: what changes are counted from.

An instance that is reserved runs like one on demand: what is bought is another matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.offerings import Purchase
from models.rules import DisruptionRule
from models.world import World
from optimizer.formulate.market import Options
from optimizer.problem import Bools, Floats, Ints

_OFFERING = ["cloud", "region", "instance_type", "purchase"]


@dataclass(frozen=True, eq=False)
class Standing:
    """What runs when the plan starts.

    ``now`` [option] instances run already. ``left_behind`` [service] instances run that no option
    stands for: types or places that the service may no longer use. ``runs`` [service]: anything
    runs; services that do not run today have nothing to change. ``usd_per_hour`` [service] is
    the price of all that runs and has one.
    """

    now: Ints
    left_behind: Ints
    runs: Bools
    usd_per_hour: Floats


def matters(world: World) -> Bools:
    """[service]: whether plans for it depend on what runs today."""
    running = {group.service for group in world.fleet.groups}
    asked = running
    if not world.policy.changes.count:
        rules = [rule for rule in world.rules if isinstance(rule, DisruptionRule)]
        asked = running & {name for rule in rules for name in rule.services}
    named = np.array([service.name in asked for service in world.services], np.bool_)
    runs = np.array([service.name in running for service in world.services], np.bool_)
    found: Bools = named | (runs & (minimum_run_hours(world) > 1))
    return found


def minimum_run_hours(world: World) -> Ints:
    """[service]: how long an instance that starts runs at least; 1 where that is no matter."""
    usual = world.policy.minimum_run_hours
    hours = [
        1 if service.stateful else service.minimum_run_hours or usual for service in world.services
    ]
    return np.array(hours, np.int64)


def is_counted_by_instance(world: World) -> Bools:
    """[service]: whether one instance more counts, whatever it holds."""
    rules = [rule for rule in world.rules if isinstance(rule, DisruptionRule)]
    named = {name for rule in rules for name in rule.services}
    if world.policy.changes.usd_per_started_instance > 0:
        named = {service.name for service in world.services}
    counted = np.array([service.name in named for service in world.services], np.bool_)
    return matters(world) & counted


def running(world: World) -> tuple[Ints, Ints, Ints]:
    """Service, row of the price book (-1: none) and instances of every group of today's fleet."""
    book = world.book.offerings
    rows = pd.Series(np.arange(len(book)), pd.MultiIndex.from_frame(book[_OFFERING].astype(str)))
    number = {service.name: s for s, service in enumerate(world.services)}
    groups = world.fleet.groups
    wanted = [
        (*group.place.split("/", 1), group.instance_type, _runs_as(group.purchase))
        for group in groups
    ]
    row = np.zeros(0, np.int64)
    if wanted:
        found = rows.reindex(pd.MultiIndex.from_tuples(wanted, names=_OFFERING))
        row = found.fillna(-1).to_numpy(np.int64).astype(np.int64)
    return (
        np.array([number[group.service] for group in groups], np.int64),
        row,
        np.array([group.count for group in groups], np.int64),
    )


def _runs_as(purchase: Purchase) -> str:
    return (Purchase.SPOT if purchase is Purchase.SPOT else Purchase.ON_DEMAND).value


def runs_where_it_matters(world: World) -> tuple[Ints, Ints]:
    """Services to which what runs today matters, paired with rows of the price book that run."""
    asked = matters(world)
    if not asked.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    service, row, _ = running(world)
    known = asked[service] & (row >= 0)
    return service[known], row[known]


def runs_now(options: Options, world: World) -> Bools:
    """[option]: whether its instances run today, for services to which that matters."""
    service, row = runs_where_it_matters(world)
    return np.isin(_keys(options, world), service * _rows(world) + row)


def stand(options: Options, world: World) -> Standing:
    """Today's fleet in terms of ``options``."""
    service, row, count = running(world)
    book = world.book.offerings
    price = book["price_usd_per_hour"].to_numpy(np.float64)
    services = len(world.services)
    usd = np.zeros(services)
    np.add.at(usd, service[row >= 0], price[row[row >= 0]] * count[row >= 0])
    keys = _keys(options, world)
    order = np.argsort(keys, kind="stable")
    wanted = service * _rows(world) + row
    at = np.minimum(np.searchsorted(keys[order], wanted), max(len(keys) - 1, 0))
    known = (row >= 0) & (len(keys) > 0)
    known[known] = keys[order][at[known]] == wanted[known]
    now = np.bincount(order[at[known]], count[known], minlength=len(keys)).astype(np.int64)
    left = np.bincount(service[~known], count[~known], minlength=services).astype(np.int64)
    runs = np.bincount(service, minlength=services) > 0
    return Standing(now, left, runs, usd)


def _rows(world: World) -> int:
    return len(world.book.offerings) + 1  # -1, for what has no price, is a row of its own


def _keys(options: Options, world: World) -> Ints:
    return options.service * _rows(world) + options.offering
