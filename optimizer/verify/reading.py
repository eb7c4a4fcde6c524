"""Reads ``plan.json`` as somebody else's file: whatever it holds, all faults are told at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from models.errors import Fault, FaultyInput, Location
from optimizer.verify.entries import PlanEntry
from optimizer.verify.findings import NotChecked

PLAN_FILE: Final = "plan.json"
MOST_BYTES: Final = 256 * 2**20
MOST_FAULTS: Final = 200
MOST_UNKNOWN_KEYS: Final = 50


def read_plan(path: Path) -> tuple[PlanEntry, tuple[NotChecked, ...]]:
    """The plan in ``path`` (a file, or a folder that holds a ``plan.json``), and the keys in it
    that nobody knows.

    Raises ``FaultyInput`` with every fault; each says by a JSON pointer (RFC 6901) where it is.
    """
    path = path / PLAN_FILE if path.is_dir() else path
    data = _parsed(path)
    _must_be_a_plan(path, data)
    try:
        plan = PlanEntry.model_validate(data)
    except ValidationError as error:
        raise FaultyInput(list(_faults(error, path))) from None
    faults = list(_misfits(plan, path))
    if faults:
        raise FaultyInput(faults)
    return plan, _unknown_keys(plan)


def _parsed(path: Path) -> Any:
    at = Location(str(path))

    def refuse(what: str, hint: str) -> FaultyInput:
        return FaultyInput([Fault(at, what, hint)])

    def unequal(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        mapping = dict(pairs)
        if len(mapping) < len(pairs):
            names = [key for key, _ in pairs]
            twice = next(key for key in mapping if names.count(key) > 1)
            raise refuse(f"the key {_short(twice)} stands twice in one object", "keep one of them")
        return mapping

    def number(name: str) -> float:
        raise refuse(f"{name} is not a number in JSON", "write null for what is not known")

    try:
        if not path.is_file():
            raise refuse("there is no such file", "give a plan.json, or a folder that holds one")
        if path.stat().st_size > MOST_BYTES:
            raise refuse(f"is larger than {MOST_BYTES >> 20} MiB", "give a plan of fewer services")
        text = path.read_text(encoding="utf-8-sig")
        return json.loads(text, object_pairs_hook=unequal, parse_constant=number)
    except json.JSONDecodeError as error:
        where = Location(str(path), error.lineno)
        raise FaultyInput([Fault(where, f"is not JSON: {error.msg}", "write it anew")]) from None
    except UnicodeDecodeError as error:
        raise refuse(f"is not UTF-8 (byte {error.start:,})", "save it as UTF-8") from None
    except RecursionError:
        raise refuse("is nested too deeply", "a plan has at most seven levels") from None
    except OSError as error:
        raise refuse(f"cannot be read: {error.strerror}", "check who may read it") from error
    except ValueError:  # integers of thousands of digits
        raise refuse("holds a number of too many digits", "write numbers of a sane size") from None


def _must_be_a_plan(path: Path, data: Any) -> None:
    """One clear word about files of another kind, instead of a fault for every missing key."""
    at = Location(str(path))
    hint = "give the plan.json that `trimtab plan --out` writes"
    if not isinstance(data, dict) or data.get("format") != "trimtab-plan":
        raise FaultyInput([Fault(at, '/format: is not a plan ("format": "trimtab-plan")', hint)])
    outcome = data.get("outcome")
    if outcome in ("infeasible", "unfinished"):
        raise FaultyInput([Fault(at, f"/outcome: is {outcome}: there is no plan in it", hint)])


def _faults(error: ValidationError, path: Path) -> Iterator[Fault]:
    details = error.errors(include_url=False)
    for detail in details[:MOST_FAULTS]:
        place = pointer(detail["loc"])
        if detail["type"] == "missing":
            near = _near_key(detail["input"], str(detail["loc"][-1]))
            hint = f"is {_short(near)} meant to be it?" if near else "see trimtab schema plan"
            yield Fault(Location(str(path)), f"{place}: is missing", hint)
        else:
            said = _short(detail["input"])
            yield Fault(
                Location(str(path)), f"{place}: {_expected(detail)}, not {said}", _hint(detail)
            )
    if len(details) > MOST_FAULTS:
        more = f"{len(details) - MOST_FAULTS:,} more faults are not listed"
        yield Fault(Location(str(path)), more, "mend these first")


def _expected(detail: Mapping[str, Any]) -> str:
    context = detail.get("ctx", {})
    said = {
        "string_type": "must be text",
        "string_pattern_mismatch": "must be an amount or a time as text",
        "string_too_long": f"must be text of at most {context.get('max_length')} characters",
        "int_type": "must be a whole number",
        "float_type": "must be a number",
        "finite_number": "must be a finite number",
        "bool_type": "must be true or false",
        "list_type": "must be a list",
        "dict_type": "must be an object",
        "model_type": "must be an object",
        "model_attributes_type": "must be an object",
        "literal_error": f"must be {context.get('expected')}",
        "greater_than_equal": f"must be at least {context.get('ge')}",
        "less_than_equal": f"must be at most {context.get('le')}",
        "less_than": f"must be below {context.get('lt')}",
    }
    return said.get(str(detail["type"]), "must be something else")


def _hint(detail: Mapping[str, Any]) -> str:
    """How to write it; amounts and times are text with a form of their own."""
    form = str(detail.get("ctx", {}).get("pattern", ""))
    name = str(detail["loc"][-1])
    if form and "T" in form:
        return 'write UTC, such as "2026-03-01T00:00:00Z"'
    if form or (detail["type"] == "string_type" and name.endswith(("usd", "per_hour", "month"))):
        return 'write dollars as text, such as "0.0361"'
    return "see trimtab schema plan"


def _misfits(plan: PlanEntry, path: Path) -> Iterator[Fault]:
    """What is well formed and still says nothing: hours that the plan does not have."""
    at = Location(str(path))
    try:
        plan.starts_at  # noqa: B018 - asked for what it raises
    except ValueError:
        yield Fault(at, f"/starts: no calendar has {plan.starts}", "write a day that exists")
    for i, instance in enumerate(plan.instances):
        if (given := len(instance.count_per_hour)) != plan.hours:
            what = f"has {given:,} numbers, the plan {plan.hours:,} hours"
            yield Fault(at, f"/instances/{i}/count_per_hour: {what}", "give one number per hour")
    for i, route in enumerate(plan.routes):
        if route.first_hour + route.hours > plan.hours:
            what = f"holds until hour {route.first_hour + route.hours:,} of {plan.hours:,}"
            yield Fault(at, f"/routes/{i}: {what}", "end it with the plan")
    for i, demand in enumerate(plan.demand):
        for key in ("planned_rps", "mean_rps", "capacity_rps"):
            rates = getattr(demand, key)
            if rates is not None and len(rates) != plan.hours:
                what = f"has {len(rates):,} numbers, the plan {plan.hours:,} hours"
                yield Fault(at, f"/demand/{i}/{key}: {what}", "give one number per hour")


def _unknown_keys(plan: PlanEntry) -> tuple[NotChecked, ...]:
    """Keys that are not read, each kind once: a table names them in every row."""
    seen: dict[str, str] = {}
    for loc, entry in _entries(plan, ()):
        known = [*type(entry).model_fields]
        for key in entry.model_extra or ():
            kind = pointer([*(part for part in loc if isinstance(part, str)), key])
            if kind not in seen and len(seen) < MOST_UNKNOWN_KEYS:
                near = get_close_matches(key[:100], known, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                seen[kind] = f"this version does not know the key {pointer([*loc, key])}{hint}"
    return tuple(NotChecked(kind, why) for kind, why in seen.items())


def _entries(
    entry: BaseModel, loc: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], BaseModel]]:
    yield loc, entry
    for name in type(entry).model_fields:
        value = getattr(entry, name)
        if isinstance(value, BaseModel):
            yield from _entries(value, (*loc, name))
        elif isinstance(value, list) and value and isinstance(value[0], BaseModel):
            for i, item in enumerate(value):
                yield from _entries(item, (*loc, name, i))


def pointer(loc: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901), ``/`` for the whole document."""
    parts = [str(part).replace("~", "~0").replace("/", "~1")[:100] for part in loc]
    return "/" + "/".join(parts)


def _near_key(given: Any, key: str) -> str:
    if not isinstance(given, dict):
        return ""
    unknown = [str(name)[:100] for name in given]
    near = get_close_matches(key, unknown, 1, cutoff=0.75)
    return near[0] if near else ""


def _short(value: Any) -> str:
    """A value in a few words, however large it is."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return json.dumps(value if len(value) <= 40 else f"{value[:37]}...")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**18:
        return "a number that large"
    return json.dumps(value)
