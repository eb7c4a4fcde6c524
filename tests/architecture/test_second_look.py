"""Whoever verifies plans shares nothing with whoever makes them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAKES_PLANS = (
    "optimizer.formulate",
    "optimizer.solve.ortools_backend",
    "optimizer.solve.pulp_backend",
    "optimizer.decompose",
    "optimizer.plan",
    "optimizer.read",
    "optimizer.bill",
)


def file_of(module: str) -> Path | None:
    path = ROOT / Path(*module.split("."))
    found = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in found if file.is_file()), None)


def imports_of(module: str) -> Iterator[str]:
    """Modules of the house that a module imports, those that are imported by name included."""
    file = file_of(module)
    if file is None:
        return
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reached_from(modules: list[str]) -> dict[str, str]:
    """Every module that is imported, directly or not, with one that imports it."""
    reached, waiting = dict.fromkeys(modules, ""), list(modules)
    while waiting:
        module = waiting.pop()
        for name in imports_of(module):
            if name not in reached and file_of(name) is not None:
                reached[name] = module
                waiting.append(name)
    return reached


def verifier() -> list[str]:
    return [f"optimizer.verify.{path.stem}" for path in (ROOT / "optimizer/verify").glob("*.py")]


def test_the_verifier_does_not_reach_what_makes_plans() -> None:
    reached = reached_from(verifier())
    assert "optimizer.forecast.demand" in reached
    shared = {m: by for m, by in reached.items() if m.startswith(MAKES_PLANS)}
    assert shared == {}


def test_a_shared_module_would_be_seen() -> None:
    assert "optimizer.formulate.market" in reached_from(["optimizer.rebound"])
    assert "optimizer.formulate.market" in reached_from(["optimizer.cli.solving"])
