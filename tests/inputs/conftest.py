"""The corner shop as files, and ways to spoil them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from corner_shop import DEMAND, WORLD, corner_shop_catalogue

from models.errors import Fault, FaultyInput
from models.world import Catalogue, World
from scenarios.build import build_world
from scenarios.documents import read_world

Write = Callable[..., Path]
Faults = Callable[..., list[Fault]]


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return corner_shop_catalogue()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the world, with replacements, and its files; returns its path."""

    def written(
        replaced: Mapping[str, str] | None = None,
        demand: str | bytes | None = DEMAND,
        text: str = WORLD,
        **files: str,
    ) -> Path:
        for old, new in (replaced or {}).items():
            assert text.count(old) == 1, f"{old!r} must stand once in the world"
            text = text.replace(old, new)
        path = tmp_path / "world.yaml"
        path.write_text(text, encoding="utf-8")
        if demand is not None:
            raw = demand if isinstance(demand, bytes) else demand.encode()
            (tmp_path / "demand.csv").write_bytes(raw)
        for name, content in files.items():
            (tmp_path / name.replace("_csv", ".csv")).write_text(content, encoding="utf-8")
        return path

    return written


@pytest.fixture
def faults_of(write: Write, catalogue: Catalogue) -> Faults:
    """The faults of the world with replacements; fails when there are none."""

    def found(*args: object, **kwargs: object) -> list[Fault]:
        path = write(*args, **kwargs)
        with pytest.raises(FaultyInput) as raised:
            build_world(read_world(path), catalogue)
        return list(raised.value.faults)

    return found


@pytest.fixture
def world(write: Write, catalogue: Catalogue) -> World:
    """The world as it should be."""
    return build_world(read_world(write()), catalogue)
