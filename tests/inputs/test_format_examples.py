"""The examples of the documentation are valid, and build against the real facts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from models.world import Catalogue, World
from providers.geography.egress import load_egress
from providers.geography.regions import load_regions
from providers.pricebook.embedded import load_embedded_book
from providers.prometheus.presets import PRESETS
from scenarios.build import build_world
from scenarios.collecting import collection_schema, read_collection
from scenarios.documents import read_world
from scenarios.lines import read_yaml
from scenarios.observing import read_telemetry, telemetry_schema
from scenarios.schema import scenario_schema, world_schema
from scenarios.whatif import apply, read_scenario

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")


def _example(kind: str) -> str:
    (text,) = re.findall(rf"```yaml {kind}\n(.*?)```", TEXT, re.DOTALL)
    return str(text)


@pytest.fixture(scope="module")
def facts() -> Catalogue:
    regions = load_regions()
    return Catalogue(regions, load_embedded_book(regions), load_egress())


@pytest.fixture
def example(tmp_path: Path, facts: Catalogue) -> World:
    (tmp_path / "world.yaml").write_text(_example("world"), encoding="utf-8")
    first = datetime(2026, 3, 1, tzinfo=UTC)
    hours = [first + timedelta(hours=hour) for hour in range(48)]
    rows = [
        f"{hour.isoformat()},web,{origin},10" for origin in ("europe", "america") for hour in hours
    ]
    (tmp_path / "demand.csv").write_text("\n".join(["ts,service,origin,rps", *rows]))
    return build_world(read_world(tmp_path), facts)


def test_world(example: World, tmp_path: Path) -> None:
    jsonschema.validate(read_yaml(tmp_path / "world.yaml"), world_schema())
    assert [service.name for service in example.services] == ["web", "stock"]
    assert len(example.rules) == 14
    assert {region.cloud.value for region in example.regions} == {"aws", "gcp"}


def test_scenario(example: World, facts: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(_example("scenario"), encoding="utf-8")
    jsonschema.validate(read_yaml(path), scenario_schema())
    changed = apply(read_scenario(path), example, facts)
    assert len(changed.rules) == 14
    assert [c.name for c in changed.commitments] == ["savings plan", "plan"]
    assert changed.demand_factors


@pytest.mark.parametrize(
    "path", sorted((ROOT / "scenarios/shop/whatifs").glob("*.yaml")), ids=lambda path: path.stem
)
def test_bundled_scenarios(path: Path, facts: Catalogue) -> None:
    shop = build_world(read_world(ROOT / "scenarios" / "shop"), facts)
    scenario = read_scenario(path)
    assert apply(scenario, shop, facts) is not shop
    assert all(scenario.in_words)


def test_rule_names_are_documented() -> None:
    for name in ("latency:", "min_replicas:", "max_places:", "workflow:"):
        assert f"`{name}<" in TEXT


def test_collections(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "collect.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml collection\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        path = tmp_path / "clouds.yaml"
        path.write_text(example, encoding="utf-8")
        jsonschema.validate(read_yaml(path), collection_schema())
        assert read_collection(path).content.collect


def test_telemetry(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml telemetry\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "telemetry.yaml"
    path.write_text(example, encoding="utf-8")
    jsonschema.validate(read_yaml(path), telemetry_schema())
    sources = [source.name for source in read_telemetry(path).content.sources]
    assert sources == ["main", "history", "clouds"]
    for preset in PRESETS.values():
        assert [ask.query for ask in preset.asks if f"\n{ask.query}\n" not in text] == []
