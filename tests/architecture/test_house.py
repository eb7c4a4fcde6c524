"""The order of the house: who imports whom, how large a module is, what it is called."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = ("models", "scenarios", "providers", "optimizer")  # each imports itself and those before
LONGEST_MODULE_LINES = 450
VAGUE_NAMES = {"common", "helper", "helpers", "manager", "managers", "util", "utils"}
SHADOWING_NAMES = {"html", "ortools", "pulp"}
AT_HOME = {  # who alone may import what: a folder per foreign package
    "dask": "optimizer/executor",
    "distributed": "optimizer/executor",
    "ortools": "optimizer/solve",
    "pulp": "optimizer/solve",
    "boto3": "providers/aws",
    "botocore": "providers/aws",
    "google": "providers/gcp",
    "google.protobuf": "providers/otlp",
    "google.rpc": "providers/otlp",
    "opentelemetry": "providers/otlp",
    "azure": "providers/azure",
}
MAY_IMPORT_LATE = ("optimizer/cli/", "optimizer/late.py")


@dataclass(frozen=True)
class Module:
    path: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, self.path)

    @property
    def floor(self) -> str:
        return self.path.partition("/")[0]

    def imports(self) -> Iterator[tuple[str, str]]:
        """Where, and the dotted name: at any depth, also those for the type checker only."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""] if node.level == 0 else [self.floor]
            else:
                continue
            yield from ((f"{self.path}:{node.lineno}", name) for name in names)

    def late_imports(self) -> Iterator[str]:
        for function in ast.walk(self.tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                for node in ast.walk(function):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        yield f"{self.path}:{node.lineno}"


def faults_of_imports(module: Module) -> list[str]:
    above = FLOORS[FLOORS.index(module.floor) + 1 :]
    faults = []
    for where, name in module.imports():
        top = name.partition(".")[0]
        if top in above or top in {"tests", "benchmarks"}:
            faults.append(f"{where}: {module.floor} imports {name}, which stands above it")
        homes = [AT_HOME[part] for part in (top, ".".join(name.split(".")[:2])) if part in AT_HOME]
        if homes and not module.path.startswith(tuple(f"{home}/" for home in homes)):
            faults.append(f"{where}: only {' or '.join(homes)} may import {name}")
    if not module.path.startswith(MAY_IMPORT_LATE):
        faults += [f"{where}: import inside a function" for where in module.late_imports()]
    return faults


MODULES = [
    Module(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    for floor in FLOORS
    for path in sorted((ROOT / floor).rglob("*.py"))
]


def test_every_floor_has_modules() -> None:
    assert {module.floor for module in MODULES} == set(FLOORS)


def test_imports_go_one_way_and_stay_at_home() -> None:
    assert [fault for module in MODULES for fault in faults_of_imports(module)] == []


@pytest.mark.parametrize(
    ("path", "source", "fault"),
    [
        ("models/world.py", "import optimizer.plan", "models/world.py:1: models imports optimizer"),
        (
            "scenarios/load.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from providers import book",
            "scenarios/load.py:3: scenarios imports providers",
        ),
        ("optimizer/plan.py", "def f():\n    import json", "optimizer/plan.py:2: import inside"),
        ("optimizer/plan.py", "from ortools.math_opt import mathopt", "only optimizer/solve may"),
        ("providers/aws/prices.py", "import azure.mgmt.compute", "only providers/azure may"),
        ("providers/book.py", "from google.cloud import compute_v1", "only providers/gcp may"),
        ("providers/book.py", "import tests.worlds", "providers imports tests"),
    ],
)
def test_a_wrong_import_is_seen(path: str, source: str, fault: str) -> None:
    (found,) = faults_of_imports(Module(path, source))
    assert fault in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("optimizer/plan.py", "from models.world import World\nfrom providers import book"),
        ("optimizer/cli/plan.py", "def f():\n    import optimizer.plan"),
        ("optimizer/solve/mathopt.py", "from ortools.math_opt.python import mathopt"),
        ("providers/aws/prices.py", "import boto3"),
    ],
)
def test_a_right_import_passes(path: str, source: str) -> None:
    assert faults_of_imports(Module(path, source)) == []


def test_modules_are_short() -> None:
    lengths = {module.path: module.source.count("\n") for module in MODULES}
    assert {path: n for path, n in lengths.items() if n > LONGEST_MODULE_LINES} == {}


def test_modules_say_what_they_are_for() -> None:
    assert [module.path for module in MODULES if not ast.get_docstring(module.tree)] == []


def test_names_say_what_is_inside() -> None:
    wrong = VAGUE_NAMES | SHADOWING_NAMES
    names = {module.path: {*Path(module.path).with_suffix("").parts} for module in MODULES}
    assert [path for path, parts in names.items() if parts & wrong] == []


def test_tests_are_no_package_and_have_names_of_their_own() -> None:
    tests = list((ROOT / "tests").rglob("*.py"))
    assert [path for path in tests if path.name == "__init__.py"] == []
    names = Counter(path.name for path in tests if path.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []
