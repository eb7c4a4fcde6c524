"""What can be done in a simulated cloud."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from models.actions import (
    Action,
    CreateGroup,
    DeleteGroup,
    Drain,
    Effect,
    Receipt,
    Remix,
    Replace,
    Resize,
    Restart,
    SetWeights,
    Start,
    Target,
    place_of,
)
from models.cloud_errors import (
    Asked,
    CapacityLacking,
    Conflicting,
    NotAccepted,
    NotFound,
    QuotaReached,
    Unavailable,
)
from models.offerings import Purchase
from providers.simulated.cloud import SimulatedCloud
from providers.simulated.facts import vcpus_in_use
from providers.simulated.machines import Machine, Pool


@dataclass(frozen=True, slots=True)
class SimulatedHands:
    """``providers.seam.Hands`` of a simulated cloud."""

    cloud: SimulatedCloud

    def act(self, action: Action, token: str, *, rehearse: bool = False) -> Receipt:
        cloud = self.cloud
        with cloud.lock:
            cloud.call(type(action).__name__, place_of(action))

            def do(rehearsing: bool) -> Receipt:
                return self._done(action, rehearsing)

            asked = self._asked(action)
            receipt = cloud.ledger.act(asked, action, token, do, rehearse=rehearse)
            if not rehearse and cloud.machines.lost_answers > 0:
                cloud.machines.lost_answers -= 1
                raise Unavailable(asked, "LostAnswer", "the connection broke")
            return receipt

    def _asked(self, action: Action) -> Asked:
        return self.cloud.asked(type(action).__name__, place_of(action))

    def _done(self, action: Action, rehearse: bool) -> Receipt:
        """Check that it can be done, and do it unless it is a rehearsal."""
        do = cast("Callable[[Action, bool], Receipt]", {
            Resize: self._resize, Remix: self._remix, CreateGroup: self._create,
            DeleteGroup: self._delete, Start: self._start, Restart: self._restart,
            Replace: self._replace, Drain: self._drain, SetWeights: self._set_weights,
        }[type(action)])  # fmt: skip
        return do(action, rehearse)

    def _resize(self, action: Resize, rehearse: bool) -> Receipt:
        pool = self._pool(action, action.group)
        if action.desired < 0:
            raise NotAccepted(self._asked(action), "BadSize", f"{action.desired} is no size")
        if pool.desired == action.desired:
            return Receipt(Effect.ALREADY, (pool.id,))
        self._check_quota(action, pool, action.desired - pool.desired)
        if not rehearse:
            pool.desired = action.desired
            pool.minimum = min(pool.minimum, action.desired)
            pool.maximum = max(pool.maximum, action.desired)
            self.cloud.machines.settle(pool)
        return Receipt(Effect.DONE, (pool.id,), pool.lacking)

    def _remix(self, action: Remix, rehearse: bool) -> Receipt:
        pool = self._pool(action, action.group)
        self._check_types(action, pool.place, action.instance_types, action.spot_share)
        wanted = (action.instance_types, action.on_demand_base, action.spot_share)
        if (pool.instance_types, pool.on_demand_base, pool.spot_share) == wanted:
            return Receipt(Effect.ALREADY, (pool.id,))
        if not rehearse:
            pool.instance_types, pool.on_demand_base, pool.spot_share = wanted
        return Receipt(Effect.DONE, (pool.id,))

    def _create(self, action: CreateGroup, rehearse: bool) -> Receipt:
        cloud, machines = self.cloud, self.cloud.machines
        self._check_types(action, action.place, action.instance_types, action.spot_share)
        zones = action.zones or cloud.zones_of(action.place)
        pool = Pool(
            f"pool-{action.place}-{action.name}", action.name, action.place, zones, 0,
            action.desired, max(action.maximum, action.desired), action.instance_types,
            action.on_demand_base, action.spot_share, action.template, action.labels,
        )  # fmt: skip
        if (there := machines.pools.get(pool.id)) is not None:
            if _settings(there) == _settings(pool):
                return Receipt(Effect.ALREADY, (pool.id,))
            raise Conflicting(self._asked(action), "AlreadyExists", f"{action.name} is another")
        self._check_quota(action, pool, action.desired)
        if not rehearse:
            machines.pools[pool.id] = pool
            machines.settle(pool)
        return Receipt(Effect.DONE, (pool.id,), pool.lacking)

    def _delete(self, action: DeleteGroup, rehearse: bool) -> Receipt:
        machines = self.cloud.machines
        pool = self._pool(action, action.group)
        ids = tuple(machine.id for machine in machines.members(pool.id))
        if not rehearse:
            del machines.pools[pool.id]
            for one in ids:
                del machines.machines[one]
        return Receipt(Effect.DONE, (pool.id, *ids))

    def _start(self, action: Start, rehearse: bool) -> Receipt:
        machines = self.cloud.machines
        machine = self._machine(action, action.instance)
        if not machine.stopped:
            return Receipt(Effect.ALREADY, (machine.id,))
        if not machines.has_capacity(
            machine.place, machine.zone, machine.instance_type, machine.purchase
        ):
            said = f"no {machine.instance_type} in {machine.zone}"
            raise CapacityLacking(self._asked(action), "NoCapacity", said)
        if not rehearse:
            machines.boot_again(machine)
        return Receipt(Effect.DONE, (machine.id,))

    def _restart(self, action: Restart, rehearse: bool) -> Receipt:
        machine = self._machine(action, action.instance)
        if not rehearse:
            self.cloud.machines.boot_again(machine)
        return Receipt(Effect.DONE, (machine.id,))

    def _replace(self, action: Replace, rehearse: bool) -> Receipt:
        machine = self._machine(action, action.instance)
        if not machine.group:
            raise NotAccepted(self._asked(action), "NoGroup", f"{machine.id} is alone")
        if not rehearse:
            del self.cloud.machines.machines[machine.id]
            self.cloud.machines.settle(self.cloud.machines.pools[machine.group])
        return Receipt(Effect.DONE, (machine.id,))

    def _drain(self, action: Drain, rehearse: bool) -> Receipt:
        machine = self._machine(action, action.instance)
        if not machine.group:
            return Receipt(Effect.ALREADY, (machine.id,))
        pool = self.cloud.machines.pools[machine.group]
        if not rehearse:
            machine.group = ""
            if not action.replace:
                pool.desired -= 1
                pool.minimum = min(pool.minimum, pool.desired)
            self.cloud.machines.settle(pool)
        return Receipt(Effect.DONE, (machine.id,))

    def _set_weights(self, action: SetWeights, rehearse: bool) -> Receipt:
        if any(weight < 0 or weight > 255 for _, weight in action.weights):
            raise NotAccepted(self._asked(action), "BadWeight", "weights are from 0 to 255")
        held = self.cloud.weights.setdefault((action.zone, action.name), {})
        if all(held.get(one) == weight for one, weight in action.weights):
            return Receipt(Effect.ALREADY, (action.name,))
        if not rehearse:
            held.update(action.weights)
        return Receipt(Effect.DONE, (action.name,))

    def _pool(self, action: Action, target: Target) -> Pool:
        pool = self.cloud.machines.pools.get(target.id)
        if pool is None or pool.place != target.place:
            raise NotFound(self._asked(action), "NoSuchGroup", f"{target.id} is not there")
        return pool

    def _machine(self, action: Action, target: Target) -> Machine:
        machine = self.cloud.machines.machines.get(target.id)
        if machine is None or machine.place != target.place:
            raise NotFound(self._asked(action), "NoSuchInstance", f"{target.id} is not there")
        return machine

    def _check_types(
        self, action: Action, place: str, instance_types: tuple[str, ...], spot_share: float
    ) -> None:
        sold = set(self.cloud.offerings(place)["instance_type"])
        unknown = [name for name in instance_types if name not in sold]
        if unknown or not instance_types:
            said = f"{', '.join(unknown) or 'nothing'} is not offered in {place}"
            raise NotAccepted(self._asked(action), "UnknownType", said)
        if not 0.0 <= spot_share <= 1.0:
            raise NotAccepted(self._asked(action), "BadShare", f"{spot_share} is no share")

    def _check_quota(self, action: Action, pool: Pool, more: int) -> None:
        """Refuse what would go beyond a quota, counted in instances of the first type."""
        offers = self.cloud.offerings(pool.place).drop_duplicates("instance_type")
        row = offers[offers["instance_type"] == pool.instance_types[0]].iloc[0]
        purchase = Purchase.SPOT if pool.spot_share >= 1.0 else Purchase.ON_DEMAND
        for cap in self.cloud.caps:
            counts = cap.place == pool.place and cap.purchase in (None, purchase)
            if more <= 0 or not counts or (cap.families and row["family"] not in cap.families):
                continue
            used = vcpus_in_use(self.cloud, cap.place, cap.purchase, cap.families)
            if used + more * float(row["vcpus"]) > cap.vcpus:
                said = f"{used:g} of {cap.vcpus:g} vCPUs are in use, {more} more instances asked"
                raise QuotaReached(self._asked(action), "QuotaExceeded", said)


def _settings(pool: Pool) -> tuple[object, ...]:
    """What a group was asked to be."""
    return (
        pool.place, pool.zones, pool.desired, pool.maximum, pool.instance_types,
        pool.on_demand_base, pool.spot_share, pool.template, pool.labels,
    )  # fmt: skip
