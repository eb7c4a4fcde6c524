"""The kinds of value that fields of world and scenario files take.

Every field carries its meaning and unit: they are the reference documentation of the formats.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

from models.labels import CONTROLS
from models.places import Cloud, PlaceFilter
from scenarios.units import UNITS

# Everything but control characters, markup and formulas included, is text that outputs escape.
NAME_PATTERN = rf"^[^{CONTROLS}]*[^\s{CONTROLS}][^{CONTROLS}]*$"
PROSE_PATTERN = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$"
COUNTRY_PATTERN = r"^[A-Z]{2}$"
ENDPOINT_PATTERN = r"^https?://[A-Za-z0-9._\[\]:-]+(/[^\s@]*)?$"
LABEL_PATTERN = r"^[A-Za-z_:][A-Za-z0-9_:]*$"
WORD_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NAME_PATTERN)]
Prose = Annotated[str, StringConstraints(max_length=2000, pattern=PROSE_PATTERN)]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=NAME_PATTERN)]
Country = Annotated[str, StringConstraints(pattern=COUNTRY_PATTERN)]
IsoDate = Annotated[str, StringConstraints(pattern=DATE_PATTERN)]
CloudName = Annotated[Cloud, Field(strict=False)]

# Bounds far beyond any real fleet: they keep products of two fields finite and solvable.
Positive = Annotated[float, Field(gt=0, le=1e9)]
Size = Annotated[float, Field(ge=1e-3, le=1e6)]
Amount = Annotated[float, Field(ge=0, le=1e9)]
Count = Annotated[int, Field(ge=1, le=10**7)]
Share = Annotated[float, Field(ge=0, le=1)]

Lax = Field(strict=False)
Names = Annotated[tuple[Name, ...], Lax]
SomeNames = Annotated[tuple[Name, ...], Field(strict=False, min_length=1)]


def _title(name: str, _: object = None) -> str:
    """A field's name as a title: ``memory_gib`` becomes "memory (GiB)"."""
    *words, last = name.split("_")
    unit = UNITS.get(last) if words else None
    return f"{' '.join(words)} ({unit})" if unit else name.replace("_", " ")


class Entry(BaseModel):
    """A mapping in a file: unknown keys, wrong types, NaN and infinities are faults."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        field_title_generator=_title,
        model_title_generator=lambda model: model.__name__.removesuffix("Entry"),
    )


class Table(Entry):
    """Entries kept in a CSV or Parquet file beside the world file."""

    table: FileName
    """CSV or Parquet file, relative to the world file: one column per field, one row per entry.
    Fields of nested mappings are joined by an underscore (`replica_vcpus`); lists are separated
    by spaces."""


def _rows_or_table(value: Any) -> str:
    return "<table>" if isinstance(value, dict) else "<rows>"


ROWS_OR_TABLE = Discriminator(_rows_or_table)
TheTable = Annotated[Table, Tag("<table>")]


class Places(Entry):
    """A set of places: those that match every field that is given. At least one must be."""

    places: SomeNames | None = None
    """Places by name, `cloud/region`, such as `aws/eu-west-1`."""
    clouds: Annotated[tuple[CloudName, ...], Field(strict=False, min_length=1)] | None = None
    """Clouds: aws, azure, gcp."""
    countries: SomeNames | None = None
    """ISO 3166 codes of countries, such as DE."""
    continents: SomeNames | None = None
    """Continents, as the list of regions names them."""
    jurisdictions: SomeNames | None = None
    """Legal areas: a country's ISO 3166 code, EU, EEA, ... A region under any of them matches."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    def as_filter(self) -> PlaceFilter:
        """The set, its names unchecked."""
        return PlaceFilter(
            places=frozenset(self.places or ()),
            clouds=frozenset(Cloud(cloud) for cloud in self.clouds or ()),
            countries=frozenset(self.countries or ()),
            continents=frozenset(self.continents or ()),
            jurisdictions=frozenset(self.jurisdictions or ()),
        )

    @property
    def in_words(self) -> str:
        return self.as_filter().in_words


class TeamServices(Entry):
    """All services of one team."""

    team: Name
    """Name of the team."""


def _kind_of_selection(value: Any) -> str:
    if isinstance(value, dict):
        return "<team>"
    return "<names>" if isinstance(value, list) else "<all>"


ServiceSelection = Annotated[
    Annotated[Literal["all"], Tag("<all>")]
    | Annotated[SomeNames, Tag("<names>")]
    | Annotated[TeamServices, Tag("<team>")],
    Discriminator(_kind_of_selection),
]
"""Which services: `all`, a list of names, or `{team: name}`."""
