"""Lines that tell of errors, kept beside the signals: a file a day, an object a line.

::

    error-lines/2026-03-01.jsonl

Steps are appended as they close. What was being written when the process died is a last line
without an end, and is not read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from models.errors import OutputFailed, UnusableData
from providers.otlp.logs import ErrorLines
from providers.otlp.templates import OTHER, Template

FOLDER: Final = "error-lines"
KEPT_DAYS: Final = 30
KNOWN_DAYS: Final = 7
"""Templates of so many days are known to a listener that starts."""
_FIELDS: Final = {
    one.name: int if one.name in ("starts", "step_s", "lines") else str
    for one in fields(ErrorLines)
}


def append_lines(folder: Path, told: Sequence[ErrorLines]) -> None:
    """Keep the lines of a step, and forget those older than ``KEPT_DAYS``."""
    for day, lines in groupby(told, key=lambda one: _day(one.starts)):
        path = folder / FOLDER / f"{day.isoformat()}.jsonl"
        text = "".join(f"{json.dumps(asdict(one))}\n" for one in lines)
        try:
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                _retire(folder, day)
            _append(path, text.encode())
        except OSError as error:
            raise OutputFailed(f"cannot write {path}: {error.strerror}") from error


def _append(path: Path, text: bytes) -> None:
    """Add to a file; half a line that somebody left there is ended first."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.truncate(_whole(path))
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _whole(path: Path) -> int:
    """Bytes of a file up to the end of its last whole line."""
    return path.read_bytes().rfind(b"\n") + 1


def _retire(folder: Path, today: date) -> None:
    for day, path in _days(folder):
        if day < today - timedelta(days=KEPT_DAYS):
            path.unlink()


def read_lines(folder: Path, since: datetime | None = None) -> Iterator[ErrorLines]:
    """All lines kept of days that end after ``since``, in order; none where nothing is kept."""
    for day, path in _days(folder):
        if since is not None and day < since.astimezone(UTC).date():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UnusableData(f"{path} cannot be read") from error
        for number, line in enumerate(text.split("\n")[:-1], 1):
            yield _read(line, f"{path}:{number}")


def known_templates(folder: Path, now: datetime) -> Iterator[Template]:
    """Templates of the last ``KNOWN_DAYS``, as they were last."""
    latest = {}
    for one in read_lines(folder, now - timedelta(days=KNOWN_DAYS)):
        if one.identity != OTHER:
            latest[one.identity] = one
    for identity, one in latest.items():
        yield Template(identity, one.service, one.template.split())


def _read(line: str, at: str) -> ErrorLines:
    try:
        found: dict[str, Any] = json.loads(line)
        if any(type(found[name]) is not kind for name, kind in _FIELDS.items()):
            raise TypeError
        return ErrorLines(**{name: found[name] for name in _FIELDS})
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableData(f"{at} is damaged\n    → remove the line") from error


def _days(folder: Path) -> list[tuple[date, Path]]:
    try:
        return sorted(
            (date.fromisoformat(path.stem), path) for path in (folder / FOLDER).glob("*.jsonl")
        )
    except ValueError as error:
        raise UnusableData(f"{folder / FOLDER} holds files that are no days") from error


def _day(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()
