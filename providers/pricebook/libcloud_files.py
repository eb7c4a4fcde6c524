"""The two data files inside the installed ``apache-libcloud`` package, read without importing it.

Importing the package costs a quarter of a second and nothing of its code is needed.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

from models.errors import UnusableData

PRICES = Path("data", "pricing.json")
EC2_TYPES = Path("compute", "constants", "ec2_instance_types.py")

Section = dict[str, dict[str, float]]
"""Prices in USD per hour by instance type and region; 0 where the scraper found none."""


def read_prices() -> tuple[dict[str, Any], date]:
    """The ``compute`` sections of libcloud's price file, and the day the file was made.

    Raises ``UnusableData`` when the file is missing or is not what it used to be.
    """
    path = _package_folder() / PRICES
    try:
        content = json.loads(path.read_bytes())
        return content["compute"], datetime.fromtimestamp(content["updated"], UTC).date()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnusableData(f"cannot use the price file of apache-libcloud, {path}: {error}") from (
            error
        )


def read_ec2_types() -> dict[str, dict[str, Any]]:
    """libcloud's table of EC2 instance types: ``ram`` (MiB) and ``extra`` (AWS's attributes).

    Raises ``UnusableData`` when the table is missing or is not what it used to be.
    """
    path = _package_folder() / EC2_TYPES
    loader = SourceFileLoader("_libcloud_ec2_instance_types", str(path))
    spec = spec_from_loader(loader.name, loader)
    if spec is None:
        raise UnusableData(f"cannot load the EC2 types of apache-libcloud, {path}")
    module = module_from_spec(spec)
    try:
        loader.exec_module(module)
        types: dict[str, dict[str, Any]] = module.INSTANCE_TYPES
    except (OSError, SyntaxError, AttributeError) as error:
        raise UnusableData(f"cannot use the EC2 types of apache-libcloud, {path}: {error}") from (
            error
        )
    return types


@cache
def _package_folder() -> Path:
    spec = find_spec("libcloud")
    if spec is None or not spec.submodule_search_locations:
        raise UnusableData("the package apache-libcloud is not installed; it holds the price book")
    return Path(spec.submodule_search_locations[0])
