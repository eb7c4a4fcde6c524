"""What the project says of itself in ``pyproject.toml`` is what is on disk."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = ("models", "scenarios", "providers", "optimizer")


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_package_is_listed(pyproject: dict[str, Any]) -> None:
    on_disk = [
        ".".join(path.parent.relative_to(ROOT).parts)
        for floor in FLOORS
        for path in (ROOT / floor).rglob("__init__.py")
    ]
    assert pyproject["tool"]["setuptools"]["packages"] == sorted(on_disk)


def test_every_module_is_in_a_package() -> None:
    stray = [
        path.relative_to(ROOT).as_posix()
        for floor in FLOORS
        for path in (ROOT / floor).rglob("*.py")
        if not (path.parent / "__init__.py").exists()
    ]
    assert stray == []


@pytest.mark.parametrize("floor", FLOORS)
def test_packages_are_typed(floor: str) -> None:
    assert (ROOT / floor / "py.typed").exists()


def test_the_command_exists(pyproject: dict[str, Any]) -> None:
    module, _, function = pyproject["project"]["scripts"]["trimtab"].partition(":")
    source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
    functions = {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    assert function in functions


def test_the_lock_pins_every_dependency_with_hashes(pyproject: dict[str, Any]) -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([a-z0-9.-]+)==.*(\\\n    --hash=sha256:[0-9a-f]{64})", lock, re.M))
    project = pyproject["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[^\w.-]", requirement)[0] for requirement in wanted}
    assert names - pinned.keys() == set()
    assert "://" not in lock
