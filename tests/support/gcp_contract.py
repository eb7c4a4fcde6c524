"""Google's own contract: which calls there are, and what may stand in them.

Read from the discovery documents that Google publishes and ``google-api-python-client`` ships.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

DOCUMENTS: Final = ("compute.v1", "cloudbilling.v1")
_ALWAYS: Final = {"$alt"}
"""What Google's clients add to every address, and documents leave out."""


class Refused(Exception):
    """A call that Google's contract does not have; the text says why."""


@dataclass(frozen=True)
class Call:
    """A call that is within the contract. ``verb``: Google's id, such as compute.instances.list."""

    verb: str
    path: dict[str, str]
    query: dict[str, str]
    body: dict[str, Any]
    answers: str


@dataclass(frozen=True)
class _Route:
    pattern: re.Pattern[str]
    verb: str
    parameters: dict[str, Any]
    takes: str
    answers: str


class Contract:
    """One discovery document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.schemas: dict[str, Any] = document["schemas"]
        self.everywhere = set(document["parameters"]) | _ALWAYS
        base = urlsplit(document["baseUrl"]).path
        self._routes: dict[tuple[str, int], list[_Route]] = {}
        self._add(document["resources"], base)

    def _add(self, resources: dict[str, Any], base: str) -> None:
        for resource in resources.values():
            for method in resource.get("methods", {}).values():
                self._add_method(method, base)
            self._add(resource.get("resources", {}), base)

    def _add_method(self, method: dict[str, Any], base: str) -> None:
        path = base + method["path"]
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))
        for name in re.findall(r"\{\+(\w+)\}", path):
            inside = method["parameters"][name]["pattern"].strip("^$")
            pattern = pattern.replace(re.escape(f"{{+{name}}}"), f"(?P<{name}>{inside})")
        route = _Route(
            re.compile(pattern), method["id"], method["parameters"],
            method.get("request", {}).get("$ref", ""), method.get("response", {}).get("$ref", ""),
        )  # fmt: skip
        self._routes.setdefault((method["httpMethod"], 0), []).append(route)

    def call(self, verb: str, target: str, body: bytes) -> Call | None:
        """The call that a request is; None where this document has no such path."""
        address = urlsplit(target)
        for route in self._routes.get((verb, 0), ()):
            match = route.pattern.fullmatch(address.path)
            if match is not None:
                path = {name: unquote(value) for name, value in match.groupdict().items()}
                query = dict(parse_qsl(address.query, keep_blank_values=True))
                self._check_parameters(route, path, query)
                content = json.loads(body) if body else {}
                if content and not route.takes:
                    raise Refused(f"{route.verb} takes no body")
                if route.takes:
                    self.check({"$ref": route.takes}, content, route.takes)
                return Call(route.verb, path, query, content, route.answers)
        return None

    def _check_parameters(self, route: _Route, path: dict[str, str], query: dict[str, str]) -> None:
        for name, value in {**path, **query}.items():
            known = route.parameters.get(name)
            if known is None:
                if name not in self.everywhere:
                    raise Refused(f"{route.verb} has no parameter {name}")
                continue
            if (known["location"] == "path") != (name in path):
                raise Refused(f"{route.verb}: {name} stands in the wrong place")
            if known["type"] == "integer" and not re.fullmatch(r"-?\d+", value):
                raise Refused(f"{route.verb}: {name} is no number: {value}")
            if "pattern" in known and not re.search(known["pattern"], value):
                raise Refused(f"{route.verb}: {name} is no such name: {value}")
        for name, known in route.parameters.items():
            if known.get("required") and name not in path and name not in query:
                raise Refused(f"{route.verb} needs {name}")

    def check(self, schema: dict[str, Any], value: Any, at: str) -> None:
        """Refuse a value that the schema does not have; None takes things away."""
        if value is None:
            return
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        kind = schema.get("type")
        if kind == "object":
            if not isinstance(value, dict):
                raise Refused(f"{at} is no object")
            for name, inside in value.items():
                known = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
                if known is None:
                    raise Refused(f"{at} has no field {name}")
                self.check(known, inside, f"{at}.{name}")
        elif kind == "array":
            if not isinstance(value, list):
                raise Refused(f"{at} is no list")
            for item in value:
                self.check(schema["items"], item, f"{at}[]")
        elif not _fits(schema, value):
            raise Refused(f"{at} cannot be {value!r}")


def _fits(schema: dict[str, Any], value: Any) -> bool:
    if "enum" in schema and value not in schema["enum"]:
        return False
    match schema["type"]:
        case "string" if schema.get("format") in ("int64", "uint64"):
            # The parser of Google's servers takes numbers for them as well.
            return isinstance(value, int) or re.fullmatch(r"-?\d+", str(value)) is not None
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case _:
            return True


@cache
def contracts() -> tuple[Contract, ...]:
    folder = files("googleapiclient.discovery_cache") / "documents"
    return tuple(
        Contract(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))
        for name in DOCUMENTS
    )


def call_of(verb: str, target: str, body: bytes) -> tuple[Contract, Call]:
    """What a request asks, by any of the documents; raises ``Refused``."""
    for contract in contracts():
        call = contract.call(verb, target, body)
        if call is not None:
            return contract, call
    raise Refused(f"there is no {verb} {urlsplit(target).path}")
