"""Entries kept in CSV and Parquet files beside a world file."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, get_origin

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from models.errors import Location
from scenarios.documents import WorldDocument, escapes, names_of
from scenarios.entries import OriginEntry
from scenarios.faults import Faults, alternatives, models_at, unknown_key
from scenarios.fields import Entry, Table
from scenarios.lines import Mapped, line_at, plain_scalar

MAX_BYTES: Final = 512 * 2**20
MAX_ROWS: Final = 1_000_000

E_ = TypeVar("E_", bound=Entry)


@dataclass(frozen=True, slots=True)
class Written(Generic[E_]):
    """A valid entry, with the mapping that it was written as."""

    entry: E_
    file: str
    data: Mapped

    def at(self, *path: str | int) -> Location:
        """Where a field of the entry stands; without a path, where the entry starts."""
        return Location(self.file, line_at(self.data, path))


def table_path(folder: Path, name: str, at: Location, faults: Faults) -> Path | None:
    """The file ``name`` beside the world, if it may and can be read; else a fault."""
    if said := escapes(folder, name):
        faults.add(at, *said)
        return None
    path = folder / name
    try:
        if not path.is_file():
            message = "is not a regular file" if path.exists() else "does not exist"
            faults.add(at, f"the file {name!r} {message}", f"it is looked for in {folder}/")
            return None
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        faults.add(at, f"the file {name!r} cannot be read: {error}")
        return None
    if path.suffix not in (".csv", ".parquet"):
        faults.add(at, f"the file {name!r} is neither .csv nor .parquet", "rename or convert it")
    elif size > MAX_BYTES:
        faults.add(at, f"the file {name!r} is larger than {MAX_BYTES // 2**20} MiB",
                   "use Parquet, or fewer rows")  # fmt: skip
    elif size == 0:
        faults.add(at, f"the file {name!r} is empty")
    else:
        return path
    return None


def entries_of(
    document: WorldDocument, section: str, model: type[E_], faults: Faults
) -> tuple[list[Written[E_]], frozenset[str]]:
    """The valid entries of a section, and the names of those that are not valid.

    ``section`` is a list, or ``{table: file}``; then faults are added for columns and rows. The
    line of an entry in a Parquet file is its row, counted from 1.
    """
    content = getattr(document.content, section)
    if not isinstance(content, Table):
        rows = document.data.get(section, ())
        return _written(document.path, rows, content), document.left_out.get(section, frozenset())
    path = table_path(document.folder, content.table, document.at(section, "table"), faults)
    return validated_rows(path, model, faults) if path else ([], frozenset())


def origin_names(document: WorldDocument) -> frozenset[str]:
    """Names of a document's origins, faulty ones included; ``build_world`` tells their faults."""
    entries, left_out = entries_of(document, "origins", OriginEntry, Faults())
    return frozenset(written.entry.name for written in entries) | left_out


def validated_rows(
    path: Path, model: type[E_], faults: Faults
) -> tuple[list[Written[E_]], frozenset[str]]:
    """The valid rows of a table, and the names of those that are not; faults of both are added."""
    rows = list(_rows(path, _columns(model), faults))
    adapter: TypeAdapter[list[E_]] = TypeAdapter(list[model])  # type: ignore[valid-type]
    try:
        entries = adapter.validate_python(rows)
    except ValidationError as error:
        faults.add_all(error, model, rows, str(path))
        details = error.errors(include_url=False, include_context=False, include_input=False)
        faulty = {int(detail["loc"][0]) for detail in details}
        good = [row for i, row in enumerate(rows) if i not in faulty]
        bad = [rows[i] for i in faulty]
        return _written(path, good, adapter.validate_python(good)), names_of(bad)
    return _written(path, rows, entries), frozenset()


def _written(path: Path, rows: Sequence[Mapped], entries: Sequence[E_]) -> list[Written[E_]]:
    return [Written(entry, str(path), row) for entry, row in zip(entries, rows, strict=True)]


def _columns(model: type[Entry]) -> dict[str, tuple[tuple[str, ...], str, bool]]:
    """What each column of a table fills: path of the field, kind of cell, whether required."""
    columns: dict[str, tuple[tuple[str, ...], str, bool]] = {}
    for name, info in model.model_fields.items():
        if nested := models_at(info.annotation, ()):
            for inner, (path, kind, required) in _columns(nested[0]).items():  # type: ignore[arg-type]
                columns[f"{name}_{inner}"] = ((name, *path), kind, required)
            continue
        types = list(alternatives(info.annotation))
        if any(get_origin(t) is tuple for t in types):
            kind = "list"
        elif any(isinstance(t, type) and issubclass(t, (str, Enum)) for t in types):
            kind = "text"
        else:
            kind = "whole" if int in types else "scalar"
        columns[name] = ((name,), kind, info.is_required())
    return columns


def _rows(
    path: Path, columns: dict[str, tuple[tuple[str, ...], str, bool]], faults: Faults
) -> Iterator[Mapped]:
    """Rows as nested mappings, as a YAML list would give them, with their lines."""
    read = _csv_rows if path.suffix == ".csv" else _parquet_rows
    header: list[str] | None = None
    for line, cells in read(path, faults):
        if header is None:
            header = [str(cell) for cell in cells]
            if not _header_is_fine(path, header, columns, faults):
                return
            continue
        row = Mapped(line)
        for name, cell in zip(header, cells, strict=True):
            if name not in columns or cell is None or cell == "":
                continue
            (*above, last), kind, _ = columns[name]
            holder = row.setdefault(above[0], {}) if above else row
            holder[last] = _cell(cell, kind)
        row.lines = dict.fromkeys(row, line)
        yield row


def _cell(cell: Any, kind: str) -> Any:
    """A cell as YAML would give it."""
    if kind == "list":
        return cell.split() if isinstance(cell, str) else cell
    if isinstance(cell, str):
        return cell if kind == "text" else plain_scalar(cell.strip())
    if kind == "whole" and isinstance(cell, float) and cell.is_integer():
        return int(cell)  # a column of whole numbers with empty cells is kept as floats
    return cell


def _header_is_fine(
    path: Path,
    header: list[str],
    columns: dict[str, tuple[tuple[str, ...], str, bool]],
    faults: Faults,
) -> bool:
    at = Location(str(path), 1 if path.suffix == ".csv" else 0)
    for name in dict.fromkeys(header):
        if name not in columns:
            faults.add(at, *unknown_key(repr(name), name, columns, "column"))
        elif header.count(name) > 1:
            faults.add(at, f"the column {name!r} stands twice", "remove one")
    missing = [
        name for name, (_, _, required) in columns.items() if required and name not in header
    ]
    if missing:
        found = ", ".join(header[:20])
        faults.add(at, f"missing columns: {', '.join(missing)}", f"the file has: {found}")
    return not missing and len(set(header)) == len(header)


def _csv_rows(path: Path, faults: Faults) -> Iterator[tuple[int, list[Any]]]:
    width = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for cells in reader:
                if not any(cells):  # a blank line
                    continue
                width = width or len(cells)
                if len(cells) == width:
                    yield reader.line_num, cells
                else:
                    at = Location(str(path), reader.line_num)
                    faults.add(at, f"{len(cells)} cells in a table of {width} columns",
                               "put cells that hold commas in double quotes")  # fmt: skip
    except UnicodeDecodeError:
        faults.add(Location(str(path)), "the file is not UTF-8 text", "save it in UTF-8")
    except csv.Error as error:
        faults.add(Location(str(path)), f"the file is not CSV: {error}")
    except OSError as error:
        faults.add(Location(str(path)), f"the file cannot be read: {error.strerror}")


def _parquet_rows(path: Path, faults: Faults) -> Iterator[tuple[int, list[Any]]]:
    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > MAX_ROWS:
                faults.add(Location(str(path)), f"the table has more than {MAX_ROWS:,} rows")
                return
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        faults.add(Location(str(path)), f"the file is not readable Parquet: {first_line(error)}")
        return
    yield 0, table.column_names
    cells = [column.to_pylist() for column in table.columns]
    for i, row in enumerate(zip(*cells, strict=True), 1):
        missing = (isinstance(c, float) and math.isnan(c) for c in row)
        yield i, [None if gone else cell for cell, gone in zip(row, missing, strict=True)]


def first_line(error: BaseException) -> str:
    """The first line of a foreign error's message."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
