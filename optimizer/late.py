"""The one place where heavy libraries are imported late.

Solver libraries, Dask and the clouds' SDKs take seconds to import, and most commands need none of
them.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, cast

from models.errors import Fault, FaultyInput, Location

if TYPE_CHECKING:
    from optimizer.executor.seam import Executor
    from optimizer.solve.answers import Backend

BACKENDS = {
    "ortools": ("optimizer.solve.ortools_backend", "OrToolsBackend"),
    "cbc": ("optimizer.solve.pulp_backend", "PulpBackend"),
}

CLOUDS = {"aws": "providers.aws.provider", "gcp": "providers.gcp.provider",
          "azure": "providers.azure.provider"}  # fmt: skip
"""What speaks to each cloud; each imports its cloud's SDK."""


def cloud(name: str) -> ModuleType:
    """The module whose ``provider(entry, folder)`` speaks to a cloud, one of ``CLOUDS``."""
    return import_module(CLOUDS[name])


def backend(name: str) -> Backend:
    """The solver backend of that name, one of ``BACKENDS``."""
    if name not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise FaultyInput([Fault(Location(), f"unknown backend {name!r}", f"use one of {known}")])
    module, kind = BACKENDS[name]
    return cast("Backend", getattr(import_module(module), kind)())


def decomposition() -> ModuleType:
    """``optimizer.decompose.answer``: its loops are compiled, which takes long the first time."""
    return import_module("optimizer.decompose.answer")


def executor(workers: int = 1, dask: str | None = None) -> Executor:
    """Who does the work: this process, ``workers`` processes, or the Dask cluster at ``dask``."""
    if dask is not None:
        return cast("Executor", _cluster_module().DaskCluster(dask))
    if workers > 1:
        module = import_module("optimizer.executor.processes")
        return cast("Executor", module.ProcessPool(workers))
    return cast("Executor", import_module("optimizer.executor.seam").IN_PROCESS)


def _cluster_module() -> ModuleType:
    try:
        return import_module("optimizer.executor.cluster")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"dask", "distributed"}:
            raise
        message = "a Dask cluster needs the package distributed, which is not installed"
        raise FaultyInput([Fault(Location(), message, "pip install 'trimtab[dask]'")]) from error
