"""What a replica of each service costs in a plan."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.capacity import replicas_per_instance
from models.errors import NOWHERE, Fault, FaultyInput
from models.offerings import Purchase
from models.world import World
from optimizer.simulate.machines import Price
from optimizer.verify.entries import InstanceEntry, PlanEntry
from scenarios.faults import nearest


def planned_prices(world: World, plan: PlanEntry) -> Mapping[str, Price]:
    """Prices by service, over all that the plan runs for it in all of its hours.

    A replica costs what is paid for instances over the replicas that they hold. The place is the
    one that holds the most. Only what is all spot counts as interruptible. Raises ``FaultyInput``
    for instances that the world does not have.
    """
    groups: dict[str, list[tuple[float, float, InstanceEntry, int]]] = {}
    regions = {region.place: r for r, region in enumerate(world.regions)}
    book = world.book.offerings
    places = (book["cloud"].astype(str) + "/" + book["region"].astype(str)).to_numpy()
    faults: list[Fault] = []
    for entry in plan.instances:
        known = (places == entry.place) & (book["instance_type"] == entry.instance_type).to_numpy()
        rows = np.flatnonzero(known & (book["purchase"] == entry.purchase).to_numpy())
        service = world.service_index.get(entry.service)
        if service is None:
            hint = nearest(entry.service, world.service_index.keys())
            faults.append(Fault(NOWHERE, f"the plan's service {entry.service!r} is unknown", hint))
        elif not rows.size or entry.place not in regions:
            what = f"{entry.purchase} {entry.instance_type} in {entry.place}"
            faults.append(Fault(NOWHERE, f"the world has no {what}", "plan again"))
        else:
            offering = book.iloc[rows[:1]]
            replica = world.services[service].replica
            holds = int(replicas_per_instance(replica, offering, world.policy.headroom)[0])
            hours = float(sum(entry.count_per_hour))
            listed = float(offering["price_usd_per_hour"].iloc[0])
            usd = listed if entry.price_usd_per_hour is None else float(entry.price_usd_per_hour)
            group = (hours * usd, hours * holds, entry, regions[entry.place])
            groups.setdefault(entry.service, []).append(group)
    if faults:
        raise FaultyInput(faults)
    return {name: _price(own) for name, own in groups.items() if sum(g[1] for g in own) > 0}


def _price(own: list[tuple[float, float, InstanceEntry, int]]) -> Price:
    held = sum(replicas for _, replicas, _, _ in own)
    usd = sum(paid for paid, _, _, _ in own) / held
    steady = [g for g in own if g[2].purchase != Purchase.SPOT]
    firm = sum(g[1] for g in steady)
    by_region: dict[int, float] = {}
    for _, replicas, _, region in own:
        by_region[region] = by_region.get(region, 0.0) + replicas
    region = max(by_region, key=lambda r: by_region[r])
    largest = max((g for g in own if g[3] == region), key=lambda g: g[1])[2]
    others = len({(g[2].place, g[2].instance_type, g[2].purchase) for g in own}) - 1
    more = f" and {others} more" if others else ""
    return Price(
        usd,
        sum(g[0] for g in steady) / firm if firm else usd,
        not firm,
        region,
        largest.place,
        largest.instance_type + more,
        largest.purchase,
    )
