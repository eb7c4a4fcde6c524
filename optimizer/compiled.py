"""Numba, with types: loops that numpy cannot express, compiled once per machine."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """``function`` in machine code, kept beside its module, and free of Python's global lock."""
    return cast("_Function", njit(cache=True, nogil=True)(function))


def forget_stale(root: Path) -> int:
    """Delete machine code that is older than any source it may come from; how much there was.

    Numba asks only whether a function's own file has changed, but what it keeps holds all that the
    function calls, also from other files.
    """
    kept = list(root.rglob("__pycache__/*.nbi"))
    sources = {source for code in kept for source in code.parent.parent.glob("*.py")}
    newest = max((source.stat().st_mtime for source in sources), default=0.0)
    stale = [code for code in kept if _written(code) < newest]
    for code in stale:
        code.unlink(missing_ok=True)
    return len(stale)


def _written(code: Path) -> float:
    """When it was written; a file that another process has just deleted is as new as can be."""
    try:
        return code.stat().st_mtime
    except FileNotFoundError:
        return inf


forget_stale(Path(__file__).parent)
