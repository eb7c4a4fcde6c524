"""Arguments and options that several commands share."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Backend(StrEnum):
    """Who solves."""

    ORTOOLS = "ortools"
    CBC = "cbc"


class Method(StrEnum):
    """How a world is solved; the values are those of ``optimizer.plan.Method``."""

    AUTO = "auto"
    EXACT = "exact"
    DECOMPOSITION = "decomposition"


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"


class TableFormat(StrEnum):
    """How a table is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class GraphFormat(StrEnum):
    """How calls between services are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    YAML = "yaml"


def finite(value: float | None) -> float | None:
    """Refuse ``nan`` and ``inf``, which compare with no bound."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter("give a finite number")
    return value


def one_of(workers: int, dask: str | None) -> None:
    """Refuse processes here and a cluster elsewhere at once."""
    if workers > 1 and dask is not None:
        raise typer.BadParameter("give --workers or --dask, not both")


WorldName = Annotated[
    str,
    typer.Argument(
        metavar="WORLD",
        help="World file, a folder with a world.yaml, or the name of a bundled world: shop.",
        show_default=False,
    ),
]
MethodOption = Annotated[
    Method,
    typer.Option(
        "--method",
        help="One problem of all services, or one per service against shared prices; auto "
        "decomposes worlds of more than 60 services where their rules allow it.",
    ),
]
BackendOption = Annotated[Backend, typer.Option("--backend", help="Solver that is used.")]
GapOption = Annotated[
    float | None,
    typer.Option(
        "--gap",
        metavar="SHARE",
        min=0.0,
        max=1.0,
        callback=finite,
        help="Stop when cost is proven to be within this share of the least possible: 0.001 is "
        "0.1 %. Default: the world's policy.",
        show_default=False,
    ),
]
TimeLimitOption = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        metavar="SECONDS",
        min=0.001,
        callback=finite,
        help="Seconds the solver may take. Default: the world's policy.",
        show_default=False,
    ),
]
WorkersOption = Annotated[
    int,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Processes that share the work. Results do not depend on it.",
    ),
]
DaskOption = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        help="Work on the Dask cluster whose scheduler is there: tcp://host:8786, or tls:// with "
        "the certificates of Dask's configuration.",
        show_default=False,
    ),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show no progress and no table, only faults.")
]

OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Folder for the results; replaced at once if it is empty or holds earlier results.",
        show_default=False,
    ),
]
