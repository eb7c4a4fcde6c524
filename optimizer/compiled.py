"""Numba, with types: loops that numpy cannot express, compiled once per machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """``function`` in machine code, kept beside its module, and free of Python's global lock."""
    return cast("_Function", njit(cache=True, nogil=True)(function))
