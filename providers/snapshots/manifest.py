"""What a snapshot says of itself: when it was taken, which parts it has, and how whole they are."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from models.errors import UnusableData
from providers.seam import Reading, Scope

MANIFEST: Final = "snapshot.json"
FORMAT: Final = "trimtab-snapshot"
VERSION: Final = 2
"""Raised when what is written means something else than before: since 2, instances have a variant
and run the service of their group."""


class Status(StrEnum):
    """How much of a part there is."""

    COMPLETE = "complete"
    PARTIAL = "partial"  # what came before an error, or the deadline
    FAILED = "failed"  # nothing came


class _Value(BaseModel):
    # What a later version writes beside is passed over: what it means otherwise raises VERSION.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Held(_Value):
    """Row groups of a table's file that hold a part's rows: ``groups`` from ``first`` on."""

    table: str
    first: Annotated[int, Field(ge=0)]
    groups: Annotated[int, Field(ge=0)]
    rows: Annotated[int, Field(ge=0)]


class Part(_Value):
    """One reading of one scope. ``read_at``: when the cloud was asked, also where a later snapshot
    took it over; ``why``: what went wrong, empty when nothing did.
    """

    cloud: str
    account: str
    region: str
    reading: Reading
    status: Status
    read_at: AwareDatetime
    took_s: float
    held: tuple[Held, ...] = ()
    why: str = ""
    reused: bool = False

    @property
    def scope(self) -> Scope:
        return Scope(self.cloud, self.account, self.region)

    @property
    def rows(self) -> int:
        return sum(held.rows for held in self.held)


class _Head(_Value):
    format: Literal["trimtab-snapshot"] = FORMAT
    version: int = VERSION


class Manifest(_Head):
    """All parts, in order; ``files``: SHA-256 of every other file of the snapshot.

    ``source``: digest of the clouds that were named, with their accounts and addresses.
    """

    name: str
    source: str = ""
    taken_at: AwareDatetime
    took_s: float
    parts: tuple[Part, ...]
    files: dict[str, str]

    @property
    def faulty(self) -> tuple[Part, ...]:
        """Parts that are not complete."""
        return tuple(part for part in self.parts if part.status is not Status.COMPLETE)

    @property
    def barren(self) -> bool:
        """Whether no cloud said anything: what was taken over from before does not count."""
        return all(part.reused or part.status is Status.FAILED for part in self.parts)

    def text(self) -> str:
        """As it is written."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a snapshot; raises ``UnusableData``."""
    path = folder / MANIFEST
    try:
        if path.exists() and not path.is_file():  # a pipe or a device may never end
            raise UnusableData(f"{folder} is no snapshot: {MANIFEST} is no regular file")
        text = path.read_bytes()
        version = _Head.model_validate_json(text).version
        if version != VERSION:
            raise UnusableData(
                f"{path} is of version {version}; this version of trimtab reads {VERSION}"
                "\n    → collect again"
            )
        return Manifest.model_validate_json(text)
    except OSError as error:
        raise UnusableData(f"{folder} is no snapshot: {MANIFEST}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(f"{part}: " for part in first["loc"])
        raise UnusableData(f"{path} is damaged: {where}{first['msg']}") from error
