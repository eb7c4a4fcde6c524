"""World files: read, validated field by field, and kept with their lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from models.errors import Fault, FaultyInput, Location
from scenarios.entries import FORMAT_VERSION, WorldFile
from scenarios.faults import Faults, shown
from scenarios.lines import Listed, Mapped, line_at, read_yaml

WORLD_FILE: Final = "world.yaml"
_NOUNS: Final = {"collect": "collection"}
"""What files are called that do not go by their first key."""
_LISTS: Final = (
    "origins",
    "services",
    "dependencies",
    "workflows",
    "rules",
    "commitments",
    "fleet",
)


@dataclass(frozen=True)
class PricesSource:
    """Where a world's prices come from. ``file`` None: the embedded book."""

    file: Path | None
    report_unpriced: bool
    at: Location


@dataclass(frozen=True)
class SnapshotSource:
    """Which snapshot a world takes facts from, and what of it it uses."""

    folder: Path
    use: frozenset[str]
    partial_is_fine: bool
    refuse_after_hours: float
    at: Location


@dataclass(frozen=True)
class TelemetrySource:
    """Which telemetry a world takes its demand from, and how many days of it."""

    folder: Path
    days: int
    at: Location


@dataclass(frozen=True)
class LatencySource:
    """Where a world's round-trip times come from. ``factor`` None: the default."""

    measured: Path | None
    factor: float | None
    at: Location


@dataclass(frozen=True)
class CarbonSource:
    """Where figures of grids come from, beside the built-in table."""

    file: Path | None
    at: Location


@dataclass(frozen=True, eq=False)
class WorldDocument:
    """A world file that can be understood, not yet checked against the facts.

    ``content`` holds what is valid. Entries of lists that are not valid are left out of it and of
    ``data``; their faults wait in ``faults`` and their names in ``left_out``, so that
    ``scenarios.build.build_world`` can tell all faults of the document at once.
    """

    path: Path
    content: WorldFile
    data: Mapped
    faults: tuple[Fault, ...] = ()
    left_out: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.path.parent

    def at(self, *path: str | int) -> Location:
        """Where the node on ``path`` stands (or the deepest one above it that is written)."""
        return Location(str(self.path), line_at(self.data, path))

    @property
    def prices(self) -> PricesSource:
        prices = self.content.prices
        file = None if prices.file is None else self.folder / prices.file
        return PricesSource(file, prices.unpriced == "report", self.at("prices"))

    @property
    def snapshot(self) -> SnapshotSource | None:
        """None: the world takes nothing from clouds."""
        named = self.content.snapshot
        if named is None:
            return None
        return SnapshotSource(
            self.folder / named.folder, frozenset(named.use), named.partial == "use",
            named.refuse_after_hours, self.at("snapshot"),
        )  # fmt: skip

    @property
    def telemetry(self) -> TelemetrySource | None:
        """None: the world's demand is not that of telemetry."""
        demand = self.content.demand
        if demand.telemetry is None:
            return None
        at = self.at("demand", "telemetry")
        return TelemetrySource(self.folder / demand.telemetry, demand.telemetry_days, at)

    @property
    def latency(self) -> LatencySource:
        """The measured file lies inside the world's folder; whether it exists is not checked."""
        latency = self.content.latency
        measured = None if latency.measured is None else self.folder / latency.measured
        return LatencySource(measured, latency.factor, self.at("latency", "measured"))

    @property
    def carbon(self) -> CarbonSource:
        """The file lies inside the world's folder; whether it exists is not checked."""
        carbon = self.content.carbon
        file = None if carbon.file is None else self.folder / carbon.file
        return CarbonSource(file, self.at("carbon", "file"))


def read_world(path: Path) -> WorldDocument:
    """Read a world file, or the ``world.yaml`` of a folder.

    Raises ``FaultyInput`` with every fault of the file when it cannot be understood: when it is
    not YAML, of another format version, or faulty outside its lists. Faults of entries in lists
    are raised by ``build_world``, together with what it finds.
    """
    path = path / WORLD_FILE if path.is_dir() else path
    data = read_yaml(path)
    check_version(path, data, "world", {"scenario", "changes"})
    try:
        content = WorldFile.model_validate(data)
    except ValidationError as error:
        return _without_faulty_entries(path, data, error)
    return _checked(WorldDocument(path, content, data))


def check_version(path: Path, data: Mapped, what: str, others: Iterable[str]) -> None:
    """Raise ``FaultyInput`` unless ``data`` is a ``what`` file of the known format version."""
    version = data.get("trimtab")
    at = Location(str(path), line_at(data, ("trimtab",)))
    if what not in data and any(key in data for key in others):
        noun = _NOUNS.get(what, what)
        raise FaultyInput([Fault(at, f"this is not a {noun} file", f"give a {noun} file here")])
    if "trimtab" not in data:
        raise FaultyInput([Fault(at, "the format version is missing", "start with 'trimtab: 1'")])
    if type(version) is not int or version != FORMAT_VERSION:
        message = f"unknown format version {shown(version)}"
        raise FaultyInput([Fault(at, message, f"write 'trimtab: {FORMAT_VERSION}'")])


def _without_faulty_entries(path: Path, data: Mapped, error: ValidationError) -> WorldDocument:
    """The document without the entries that hold faults; raises when others hold any."""
    faults = Faults()
    faults.add_all(error, WorldFile, data, str(path))
    faulty: dict[str, set[int]] = {}
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        section, item = detail["loc"][0], next((p for p in detail["loc"] if isinstance(p, int)), -1)
        if section in _LISTS and item >= 0:
            faulty.setdefault(str(section), set()).add(item)
        elif detail["type"] != "too_short":
            raise faults.refusal() from None
    kept, left_out = Mapped(data.line), {}
    kept.lines.update(data.lines)
    for key, value in data.items():
        kept[key] = value
        if indices := faulty.get(key):
            kept[key] = _without(value, indices)
            left_out[key] = names_of(value[i] for i in indices)
    try:
        content = WorldFile.model_validate(kept)
    except ValidationError:  # nothing is left of a list that must not be empty
        raise faults.refusal() from None
    return _checked(WorldDocument(path, content, kept, faults.refusal().faults, left_out))


def _without(rows: Listed, indices: set[int]) -> Listed:
    kept = Listed(rows.line)
    for i, (row, line) in enumerate(zip(rows, rows.lines, strict=True)):
        if i not in indices:
            kept.append(row)
            kept.lines.append(line)
    return kept


def names_of(rows: Iterable[Any]) -> frozenset[str]:
    """The names of rows that have one."""
    return frozenset(
        row["name"] for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str)
    )


def _checked(document: WorldDocument) -> WorldDocument:
    """Check what the caller needs before the world is built: where its other files lie."""
    faults = Faults(list(document.faults))
    prices, latency = document.content.prices, document.content.latency
    if prices.book is not None and prices.file is not None:
        at = document.at("prices", "book")
        faults.add(at, "prices come from a book or from a file, not both", "remove one")
    uses = () if document.snapshot is None else document.snapshot.use
    for key, given in (("file", prices.file), ("book", prices.book)):
        if given is not None and "prices" in uses:
            message = f"prices come from a {key} or from a snapshot, not both"
            hint = "remove one, or leave prices out of 'use'"
            faults.add(document.at("prices", key), message, hint)
    demand = document.content.demand
    from_where = (demand.history is not None, demand.telemetry is not None, "demand" in uses)
    if sum(from_where) != 1:
        message = "demand comes from a history, from telemetry or from a snapshot: from one of them"
        hint = "give a 'history' or 'telemetry', or let 'use' hold demand"
        faults.add(document.at("demand"), message, hint)
    if latency.measured is not None and (said := escapes(document.folder, latency.measured)):
        faults.add(document.at("latency", "measured"), *said)
    carbon = document.content.carbon.file
    if carbon is not None and (said := escapes(document.folder, carbon)):
        faults.add(document.at("carbon", "file"), *said)
    if faults.count:
        raise faults.refusal()
    return document


def escapes(folder: Path, name: str) -> tuple[str, str] | None:
    """Why ``name`` is refused as a file beside the world: message and suggestion; None when fine.

    A world file may come from someone else: it names files of its own folder only, links included.
    """
    try:
        inside = (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:
        return f"the path {name!r} cannot be resolved: {error}", "check for circular links"
    if Path(name).is_absolute() or not inside:
        return (
            f"the path {name!r} leads out of the folder of the world file",
            "put the file beside the world file and name it relative to that",
        )
    return None
