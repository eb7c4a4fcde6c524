"""The work behind collect, diff and doctor. Heavy: the commands import it when they run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from models.errors import NOWHERE, Fault, FaultyInput
from optimizer.cli.exits import ExitCode
from optimizer.cli.finding import find_world
from optimizer.cli.interrupting import interruptible
from optimizer.cli.options import Format
from optimizer.cli.progress import watching
from optimizer.cli.screen import say, stdout_screen
from optimizer.clouds import providers_of
from optimizer.collect import Limits, Request, collect
from optimizer.differences import Differences, differences
from optimizer.examine import examine
from optimizer.output.json_values import Document, json_text, utc_text
from optimizer.output.snapshot_text import differences_text, finding_text, snapshot_text
from optimizer.watch import Watch
from providers.seam import Finding, Reading, Severity, Window
from providers.snapshots.reading import Snapshot, is_snapshot, newest_in, newest_of, snapshots_in
from providers.snapshots.writing import abandon
from scenarios.collecting import CLOUDS, Collection, read_collection


def collect_clouds(path: Path, out: Path, form: Format, *, fresh: bool, quiet: bool) -> ExitCode:
    """Write a snapshot, and show what it has."""
    collection = read_collection(path)
    request = _request(collection, out)
    _check_folder(out)
    with watching(quiet) as watch, leaving_nothing():
        former = _former(out, request, watch)
        providers = providers_of(collection, find_world)
        asked = None if fresh else former
        snapshot = interruptible(lambda: collect(providers, request, asked, watch))
    manifest = snapshot.manifest
    if form is Format.JSON:
        say(manifest.text())
    elif not quiet:
        screen = stdout_screen()
        say(snapshot_text(manifest, screen.width, screen.colour))
        say(f"Written to {snapshot.folder}.")
    return ExitCode.PARTLY if manifest.faulty else ExitCode.FINE


def _check_folder(out: Path) -> None:
    """Refuse what cannot be a folder of snapshots."""
    if is_snapshot(out):
        message, hint = f"{out} is a snapshot itself", "name the folder that holds it with --out"
    elif out.exists() and not out.is_dir():
        message, hint = f"{out} is a file", "choose a folder with --out"
    else:
        return
    raise FaultyInput([Fault(NOWHERE, message, hint)])


def _former(out: Path, request: Request, watch: Watch) -> Snapshot | None:
    """The newest snapshot in a folder; a folder is for snapshots of one collection."""
    found = snapshots_in(out, watch.warn)
    others = {one.manifest.name for one in found} - {request.name}
    if others:
        names = ", ".join(map(repr, sorted(others)[:3]))
        message = f"{out} holds snapshots of {names}, not of {request.name!r}"
        raise FaultyInput([Fault(NOWHERE, message, "choose another folder with --out")])
    return next(iter(newest_of(found, 1, watch.warn)), None)


@contextmanager
def leaving_nothing() -> Iterator[None]:
    """Nothing half written stays when the run is ended by Ctrl-C or by SIGTERM."""

    def end(number: int, _: object) -> None:
        abandon()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        abandon()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _request(collection: Collection, out: Path) -> Request:
    content = collection.content
    kept = {
        Reading.INSTANCE_TYPES: content.keep.instance_types_hours,
        Reading.PRICES: content.keep.prices_hours,
    }
    limits = Limits(content.limits.at_once, content.limits.deadline_s, kept)
    window = None
    if content.metrics is not None:
        step = timedelta(minutes=content.metrics.step_minutes)
        now = datetime.now(UTC)
        ends = now - (now - datetime.min.replace(tzinfo=UTC)) % step
        window = Window(
            ends - timedelta(days=content.metrics.days), ends, int(step.total_seconds())
        )
    named = content.model_dump_json(include=set(CLOUDS))
    source = sha256(named.encode()).hexdigest()
    return Request(content.collect, out, limits, window, collection.service_of, source)


def compare_snapshots(before: Path, after: Path | None, form: Format) -> ExitCode:
    """Show what changed."""
    with watching(quiet=False) as watch:
        old, new = _two(before, after, watch)
        found = differences(old, new)
    taken = old.manifest.taken_at, new.manifest.taken_at
    if form is Format.JSON:
        say(json_text(_document(found, *taken)))
    else:
        screen = stdout_screen()
        say(differences_text(found, *taken, screen.width, screen.colour))
    return ExitCode.FINE


def _two(before: Path, after: Path | None, watch: Watch) -> tuple[Snapshot, Snapshot]:
    if after is None:
        found = newest_in(before, watch.warn, 2)
        if len(found) < 2:
            message = f"{before} holds {len(found)} snapshot(s) that can be used, two are needed"
            hint = "collect again, or name two snapshots"
            raise FaultyInput([Fault(NOWHERE, message, hint)])
        return found[0], found[1]
    newest = {path: newest_in(path, watch.warn) for path in (before, after)}
    for path, found in newest.items():
        if not found:
            message, hint = (
                f"{path} holds no snapshot that can be used",
                "trimtab collect makes one",
            )
            raise FaultyInput([Fault(NOWHERE, message, hint)])
    return newest[before][0], newest[after][0]


def _document(found: Differences, before: datetime, after: datetime) -> Document:
    return {
        "format": "trimtab-differences",
        "before": utc_text(before),
        "after": utc_text(after),
        "changes": [
            {
                "table": change.table,
                "key": list(change.key),
                "what": change.what,
                "fields": [[name, str(old), str(new)] for name, old, new in change.fields],
            }
            for change in found.changes
        ],
        "not_compared": [
            {"scope": str(part.scope), "reading": part.reading, "why": part.why}
            for part in found.unknown
        ],
    }


def doctor_clouds(path: Path, form: Format, deadline_s: float) -> ExitCode:
    """Show what keeps a collection from being whole, as it is found."""
    collection = read_collection(path)
    providers = providers_of(collection, find_world)
    screen = stdout_screen()
    found: list[Finding] = []
    for one in examine(providers, deadline_s):
        found.append(one)
        if form is not Format.JSON:
            say(finding_text(one, screen.width, screen.colour))
    if form is Format.JSON:
        clouds = [provider.cloud for provider in providers]
        found.sort(key=lambda one: clouds.index(one.cloud))
        say(json_text({"format": "trimtab-findings", "findings": [asdict(one) for one in found]}))
    bad = any(one.severity is Severity.FAILED for one in found)
    return ExitCode.PARTLY if bad else ExitCode.FINE
