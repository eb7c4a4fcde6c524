"""Which certificates a region holds, from a hand-made table.

``certifications.csv`` has one row per group of certificates: the clouds and the countries whose
regions hold them (``*`` is every country) and the places that do not (regions that opened in 2025
or later are left out until someone has looked). It is not compliance advice: the scope of an audit
changes and differs by service, so verify with the provider. What the table does not say is *not
held*, so that rules fail closed.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from models.places import Cloud

_TABLE = Path(__file__).with_name("certifications.csv")


@dataclass(frozen=True, slots=True)
class _Scope:
    certificates: frozenset[str]
    clouds: frozenset[str]
    countries: frozenset[str]
    except_places: frozenset[str]

    def holds(self, cloud: Cloud, name: str, country: str) -> bool:
        return (
            cloud.value in self.clouds
            and ("*" in self.countries or country in self.countries)
            and f"{cloud.value}/{name}" not in self.except_places
        )


@cache
def _scopes() -> tuple[_Scope, ...]:
    with _TABLE.open(newline="", encoding="utf-8") as file:
        return tuple(
            _Scope(**{column: frozenset(cell.split()) for column, cell in row.items()})
            for row in csv.DictReader(file)
        )


def known_certificates() -> frozenset[str]:
    """Every certificate that the table speaks of."""
    return frozenset().union(*(scope.certificates for scope in _scopes()))


def certifications_of(cloud: Cloud, name: str, country: str) -> frozenset[str]:
    """Certificates that the region ``name`` of ``cloud``, in ``country``, holds."""
    return frozenset().union(
        *(scope.certificates for scope in _scopes() if scope.holds(cloud, name, country))
    )
