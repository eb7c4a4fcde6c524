"""Services that nothing for sale can hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from models.capacity import replicas_per_instance
from models.services import Replica, Service
from models.world import Policy
from scenarios.faults import Faults

_SHAPE = ["baseline_vcpus", "memory_gib", "gpus", "gpu_model", "architecture"]


def check_services_fit(
    services: Iterable[Service], offerings: pd.DataFrame, policy: Policy, faults: Faults
) -> None:
    """Add a fault for each service of which no offering holds one replica.

    Services are looked at in groups of equal architectures and GPUs: when the largest vCPUs and
    the largest memory of a group fit together, all of it fits.
    """
    allowed = offerings if policy.burstable else offerings[~offerings["burstable"]]
    shapes = allowed.drop_duplicates(_SHAPE)
    groups: dict[tuple[object, ...], list[Service]] = {}
    for service in services:
        replica = service.replica
        need = (service.architectures, replica.gpus, replica.gpu_models)
        groups.setdefault(need, []).append(service)
    for members in groups.values():
        first = members[0]
        fitting = shapes[shapes["architecture"].isin([a.value for a in first.architectures])]
        largest = replace(
            first.replica,
            vcpus=max(service.replica.vcpus for service in members),
            memory_gib=max(service.replica.memory_gib for service in members),
        )
        if _holds(largest, fitting, policy):
            continue
        for service in members:
            if not _holds(service.replica, fitting, policy):
                _add(service, fitting, policy, faults)


def _holds(replica: Replica, offerings: pd.DataFrame, policy: Policy) -> bool:
    return bool((replicas_per_instance(replica, offerings, policy.headroom) > 0).any())


def _add(service: Service, offerings: pd.DataFrame, policy: Policy, faults: Faults) -> None:
    replica = service.replica
    architectures = " or ".join(sorted(a.value for a in service.architectures))
    needs = f"{replica.vcpus:g} vCPUs and {replica.memory_gib:g} GiB"
    if replica.gpus:
        models = f" ({' or '.join(sorted(replica.gpu_models))})" if replica.gpu_models else ""
        needs += f" and {replica.gpus:g} GPUs{models}"
        offerings = offerings[offerings["gpus"] > 0]
        if replica.gpu_models:
            offerings = offerings[offerings["gpu_model"].isin(replica.gpu_models)]
    message = (
        f"no offering holds a replica of {service.name!r}: it takes {needs} on {architectures}"
    )
    if offerings.empty:
        faults.add(service.at, message, "no offering of that kind is for sale in these places")
        return
    columns = ["baseline_vcpus", "memory_gib"] + (["gpus"] if replica.gpus else [])
    rows = offerings.fillna({"baseline_vcpus": 0.0}).reset_index(drop=True)
    positions = dict.fromkeys(int(rows[column].to_numpy().argmax()) for column in columns)
    largest = [_shape(rows.iloc[position], replica.gpus > 0) for position in positions]
    share = f"; replicas may use {policy.headroom:.0%} of vCPUs and memory (policy.headroom)"
    faults.add(service.at, message, f"the largest: {', '.join(largest)}{share}")


def _shape(offering: pd.Series, with_gpus: bool) -> str:
    gpus = f", {offering['gpus']:g} GPUs" if with_gpus else ""
    return (
        f"{offering['cloud']}/{offering['region']} {offering['instance_type']} with "
        f"{offering['baseline_vcpus']:g} vCPUs, {offering['memory_gib']:g} GiB{gpus}"
    )
