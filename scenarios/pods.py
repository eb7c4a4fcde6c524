"""Files of pods: what is to run on shared nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from models.errors import Fault, FaultyInput, Location
from models.nodes import Pods
from models.offerings import Architecture
from scenarios.documents import check_version
from scenarios.faults import Faults
from scenarios.fields import Amount, Count, Entry, Name, Names, Size
from scenarios.lines import Listed, Mapped, line_at, read_yaml
from scenarios.schema import DIALECT
from scenarios.tables import Written, table_path, validated_rows

MOST_PODS: Final = 10**6
_TABLES: Final = (".csv", ".parquet")


class PodsEntry(Entry):
    """Equal pods of one service."""

    name: Name
    """Name of the service."""
    vcpus: Size
    """vCPUs that one pod requests."""
    memory_gib: Size
    """Memory that one pod requests, GiB."""
    count: Count
    """How many pods."""
    gpus: Amount = 0.0
    """GPUs that one pod requests."""
    gpu_models: Names = ()
    """GPU models that it may run on. Default: any."""
    architectures: Annotated[
        tuple[Annotated[Architecture, Field(strict=False)], ...],
        Field(strict=False, min_length=1),
    ] = (Architecture.X86_64,)
    """Processor architectures that its image is built for: x86_64, arm64."""
    per_node: Count | None = None
    """At most so many pods of the service on one node (anti-affinity). Default: as many as fit."""
    apart_from: Names = ()
    """Services whose pods may not share a node with these."""
    spread_zones: bool = False
    """Whether the pods are spread evenly over the zones: no zone holds two more than another."""


class PodsFile(Entry):
    """A file of pods."""

    trimtab: Annotated[int, Field(ge=1, le=1)]
    """Version of the format: 1."""
    pods: Annotated[tuple[PodsEntry, ...], Field(strict=False, min_length=1)]
    """The services and their pods."""


def pods_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of files of pods."""
    return {"$schema": DIALECT, **PodsFile.model_json_schema(), "title": "trimtab pods"}


def read_pods(path: Path) -> tuple[Pods, ...]:
    """The pods in a CSV or Parquet table, or in a YAML file.

    Raises ``FaultyInput`` with every fault of the file.
    """
    faults = Faults()
    if path.suffix in _TABLES:
        table = table_path(path.parent, path.name, Location(str(path)), faults)
        written = validated_rows(table, PodsEntry, faults)[0] if table else []
    else:
        written = _in_yaml(path, faults)
    _check(written, faults)
    if not faults.count and not written:
        faults.add(Location(str(path)), "the file has no pods", "write one row per service")
    if faults.count:
        raise faults.refusal()
    return tuple(_noun(one) for one in written)


def _in_yaml(path: Path, faults: Faults) -> list[Written[PodsEntry]]:
    data = read_yaml(path)
    check_version(path, data, "pods", {"world", "scenario"})
    try:
        content = PodsFile.model_validate(data)
    except ValidationError as error:
        faults.add_all(error, PodsFile, data, str(path))
        return []
    rows = data["pods"]
    if not isinstance(rows, Listed):
        at = Location(str(path), line_at(data, ("pods",)))
        raise FaultyInput([Fault(at, "pods must be a list", "start each with '- name: ...'")])
    return [
        Written(entry, str(path), row)
        for entry, row in zip(content.pods, rows, strict=True)
        if isinstance(row, Mapped)
    ]


def _check(written: list[Written[PodsEntry]], faults: Faults) -> None:
    """What only all entries together show."""
    first: dict[str, Location] = {}
    for one in written:
        name = one.entry.name
        if name in first:
            message = f"the service {name!r} stands twice"
            faults.add(one.at("name"), message, f"join it with the one at {first[name]}")
        first.setdefault(name, one.at())
    for one in written:
        for other in one.entry.apart_from:
            if other == one.entry.name:
                faults.add(
                    one.at("apart_from"),
                    f"{other!r} is to be apart from itself",
                    "write 'per_node: 1' to have one pod of a service on a node",
                )
            elif other not in first:
                faults.unknown(one.at("apart_from"), "service", other, first)
        if one.entry.gpu_models and not one.entry.gpus:
            at, name = one.at("gpu_models"), one.entry.name
            faults.add(at, f"{name!r} names GPU models but takes no GPU", "add 'gpus: 1'")
    total = sum(one.entry.count for one in written)
    if total > MOST_PODS and written:
        at = Location(written[0].file)
        faults.add(at, f"{total:,} pods are more than {MOST_PODS:,}", "pack one cluster at a time")


def _noun(one: Written[PodsEntry]) -> Pods:
    entry = one.entry
    return Pods(
        name=entry.name,
        vcpus=entry.vcpus,
        memory_gib=entry.memory_gib,
        count=entry.count,
        gpus=entry.gpus,
        gpu_models=frozenset(entry.gpu_models),
        architectures=frozenset(entry.architectures),
        per_node=entry.per_node,
        apart_from=frozenset(entry.apart_from),
        spread_zones=entry.spread_zones,
        at=one.at(),
    )
