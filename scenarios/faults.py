"""What is wrong with a document, in the words of its author, with the nearest right answer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from models.errors import NOWHERE, Fault, FaultyInput, Location
from scenarios.fields import (
    COUNTRY_PATTERN,
    DATE_PATTERN,
    ENDPOINT_PATTERN,
    LABEL_PATTERN,
    WORD_PATTERN,
)
from scenarios.lines import line_at
from scenarios.units import MISNAMED, as_number

MOST_LISTED = 1000
_WRITTEN = {
    ENDPOINT_PATTERN: "write an address: https://host:port",
    LABEL_PATTERN: "use letters, digits and _ only",
    WORD_PATTERN: "use letters, digits, dots and dashes only",
}
_MOST_COMPARED = 50_000  # names, in search of near ones: beyond, that would only cost time


@dataclass
class Faults:
    """Gathers faults, and stops listing them when there are too many to read.

    ``count`` counts those added, listed or not.
    """

    found: list[Fault] = field(default_factory=list)
    count: int = 0
    _compared: int = 0
    _omitted: int = 0

    def add(self, at: Location, message: str, suggestion: str = "") -> None:
        self.count += 1
        if len(self.found) < MOST_LISTED:
            self.found.append(Fault(at, message, suggestion))
        else:
            self._omitted += 1

    def unknown(self, at: Location, what: str, name: str, known: Collection[str]) -> None:
        """``name`` is not one of ``known``: say which come nearest."""
        self._compared += len(known)
        suggestion = nearest(name, known) if self._compared <= _MOST_COMPARED else ""
        self.add(at, f"unknown {what} {shown(name)}", suggestion)

    def add_all(self, error: ValidationError, model: type[BaseModel], data: Any, file: str) -> None:
        """The faults of a validation of ``data`` (what ``read_yaml`` gave, or a list of its
        like) as a ``model``, each at its line."""
        for detail in error.errors(include_url=False):
            path = detail["loc"]
            row, detail["loc"] = (path[0], path[1:]) if isinstance(path[0], int) else (None, path)
            if len(self.found) >= MOST_LISTED:
                self.add(NOWHERE, "")
            elif said := _said_of(detail, model):
                held = data if row is None else data[row]
                self.add(Location(file, line_at(held, detail["loc"])), *said)

    def refusal(self) -> FaultyInput:
        """The exception that tells them all."""
        more = Fault(NOWHERE, f"{self._omitted:,} more faults are not listed", "mend these first")
        return FaultyInput([*self.found, *([more] if self._omitted else [])])


def nearest(name: str, known: Collection[str]) -> str:
    """Did you mean ...? The nearest of ``known``, or all of them when they are few."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    name = name[:200]
    close = get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(by_folded[c]) for c in close)}?"
    if not known:
        return ""
    some = ", ".join(sorted(known)[:8])
    return f"known: {some}" if len(known) <= 8 else f"known: {some} and {len(known) - 8} more"


def _said_of(detail: ErrorDetails, model: Any) -> tuple[str, str] | None:
    """Message and suggestion for one error in data of type ``model``; None when it only repeats
    another one."""
    kind, given = detail["type"], detail["input"]
    path = [part for part in detail["loc"] if not _is_tag(part)]
    name = _dotted(path)
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    context = detail.get("ctx", {})
    if kind in ("missing", "extra_forbidden"):
        fields = {
            field: " ".join((info.description or "").split())
            for holder in models_at(model, detail["loc"][:-1])
            for field, info in holder.model_fields.items()
        }
        if kind == "missing":
            return f"{name} is missing", f"add '{key}: ...': {fields.get(key, '')}"
        return unknown_key(name, key, fields)
    if kind == "too_short":
        written = given if isinstance(given, list) else ()
        return None if len(written) >= context["min_length"] else (f"{name} is empty", "")
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _unknown_tag(name, given, context, models_at(model, detail["loc"]))
    if given is None:
        return f"{name} is empty", f"give {_expected(kind, context)}, or remove the key"
    return _wrong_value(name, key, kind, given, context)


def _wrong_value(
    name: str, key: str, kind: str, given: Any, context: dict[str, Any]
) -> tuple[str, str]:
    said = shown(given)
    if kind == "string_type" and isinstance(given, (bool, int, float)):
        return f"{name} must be text, not {said}", f"put it in quotes: '{_as_written(given)}'"
    if kind == "bool_type" and isinstance(given, str):
        meant = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false"}
        hint = meant.get(given.lower(), "true or false")
        return f"{name} must be true or false, not {said}", f"write {hint}"
    if kind in ("float_type", "int_type") and isinstance(given, str):
        hint = as_number(given, key) or "write a plain number"
        return f"{name} must be a number, not {said}", hint
    if kind in ("literal_error", "enum"):
        known = [part.strip(" '") for part in context["expected"].replace(" or ", ",").split(",")]
        return f"{name} cannot be {said}", nearest(str(given), known)
    if kind == "string_pattern_mismatch":
        if context["pattern"] == COUNTRY_PATTERN:
            hint = f"did you mean {given.upper()!r}?" if len(given) == 2 else "such as DE or US"
            return f"{name} must be an ISO 3166 code of two capitals, not {said}", hint
        if context["pattern"] == DATE_PATTERN:
            return f"{name} must be a day, not {said}", "write year-month-day, such as 2027-03-31"
        if context["pattern"] in _WRITTEN:
            return f"{name} cannot be {said}", _WRITTEN[context["pattern"]]
        return (
            f"{name} is blank or holds control characters: {said}",
            "use printable characters only",
        )
    hint = f"write [{given}]" if kind == "tuple_type" and isinstance(given, str) else ""
    return f"{name} must be {_expected(kind, context)}, not {said}", hint


def _expected(kind: str, context: dict[str, Any]) -> str:
    limits = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt",
              "less_than_equal": "le"}  # fmt: skip
    words = {"gt": "greater than", "ge": "at least", "lt": "less than", "le": "at most"}
    if kind in limits:
        bound = limits[kind]
        return f"{words[bound]} {context[bound]:g}"
    if kind == "string_too_long":
        return f"text of at most {context['max_length']} characters"
    return {
        "string_type": "text",
        "string_too_short": "text of at least one character",
        "bool_type": "true or false",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "finite_number": "a finite number",
        "tuple_type": "a list",
        "dict_type": "a mapping ('key: value')",
        "model_type": "a mapping ('key: value')",
        "model_attributes_type": "a mapping ('key: value')",
        "literal_error": f"one of {context.get('expected')}",
        "enum": f"one of {context.get('expected')}",
    }.get(kind, "something else")


def unknown_key(name: str, key: str, known: Collection[str], what: str = "key") -> tuple[str, str]:
    """Message and suggestion for a key, or column, that is none of ``known``."""
    bare = key.lower().partition("_")[2]  # a column's name may start with its mapping's
    meant, unit = MISNAMED.get(key.lower()) or MISNAMED.get(bare) or ("", "")
    if found := [field for field in known if f"_{field}".endswith(f"_{meant}") and meant]:
        return f"unknown {what} {name}", f"use '{found[0]}', {unit}"
    if unit and not meant:
        return f"unknown {what} {name}", unit
    return f"unknown {what} {name}", nearest(key, sorted(known))


def _unknown_tag(
    name: str, given: Any, context: dict[str, Any], models: Sequence[type[BaseModel]]
) -> tuple[str, str]:
    """Which alternative of a union is meant? Rules tell by ``kind``, changes by their only key."""
    if not isinstance(given, dict):
        return f"{name} must be a mapping ('key: value'), not {shown(given)}", ""
    known = [
        str(get_args(fields["kind"].annotation)[0]) if "kind" in fields else next(iter(fields))
        for fields in (model.model_fields for model in models)
    ]
    if "tag" not in context:
        return f"{name} does not say of what kind it is", f"one of {', '.join(known)}"
    tag = str(context["tag"]).strip("<>")
    return f"{name}: unknown kind {tag!r}", nearest(tag, known)


def shown(value: Any) -> str:
    """A value as its author wrote it, in short."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(_as_written(value)) if isinstance(value, str) else _as_written(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _as_written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "nothing" if value is None else str(value)


def _is_tag(part: str | int) -> bool:
    """Whether a part of an error's path names an alternative of a union, not something written."""
    return isinstance(part, str) and (part.startswith("<") or part == "[key]")


def _dotted(path: Sequence[str | int]) -> str:
    """A path as its author would say it, such as ``services[2].replica.vcpus``, items from 1."""
    said = "".join(f"[{p + 1}]" if isinstance(p, int) else f".{p}" for p in path)
    return said.removeprefix(".").encode("unicode_escape").decode("ascii")


def _types_at(model: Any, loc: Sequence[str | int]) -> Iterator[Any]:
    """The types that data of type ``model`` may have at ``loc``."""
    if not loc:
        yield from alternatives(model)
        return
    part, rest = loc[0], loc[1:]
    if _is_tag(part):
        union = get_args(model)[0] if get_origin(model) is Annotated else model
        for arm in get_args(union):
            if Tag(str(part)) in get_args(arm)[1:]:
                yield from _types_at(get_args(arm)[0], rest)
        return
    for kind in alternatives(model):
        if isinstance(part, int) and get_origin(kind) is tuple:
            yield from _types_at(get_args(kind)[0], rest)
        elif isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            yield from _types_at(kind.model_fields[str(part)].annotation, rest)


def alternatives(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for arm in get_args(annotation):
            yield from alternatives(arm)
    else:
        yield annotation


def models_at(model: Any, loc: Sequence[str | int]) -> list[type[BaseModel]]:
    types = _types_at(model, loc)
    return [kind for kind in types if isinstance(kind, type) and issubclass(kind, BaseModel)]
