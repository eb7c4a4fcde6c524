"""YAML as plain data that knows on which line everything stands.

Scalars follow the core schema of YAML 1.2, as editors and JSON do: ``no`` and ``on`` are text,
``1e3`` is a number, dates are text. Files are treated as hostile: tags, deep nesting, and aliases
that expand into more than ``MAX_ALIASED_NODES`` nodes are refused while the file is being read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)
from yaml.reader import ReaderError

from models.errors import Fault, FaultyInput, Location

MAX_BYTES: Final = 8 * 2**20
MAX_ALIASED_NODES: Final = 200_000
MAX_DEPTH: Final = 50

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_HINTS: Final = {
    "mapping values are not allowed": "put text that holds ': ' in quotes, or mend the indentation",
    "found character that cannot start any token": "put text that starts with @, ` or % in quotes",
    "found undefined tag handle": "remove the tag (the word that starts with '!')",
    "undefined alias": "define the anchor (&name) before its alias (*name)",
    "did not find expected": "check indentation, commas and brackets on this line and above it",
    "could not find expected ':'": "write 'key: value', with a space behind the colon",
    "unexpected end of stream": "close the quote or bracket that was opened here",
}


class Mapped(dict[str, Any]):
    """A YAML mapping. ``lines`` holds the line of every key (of its value, when a scalar)."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class Listed(list[Any]):
    """A YAML sequence. ``lines`` holds the line of every item."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []


def line_at(data: Any, path: tuple[str | int, ...]) -> int:
    """The line of the deepest node on ``path`` that the file holds; parts not in it are skipped."""
    line: int = getattr(data, "line", 0)
    for part in path:
        held = isinstance(data, Mapped) and part in data
        if held or (isinstance(data, Listed) and isinstance(part, int) and part < len(data)):
            line, data = data.lines[part], data[part]
    return line


def plain_scalar(text: str) -> Any:
    """What unquoted text means in the core schema of YAML 1.2: null, bool, number or text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):  # beyond 18 digits the exact value cannot matter
        return int(text) if len(text) <= 18 else float(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def read_yaml(path: Path) -> Mapped:
    """The single mapping that a YAML file holds.

    Raises ``FaultyInput`` when the file cannot be read, is not UTF-8, is empty, is not valid YAML,
    holds anything but one mapping, repeats keys, uses tags, or expands beyond reason.
    """
    text = _text_of(path)
    composer = _Composer(str(path))
    try:
        return composer.compose(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise FaultyInput([*composer.faults, _syntax_fault(str(path), text, line, error)]) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        at = Location(str(path), line)
        fault = Fault(at, f"the file holds a character that YAML forbids: {error.reason}")
        raise FaultyInput([fault]) from None


def _text_of(path: Path) -> str:
    at = Location(str(path))

    def refuse(message: str, suggestion: str, line: int = 0) -> FaultyInput:
        return FaultyInput([Fault(Location(str(path), line), message, suggestion)])

    try:
        if not path.exists():
            raise refuse("there is no such file", "check the path")
        if not path.is_file():
            raise refuse("this is not a regular file", "give a YAML file")
        if path.stat().st_size > MAX_BYTES:
            raise refuse(
                f"the file is larger than {MAX_BYTES // 2**20} MiB",
                "move long lists into tables: {table: services.parquet}",
            )
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FaultyInput([Fault(at, f"the file cannot be read: {reason}")]) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise refuse("the file is not UTF-8 text", "save it in UTF-8", line) from None


def _syntax_fault(file: str, text: str, line: int, error: yaml.MarkedYAMLError) -> Fault:
    problem = error.problem or "the text is not YAML"
    said = problem if not error.context else f"{problem} ({error.context})"
    lines = text.splitlines()
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())] or "\\t" in problem:
        hint = "indent with spaces: YAML does not allow tabs"
    else:
        hint = next((hint for known, hint in _HINTS.items() if known in said), "")
    hint = hint or "check indentation, quotes and brackets near this line"
    return Fault(Location(file, line), f"this is not valid YAML: {said}", hint)


@dataclass
class _Composer:
    """Builds plain data from parser events, without recursion."""

    file: str
    faults: list[Fault] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    nodes: int = 0
    aliased: int = 0

    def compose(self, events: Iterator[Any]) -> Mapped:
        documents = 0
        top: Any = None
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(
                        event, "a second document starts here", "keep one per file ('---')"
                    )
            elif isinstance(event, NodeEvent):
                top = self._node(event, events)
        if self.faults:
            raise FaultyInput(self.faults)
        if top is None:
            raise FaultyInput([Fault(Location(self.file), "the file is empty")])
        if not isinstance(top, Mapped):
            message = "the file must hold 'key: value' lines at its top level"
            raise FaultyInput([Fault(Location(self.file, 1), message, "start with 'trimtab: 1'")])
        return top

    def _node(self, event: Any, events: Iterator[Any]) -> Any:
        """The value of the node that starts with ``event``."""
        value, is_open = self._start(event)
        if not is_open:
            return value
        stack = [_Frame(value, event.anchor, self.nodes)]
        for inner in events:
            frame = stack[-1]
            if isinstance(inner, (MappingEndEvent, SequenceEndEvent)):
                stack.pop()
                for line, source in frame.merges:
                    self._merge(frame.value, source, line)
                if frame.anchor:
                    size = self.nodes - frame.nodes_before + 1
                    self.anchors[frame.anchor] = (frame.value, size)
                if not stack:
                    return frame.value
                continue
            if frame.wants_key:
                frame.key = self._key(inner)
                frame.key_line = inner.start_mark.line + 1
                continue
            value, is_open = self._start(inner)
            self._put(frame, value, inner, is_open)
            if is_open:
                if len(stack) >= MAX_DEPTH:
                    self._refuse(inner, f"nested deeper than {MAX_DEPTH} levels", "flatten it")
                stack.append(_Frame(value, inner.anchor, self.nodes))
        return value

    def _start(self, event: Any) -> tuple[Any, bool]:
        """The value that ``event`` gives or opens, and whether more events fill it."""
        self.nodes += 1
        line = event.start_mark.line + 1
        if isinstance(event, AliasEvent):
            return self._aliased(event), False
        if event.tag is not None:
            self._add(line, f"tags such as {event.tag} are not allowed", "remove the tag")
        if isinstance(event, ScalarEvent):
            value = plain_scalar(event.value) if event.implicit[0] else event.value
            if event.anchor:
                self.anchors[event.anchor] = (value, 1)
            return value, False
        return (Mapped(line) if isinstance(event, MappingStartEvent) else Listed(line)), True

    def _aliased(self, event: Any) -> Any:
        if event.anchor not in self.anchors:
            self._refuse(
                event,
                f"the alias *{event.anchor} has no anchor before it, or stands inside its own",
                f"write &{event.anchor} in front of the value to repeat",
            )
        value, size = self.anchors[event.anchor]
        self.nodes += size - 1
        self.aliased += size
        if self.aliased > MAX_ALIASED_NODES:
            self._refuse(
                event,
                f"aliases expand into more than {MAX_ALIASED_NODES:,} nodes",
                "write the values out, or move them into a table",
            )
        return value

    def _key(self, event: Any) -> str:
        self.nodes += 1
        if not isinstance(event, ScalarEvent):
            self._refuse(event, "a key must be plain text", "write 'key: value'")
        if event.tag is not None:
            line = event.start_mark.line + 1
            self._add(line, f"tags such as {event.tag} are not allowed", "remove the tag")
        return str(event.value)

    def _put(self, frame: _Frame, value: Any, event: Any, is_open: bool) -> None:
        holder, line = frame.value, event.start_mark.line + 1
        if isinstance(holder, Listed):
            holder.append(value)
            holder.lines.append(line)
            return
        key, frame.key = frame.key, None
        assert key is not None  # noqa: S101 - a mapping's value always follows its key
        if key == "<<":
            frame.merges.append((line, value))
        elif key in holder:
            message = f"the key {key!r} stands twice in the same mapping"
            first = f"remove one (the other is on line {holder.lines[key]})"
            self._add(frame.key_line, message, first)
        else:
            holder[key] = value
            holder.lines[key] = frame.key_line if is_open else line

    def _merge(self, holder: Mapped, value: Any, line: int) -> None:
        """Fill in the keys of ``<<: *anchor`` that the mapping has not got itself."""
        for source in value if isinstance(value, Listed) else [value]:
            if not isinstance(source, Mapped):
                self._add(line, "'<<' takes an alias of a mapping", "write '<<: *anchor'")
                continue
            for key, merged in source.items():
                if key not in holder:
                    holder[key] = merged
                    holder.lines[key] = source.lines[key]

    def _add(self, line: int, message: str, suggestion: str) -> None:
        self.faults.append(Fault(Location(self.file, line), message, suggestion))

    def _refuse(self, event: Any, message: str, suggestion: str) -> None:
        """Give up: what follows would only repeat the same fault."""
        self._add(event.start_mark.line + 1, message, suggestion)
        raise FaultyInput(self.faults)


@dataclass(slots=True)
class _Frame:
    """An open collection: its value, anchor, and the key that waits for a value."""

    value: Any
    anchor: str | None
    nodes_before: int
    key: str | None = None
    key_line: int = 0
    merges: list[tuple[int, Any]] = field(default_factory=list)

    @property
    def wants_key(self) -> bool:
        return isinstance(self.value, Mapped) and self.key is None
