"""The JSON Schemas describe every field, take good files and refuse bad ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from scenarios.collecting import collection_schema
from scenarios.lines import read_yaml
from scenarios.observing import telemetry_schema
from scenarios.schema import scenario_schema, world_schema

SHOP = Path(__file__).parents[2] / "scenarios" / "shop"


def _valid(schema: dict[str, Any], path: Path) -> bool:
    return jsonschema.Draft202012Validator(schema).is_valid(read_yaml(path))


def _properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for title, part in {schema["title"]: schema, **schema["$defs"]}.items():
        for name, field in part.get("properties", {}).items():
            yield f"{title}.{name}", field


@pytest.mark.parametrize(
    "schema", [world_schema(), scenario_schema(), collection_schema(), telemetry_schema()]
)
def test_schema_is_sound_and_complete(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    fields = dict(_properties(schema))
    assert len(fields) > 20
    assert [name for name, field in fields.items() if not field.get("description")] == []
    assert [part for part in schema["$defs"].values() if not part.get("description")] == []


def test_titles_tell_units() -> None:
    titles = {name: field.get("title") for name, field in _properties(world_schema())}
    assert titles["ReplicaEntry.memory_gib"] == "memory (GiB)"
    assert titles["WorkflowEntry.latency_objective_ms"] == "latency objective (milliseconds)"


def test_good_worlds(write: Callable[..., Path]) -> None:
    assert _valid(world_schema(), write())
    assert _valid(world_schema(), SHOP / "world.yaml")


@pytest.mark.parametrize("path", sorted((SHOP / "whatifs").glob("*.yaml")), ids=lambda p: p.stem)
def test_good_scenarios(path: Path) -> None:
    assert _valid(scenario_schema(), path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("trimtab: 1", "trimtab: 2"),
        ("world: corner shop", "wordl: corner shop"),
        ("headroom: 0.8", "headroom: 1.5"),
        ("max_places: 2", "max_places: two"),
        ("min_replicas: 3", "min_replica: 3"),
        ("vcpus: 2\n", "vcpus: 0\n"),
        ("kind: residency", "kind: residence"),
        ("survives: zone", "survives: street"),
        ("architectures: [x86_64, arm64]", "architectures: []"),
        ("{continents: [Europe, North America]}", "{}"),
        ("services: {team: front}", "services: {teem: front}"),
        ("count: 2", "count: 0"),
    ],
)
def test_bad_worlds(write: Callable[..., Path], old: str, new: str) -> None:
    assert not _valid(world_schema(), write({old: new}))


@pytest.mark.parametrize(
    "change",
    ["scale_demand: {}", "scale_demand: {by: -1}", "lose: {region: [x]}", "melt: {by: 2}",
     "{withdraw: {purchases: [spot]}, drop_rules: [x]}"],
)  # fmt: skip
def test_bad_scenarios(tmp_path: Path, change: str) -> None:
    path = tmp_path / "what-if.yaml"
    path.write_text(f"trimtab: 1\nscenario: x\nchanges:\n  - {change}\n", encoding="utf-8")
    assert not _valid(scenario_schema(), path)
