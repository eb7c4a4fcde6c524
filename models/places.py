"""Where things are: clouds, regions, and points on the globe."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Cloud(StrEnum):
    """A public cloud, by the short name its users type."""

    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"


CLOUD_NAMES: dict[Cloud, str] = {
    Cloud.AWS: "AWS",
    Cloud.AZURE: "Azure",
    Cloud.GCP: "Google Cloud",
}


@dataclass(frozen=True, slots=True)
class Coordinates:
    """A point on the globe: degrees north and degrees east."""

    latitude_deg: float
    longitude_deg: float

    def __post_init__(self) -> None:
        if not -90 <= self.latitude_deg <= 90:
            raise ValueError(f"latitude {self.latitude_deg} is not within -90 and 90 degrees")
        if not -180 <= self.longitude_deg <= 180:
            raise ValueError(f"longitude {self.longitude_deg} is not within -180 and 180 degrees")


@dataclass(frozen=True, slots=True)
class Region:
    """One region of one cloud.

    ``place`` (``cloud/name``, such as ``aws/eu-west-1``) is its name across clouds.
    ``jurisdictions`` are the legal areas whose residency rules it satisfies: its country's
    ISO 3166 code, and areas such as ``EU``, ``EEA`` or ``US``. ``zones`` counts its
    availability zones; 1 means that the loss of a zone is the loss of the region.
    ``gco2e_per_kwh`` is what its grid emits, grams of CO2e per kWh; None where nobody knows.
    """

    cloud: Cloud
    name: str
    display_name: str
    coordinates: Coordinates
    country: str
    continent: str
    jurisdictions: frozenset[str]
    zones: int
    certifications: frozenset[str] = frozenset()
    gco2e_per_kwh: float | None = None

    @property
    def place(self) -> str:
        return f"{self.cloud.value}/{self.name}"


@dataclass(frozen=True, slots=True)
class PlaceFilter:
    """A set of places, written by what its members have in common.

    A region belongs when it matches *every* non-empty field; an empty filter holds all regions.
    """

    places: frozenset[str] = frozenset()
    clouds: frozenset[Cloud] = frozenset()
    countries: frozenset[str] = frozenset()
    continents: frozenset[str] = frozenset()
    jurisdictions: frozenset[str] = frozenset()

    def holds(self, region: Region) -> bool:
        return (
            (not self.places or region.place in self.places)
            and (not self.clouds or region.cloud in self.clouds)
            and (not self.countries or region.country in self.countries)
            and (not self.continents or region.continent in self.continents)
            and (not self.jurisdictions or bool(self.jurisdictions & region.jurisdictions))
        )

    @property
    def in_words(self) -> str:
        parts = [
            *sorted(self.places),
            *(CLOUD_NAMES[cloud] for cloud in sorted(self.clouds)),
            *(f"country {country}" for country in sorted(self.countries)),
            *sorted(self.continents),
            *(f"jurisdiction {area}" for area in sorted(self.jurisdictions)),
        ]
        return ", ".join(parts) if parts else "anywhere"
