"""The work behind collect, diff and doctor. Heavy: the commands import it when they run."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from models.cloud_errors import CloudFailed
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
from optimizer.output.json_values import Document, json_text, utc_text
from optimizer.output.snapshot_text import differences_text, findings_text, snapshot_text
from providers.seam import Finding, Provider, Reading, Severity, Window
from providers.snapshots.reading import Snapshot, snapshots_in
from scenarios.collecting import CLOUDS, Collection, read_collection


def collect_clouds(path: Path, out: Path, form: Format, *, fresh: bool, quiet: bool) -> ExitCode:
    """Write a snapshot, and show what it has."""
    collection = read_collection(path)
    request = _request(collection, out)
    former = _newest(out, request)
    with watching(quiet) as watch:
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


def _newest(out: Path, request: Request) -> Snapshot | None:
    """The newest snapshot in a folder; a folder is for snapshots of one collection."""
    found = snapshots_in(out)
    if found and found[-1].manifest.name != request.name:
        name = found[-1].manifest.name
        message = f"{out} holds snapshots of {name!r}, not of {request.name!r}"
        raise FaultyInput([Fault(NOWHERE, message, "choose another folder with --out")])
    return found[-1] if found else None


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
    old, new = _two(before, after)
    found = differences(old, new)
    taken = old.manifest.taken_at, new.manifest.taken_at
    if form is Format.JSON:
        say(json_text(_document(found, *taken)))
    else:
        screen = stdout_screen()
        say(differences_text(found, *taken, screen.width, screen.colour))
    return ExitCode.FINE


def _two(before: Path, after: Path | None) -> tuple[Snapshot, Snapshot]:
    first = snapshots_in(before)
    if after is None:
        if len(first) < 2:
            message = f"{before} holds {len(first)} snapshot(s), two are needed"
            hint = "collect again, or name two snapshots"
            raise FaultyInput([Fault(NOWHERE, message, hint)])
        return first[-2], first[-1]
    second = snapshots_in(after)
    for path, found in ((before, first), (after, second)):
        if not found:
            hint = "make one with: trimtab collect"
            raise FaultyInput([Fault(NOWHERE, f"{path} holds no snapshot", hint)])
    return first[-1], second[-1]


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


def examine(path: Path, form: Format) -> ExitCode:
    """Show what keeps a collection from being whole."""
    collection = read_collection(path)
    providers = providers_of(collection, find_world)
    findings = interruptible(lambda: [one for each in providers for one in _findings(each)])
    if form is Format.JSON:
        say(
            json_text({"format": "trimtab-findings", "findings": [asdict(one) for one in findings]})
        )
    else:
        screen = stdout_screen()
        say(findings_text(findings, screen.width, screen.colour))
    bad = any(one.severity is Severity.FAILED for one in findings)
    return ExitCode.PARTLY if bad else ExitCode.FINE


def _findings(provider: Provider) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(provider.doctor.findings())
    except CloudFailed as error:
        found.append(
            Finding(
                provider.cloud,
                error.asked.operation,
                Severity.FAILED,
                f"{error.code}: {error.said}",
                error.next_step,
            )
        )
    return found
