"""Machine code does not outlive the sources that it was made from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from optimizer.compiled import forget_stale


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Two modules, of which one calls the other, compiled after both were written."""
    for name, when in (("caller.py", 10), ("callee.py", 20)):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (when, when))
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    for name in ("caller.f-1.py311.nbi", "callee.g-1.py311.nbi"):
        (cache / name).write_text("")
        os.utime(cache / name, (30, 30))
    return tmp_path


def test_what_is_newer_than_all_sources_is_kept(package: Path) -> None:
    assert forget_stale(package) == 0
    assert len(list(package.rglob("*.nbi"))) == 2


def test_a_change_of_what_is_called_forgets_the_caller(package: Path) -> None:
    os.utime(package / "callee.py", (40, 40))
    assert forget_stale(package) == 2
    assert list(package.rglob("*.nbi")) == []


def test_a_package_that_was_never_compiled_has_nothing_to_forget(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("")
    assert forget_stale(tmp_path) == 0
