"""The one place where heavy libraries are imported late.

Solver libraries and statsforecast take seconds to import, and most commands need none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from models.errors import Fault, FaultyInput, Location

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from optimizer.solve.answers import Backend

BACKENDS = {
    "ortools": ("optimizer.solve.ortools_backend", "OrToolsBackend"),
    "cbc": ("optimizer.solve.pulp_backend", "PulpBackend"),
}


def backend(name: str) -> Backend:
    """The solver backend of that name, one of ``BACKENDS``."""
    if name not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise FaultyInput([Fault(Location(), f"unknown backend {name!r}", f"use one of {known}")])
    module, kind = BACKENDS[name]
    return cast("Backend", getattr(import_module(module), kind)())


def smoothed_level() -> Callable[[NDArray[np.float64]], float]:
    """``optimizer.forecast.smoothing.smoothed_level``, which needs statsforecast."""
    module = import_module("optimizer.forecast.smoothing")
    return cast("Callable[[NDArray[np.float64]], float]", module.smoothed_level)
