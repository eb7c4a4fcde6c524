"""Telemetry files: read and checked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from models.errors import Location, SourceFailed, raise_alone
from models.labels import cleaned
from models.measured import COUNTERS
from models.signals import SIGNALS
from scenarios.credentials import check_address, refuse_secrets
from scenarios.documents import check_version
from scenarios.faults import Faults
from scenarios.lines import Listed, Mapped, line_at, read_yaml
from scenarios.schema import DIALECT
from scenarios.telemetry_entries import NamesEntry, PrometheusEntry, SecretEntry, TelemetryFile

KINDS: Final = ("prometheus", "files", "snapshots")
_NO_SECRETS: Final = "write where it is found: bearer_from: {env: NAME} or {file: NAME}"
_PLACES_OF_SECRETS: Final = ("bearer_from", "password_from")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOUR_S: Final = 3600


@dataclass(frozen=True, eq=False)
class Telemetry:
    """A telemetry file without faults."""

    path: Path
    content: TelemetryFile
    data: Mapped

    @property
    def folder(self) -> Path:
        return self.path.parent

    def at(self, *path: str | int) -> Location:
        """Where the node on ``path`` stands."""
        return Location(str(self.path), line_at(self.data, path))


def read_telemetry(path: Path) -> Telemetry:
    """Read a telemetry file; raises ``FaultyInput`` with every fault of it."""
    data = read_yaml(path)
    check_version(path, data, "telemetry", {"world", "scenario", "changes", "pods", "collect"})
    faults = Faults()
    _refuse_secrets_in_their_places(data, str(path), faults)
    refuse_secrets(data, str(path), faults, _NO_SECRETS)
    try:
        content = TelemetryFile.model_validate(data)
    except ValidationError as error:
        faults.add_all(error, TelemetryFile, data, str(path))
        raise_alone(faults.refusal())  # the error repeats what was given
    telemetry = Telemetry(path, content, data)
    _check_times(telemetry, faults)
    _check_sources(telemetry, faults)
    if faults.count:
        raise faults.refusal()
    return telemetry


def telemetry_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of telemetry files."""
    schema = TelemetryFile.model_json_schema()
    return {"$schema": DIALECT, **schema, "title": "trimtab telemetry"}


def _refuse_secrets_in_their_places(node: Any, file: str, faults: Faults) -> None:
    """Where it should say where a secret is found, the secret itself is not repeated."""
    for holder, key in list(_places_of_secrets(node)):
        value = holder[key]
        name = value.get("env") if isinstance(value, Mapped) else None
        plausible = isinstance(name, str) and len(name) <= 200 and _VARIABLE.fullmatch(name)
        if isinstance(value, Mapped) and (name is None or plausible):
            continue
        at = Location(file, line_at(holder, (key,)))
        if isinstance(value, Mapped):
            faults.add(at, f"{key}.env is no name of an environment variable", "such as TOKEN")
        else:
            faults.add(at, f"{key} does not say where the secret is found", _NO_SECRETS)
        replaced = Mapped(holder.line)  # something valid, so that nothing else is said of it
        replaced["env"] = "X"
        holder[key] = replaced


def _places_of_secrets(node: Any) -> Iterator[tuple[Mapped, str]]:
    if isinstance(node, Mapped):
        for key, value in node.items():
            if key in _PLACES_OF_SECRETS:
                yield node, key
            elif key == "headers_from" and isinstance(value, Mapped):
                yield from ((value, name) for name in value)
            else:
                yield from _places_of_secrets(value)
    elif isinstance(node, Listed):
        for item in node:
            yield from _places_of_secrets(item)


def _check_times(telemetry: Telemetry, faults: Faults) -> None:
    content = telemetry.content
    if _HOUR_S % content.step_s:
        fitting = [s for s in range(1, _HOUR_S + 1) if _HOUR_S % s == 0]
        near = min(fitting, key=lambda s: abs(s - content.step_s))
        message = f"an hour is not a whole number of steps of {content.step_s} s"
        faults.add(telemetry.at("step_s"), message, f"did you mean {near}?")
    after = content.hours_after_days
    if after is not None and after >= content.keep_days:
        message = f"after {content.keep_days} days nothing is kept, by the hour or otherwise"
        hint = "give hours_after_days less than keep_days"
        faults.add(telemetry.at("hours_after_days"), message, hint)


def _check_sources(telemetry: Telemetry, faults: Faults) -> None:
    names: set[str] = set()
    for i, source in enumerate(telemetry.content.sources):
        if source.name in names:
            at = telemetry.at("sources", i, "name")
            faults.add(at, f"two sources are called {source.name!r}", "rename one")
        names.add(source.name)
        given = [kind for kind in KINDS if getattr(source, kind) is not None]
        if len(given) != 1:
            what = f"is {' and '.join(given)} at once" if given else "says nothing of what it is"
            hint = f"give one of: {', '.join(KINDS)}"
            faults.add(telemetry.at("sources", i), f"the source {source.name!r} {what}", hint)
        if source.prometheus is not None:
            _check_server(telemetry, source.prometheus, i, faults)


def _check_server(telemetry: Telemetry, entry: PrometheusEntry, i: int, faults: Faults) -> None:
    path = ("sources", i, "prometheus")
    secrets = {
        "bearer_from": entry.bearer_from,
        "basic.password_from": None if entry.basic is None else entry.basic.password_from,
        **{f"headers_from.{name}": one for name, one in entry.headers_from.items()},
    }
    given = {name: one for name, one in secrets.items() if one is not None}
    url = telemetry.at(*path, "url")
    check_address(entry.url, "url", url, faults, secret=bool(given))
    if re.search(r"/api/v1/?$", entry.url):
        faults.add(url, "url names the API itself", "leave out /api/v1")
    for name, one in given.items():
        if (one.env is None) == (one.file is None):
            at = telemetry.at(*path, *name.split("."))
            faults.add(at, f"{name} names one place, env or file", "give one of them")
    if entry.bearer_from is not None and entry.basic is not None:
        faults.add(telemetry.at(*path, "basic"), "a bearer token and a password", "give one")
    if not entry.presets and not entry.queries:
        message, hint = "nothing is asked of the server", "give presets, queries, or both"
        faults.add(telemetry.at(*path), message, hint)
    for k, preset in enumerate(entry.presets):
        if preset.metrics != "http" and preset.preset != "http":
            at = telemetry.at(*path, "presets", k, "metrics")
            faults.add(at, f"{preset.preset} has metrics of its own names", "remove 'metrics'")
    known = (*SIGNALS, *COUNTERS)
    for k, query in enumerate(entry.queries):
        if query.signal not in known:
            faults.unknown(
                telemetry.at(*path, "queries", k, "signal"), "signal", query.signal, known
            )
            continue
        if query.signal in COUNTERS and re.search(r"[()\[\]]", _unquoted(query.query)):
            at = telemetry.at(*path, "queries", k, "query")
            hint = f"give a plain selector, or rate() for {COUNTERS[query.signal].signal}"
            faults.add(at, f"{query.signal} is read from samples as they are", hint)


def _unquoted(query: str) -> str:
    """PromQL without its quoted strings."""
    return re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`', "", query)


def secret_of(place: SecretEntry, folder: Path, what: str, source: str) -> str:
    """The secret that is found there; raises ``SourceFailed``, which repeats nothing of it."""
    if place.env is not None:
        found = os.environ.get(place.env, "")
        why = f"the environment variable that {what} names is not set"
    else:
        try:
            found = (folder / str(place.file)).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            found = ""
        why = f"the file that {what} names cannot be read, or is empty"
    if not found:
        raise SourceFailed(source, why, "see where the secret is kept", altogether=True)
    if not found.isascii() or not found.isprintable():
        why = f"what {what} names holds characters that no header can carry"
        raise SourceFailed(source, why, "see where the secret is kept", altogether=True)
    return found


@dataclass(frozen=True, slots=True)
class Named:
    """What the labels of a series name; empty: nothing."""

    service: str
    origin: str
    instance: str
    callee: str


def named_by(
    names: NamesEntry, labels: Mapping[str, str], service_label: str = "", instance_label: str = ""
) -> Named:
    """What ``labels`` name: by the first rule that matches, else by the first label that is there;
    the labels given beside ``names`` come last.
    """
    service = next(
        (
            rule.service
            for rule in names.rules
            if all(fnmatchcase(labels.get(key, ""), value) for key, value in rule.labels.items())
        ),
        "",
    )
    return Named(
        service or _first(labels, *names.labels, service_label),
        _first(labels, *names.origin_labels),
        _first(labels, *names.instance_labels, instance_label),
        _first(labels, *names.callee_labels),
    )


def _first(labels: Mapping[str, str], *keys: str) -> str:
    return next((found for key in keys if (found := cleaned(labels.get(key, "")))), "")
