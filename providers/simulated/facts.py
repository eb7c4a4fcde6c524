"""What a simulated cloud says of itself: inventory, prices, measurements, and that it is well."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.cloud_errors import CloudFailed
from models.inventory import (
    CommittedRate,
    Instance,
    InstanceGroup,
    InstanceType,
    OwnedCommitment,
    Price,
    Quota,
    QuotaUnit,
    RejectedPrice,
    Sample,
    Signal,
)
from models.offerings import Architecture, Purchase
from providers.seam import Finding, Scope, Scopes, Severity, Window
from providers.simulated.cloud import ACCOUNT, SERVICE_LABEL, SimulatedCloud
from providers.simulated.machines import KINDS, Machine, Pool
from providers.simulated.script import NoCapacity, PriceMove

SOURCE = "simulated"


@dataclass(frozen=True, slots=True)
class SimulatedInventory:
    """``providers.seam.Inventory`` of a simulated cloud."""

    cloud: SimulatedCloud

    def scopes(self) -> Scopes:
        with self.cloud.lock:
            self.cloud.call("scopes")
        names = sorted(region.name for region in self.cloud.regions)
        return Scopes(tuple(Scope(self.cloud.name, ACCOUNT, name) for name in names))

    def instances(self, scope: Scope) -> Iterator[Instance]:
        def rows() -> list[object]:
            machines = self.cloud.machines
            return [
                self._instance(machine)
                for machine in machines.machines.values()
                if machine.place == scope.place
            ]

        return cast("Iterator[Instance]", self.cloud.pages("instances", scope, rows))

    def _instance(self, machine: Machine) -> Instance:
        machines = self.cloud.machines
        return Instance(
            machine.id, ACCOUNT, machine.place, machine.zone, machine.instance_type,
            machine.purchase, machine.state(machines.now_s), machines.time_of(machine.launched_s),
            machine.group, machine.labels,
        )  # fmt: skip

    def groups(self, scope: Scope) -> Iterator[InstanceGroup]:
        def rows() -> list[object]:
            pools = self.cloud.machines.pools.values()
            return [self._group(pool) for pool in pools if pool.place == scope.place]

        return cast("Iterator[InstanceGroup]", self.cloud.pages("groups", scope, rows))

    def _group(self, pool: Pool) -> InstanceGroup:
        machines = self.cloud.machines
        healthy = sum(machine.serves(machines.now_s) for machine in machines.members(pool.id))
        return InstanceGroup(
            pool.id, pool.name, KINDS[self.cloud.name], ACCOUNT, pool.place, pool.zones,
            pool.minimum, pool.desired, pool.maximum, healthy, pool.instance_types,
            pool.on_demand_base, pool.spot_share, pool.template, pool.labels,
        )  # fmt: skip

    def instance_types(self, scope: Scope) -> Iterator[InstanceType]:
        def rows() -> list[object]:
            offers = self.cloud.offerings(scope.place)
            spot = set(offers.loc[offers["purchase"] == Purchase.SPOT.value, "instance_type"])
            zones = self.cloud.zones_of(scope.place)
            return [
                _instance_type(scope, record, zones, record["instance_type"] in spot)
                for record in offers.drop_duplicates("instance_type").to_dict("records")
            ]

        return cast("Iterator[InstanceType]", self.cloud.pages("instance_types", scope, rows))

    def quotas(self, scope: Scope) -> Iterator[Quota]:
        def rows() -> list[object]:
            return [
                Quota(ACCOUNT, cap.place, f"vcpus-{number}", QuotaUnit.VCPUS, cap.vcpus,
                      vcpus_in_use(self.cloud, cap.place, cap.purchase, cap.families),
                      cap.purchase, cap.families)
                for number, cap in enumerate(self.cloud.caps) if cap.place == scope.place
            ]  # fmt: skip

        return cast("Iterator[Quota]", self.cloud.pages("quotas", scope, rows))

    def commitments(self, scope: Scope) -> Iterator[OwnedCommitment]:
        return cast("Iterator[OwnedCommitment]", self.cloud.pages("commitments", scope, list))


def _instance_type(
    scope: Scope, record: Mapping[Any, Any], zones: tuple[str, ...], spot: bool
) -> InstanceType:
    baseline = float(record["baseline_vcpus"])
    return InstanceType(
        scope.place, record["instance_type"], scope.account, float(record["vcpus"]),
        None if math.isnan(baseline) else baseline, float(record["memory_gib"]),
        Architecture(record["architecture"]), record["family"], float(record["gpus"]),
        record["gpu_model"], bool(record["burstable"]), spot, zones,
    )  # fmt: skip


def vcpus_in_use(
    cloud: SimulatedCloud, place: str, purchase: Purchase | None, families: tuple[str, ...]
) -> float:
    """vCPUs of machines that run and that a quota of ``place`` counts."""
    offers = cloud.offerings(place).drop_duplicates("instance_type").set_index("instance_type")
    vcpus, family = dict(offers["vcpus"]), dict(offers["family"])
    used = 0.0
    for machine in cloud.machines.machines.values():
        runs = machine.place == place and not machine.stopped and machine.instance_type in vcpus
        counts = runs and purchase in (None, machine.purchase)
        if counts and (not families or family[machine.instance_type] in families):
            used += vcpus[machine.instance_type]
    return float(used)


@dataclass(frozen=True, slots=True)
class SimulatedPriceList:
    """``providers.seam.PriceList``: the book's prices, as the script moves them."""

    cloud: SimulatedCloud

    def markets(self) -> Scopes:
        with self.cloud.lock:
            self.cloud.call("markets")
        names = sorted(region.name for region in self.cloud.regions)
        return Scopes(tuple(Scope(self.cloud.name, "", name) for name in names))

    def prices(self, market: Scope) -> Iterator[Price | RejectedPrice | CommittedRate]:
        def rows() -> list[object]:
            machines = self.cloud.machines
            moves = [
                event for event in self.cloud.script.events
                if isinstance(event, PriceMove) and event.at_s <= machines.now_s
            ]  # fmt: skip
            offers = self.cloud.offerings(market.place)
            return [
                Price(market.place, instance_type, Purchase(purchase), "",
                      usd * _factor(moves, market.place, instance_type, purchase), machines.now,
                      SOURCE)
                for instance_type, purchase, usd in zip(
                    offers["instance_type"], offers["purchase"], offers["price_usd_per_hour"],
                    strict=True,
                )
            ]  # fmt: skip

        found = self.cloud.pages("prices", market, rows)
        return cast("Iterator[Price | RejectedPrice | CommittedRate]", found)


def _factor(moves: list[PriceMove], place: str, instance_type: str, purchase: str) -> float:
    return math.prod(
        move.factor
        for move in moves
        if move.place in ("", place)
        and move.instance_type in ("", instance_type)
        and move.purchase in ("", purchase)
    )


@dataclass(frozen=True, slots=True)
class SimulatedMetrics:
    """``providers.seam.Metrics``: requests of each service shared by its groups, by size.

    ``history``: a table as in ``models.demand.History``. Requests at a time are those at the same
    hour of the history's last week. CPU follows requests, half busy at the week's peak.
    """

    cloud: SimulatedCloud
    history: pd.DataFrame

    def samples(self, scope: Scope, window: Window) -> Iterator[Sample]:
        def rows() -> list[object]:
            return [
                Sample(signal, ACCOUNT, scope.place, pool.id, at, window.step_s, value)
                for pool in self.cloud.machines.pools.values()
                if pool.place == scope.place
                for signal, at, value in self._of(pool, window)
            ]

        return cast("Iterator[Sample]", self.cloud.pages("samples", scope, rows))

    def _of(self, pool: Pool, window: Window) -> Iterator[tuple[Signal, datetime, float]]:
        service = dict(pool.labels).get(SERVICE_LABEL, "")
        week = _last_week(self.history, service)
        if not week.size:
            return
        pools = [
            one for one in self.cloud.machines.pools.values()
            if dict(one.labels).get(SERVICE_LABEL, "") == service
        ]  # fmt: skip
        share = pool.desired / max(sum(one.desired for one in pools), 1)
        first = self.history["ts"].max() - timedelta(hours=len(week) - 1)
        at = window.starts
        while at < window.ends:
            hour = math.floor((at - first).total_seconds() / 3600.0) % len(week)
            yield Signal.REQUESTS_RPS, at, float(week[hour] * share)
            yield Signal.CPU_SHARE, at, float(0.5 * week[hour] / max(week.max(), 1e-9))
            at += timedelta(seconds=window.step_s)


def _last_week(history: pd.DataFrame, service: str) -> NDArray[np.float64]:
    own = history[history["service"] == service]
    return own.groupby("ts")["rps"].sum().to_numpy(np.float64)[-168:]


@dataclass(frozen=True, slots=True)
class SimulatedDoctor:
    """``providers.seam.Doctor``: says whether the script lets anything answer now."""

    cloud: SimulatedCloud

    def findings(self) -> Iterator[Finding]:
        for scope in SimulatedInventory(self.cloud).scopes().found:
            yield self._reached(scope)
        for event in self.cloud.script.events:
            if isinstance(event, NoCapacity) and event.when.holds(self.cloud.machines.now_s):
                yield Finding(
                    self.cloud.name, "capacity", Severity.WARNING,
                    f"{event.place or 'everywhere'}: {event.instance_type or 'all types'} lack",
                    "wait until the script lets it end, or plan with other types",
                )  # fmt: skip

    def _reached(self, scope: Scope) -> Finding:
        try:
            count = sum(1 for _ in SimulatedInventory(self.cloud).groups(scope))
        except CloudFailed as error:
            said = f"{error.code}: {error.said}"
            return Finding(
                self.cloud.name, error.asked.operation, Severity.FAILED, said, error.next_step
            )
        return Finding(self.cloud.name, "reachability", Severity.FINE, f"{scope}: {count} groups")
