"""The work behind foresee. Heavy: the command imports it when it runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from models.errors import UnusableData
from models.inventory import Quota
from models.signals import Signals
from optimizer.anomalies.detect import detect
from optimizer.cli.exits import ExitCode
from optimizer.cli.finding import find_world
from optimizer.cli.interrupting import interruptible
from optimizer.cli.options import TableFormat
from optimizer.cli.progress import watching
from optimizer.cli.screen import say, stdout_screen
from optimizer.foresight.exhaustion import KEPT_DAYS
from optimizer.foresight.foresee import HOUR_S, foresee
from optimizer.gather import gather
from optimizer.output.foresight_json import foresight_document, foresight_table
from optimizer.output.foresight_text import foresight_text
from optimizer.output.json_values import json_text
from optimizer.output.sheets import csv_bytes
from optimizer.watch import Watch
from providers.snapshots.reading import snapshots_in
from providers.telemetry.store import Store


@dataclass(frozen=True, slots=True)
class Asked:
    """What to foresee and what to show, as the command line says. ``at`` None: the end."""

    telemetry: Path
    horizon: timedelta
    at: datetime | None
    least: float
    snapshots: Path | None
    form: TableFormat
    quiet: bool


def foresee_world(name: str, asked: Asked) -> ExitCode:
    """Foresee one world from what was measured of it, and show what is likely."""
    path = find_world(name)
    with watching(asked.quiet) as watch:
        world, _ = gather(path, watch)
        with watch.stage("read signals"):
            signals = _signals(Store(asked.telemetry), asked.at)
        quotas = [] if asked.snapshots is None else _quotas(asked.snapshots, watch)
        known = {service.name for service in world.services}
        if strangers := sorted({key.service for key in signals.keys} - known):
            some = ", ".join(map(repr, strangers[:3]))
            watch.warn(f"signals of {len(strangers)} services that the world lacks, such as {some}")

        with watch.stage("look for anomalies"):
            anomalies = detect(signals)
        found = interruptible(
            lambda: foresee(
                world, signals, asked.horizon, anomalies=anomalies, quotas=quotas, watch=watch
            )
        )
    match asked.form:
        case TableFormat.JSON:
            say(json_text(foresight_document(world, found, asked.least)))
        case TableFormat.CSV:
            say(csv_bytes(foresight_table(found, asked.least)).decode())
        case TableFormat.TABLE if not asked.quiet:
            screen = stdout_screen()
            say(foresight_text(world, found, asked.least, screen.width, screen.colour))
    return ExitCode.FINE


def _signals(store: Store, at: datetime | None) -> Signals:
    """The hours of the last weeks before ``at``, whole ones only."""
    until = store.measured_until()
    if until is None:
        raise UnusableData(f"{store.folder} holds no signals\n    → trimtab observe reads them")
    ends = (until if at is None else at).replace(minute=0, second=0, microsecond=0)
    if ends > until:
        raise UnusableData(
            f"--at {ends:%Y-%m-%d %H:%M} UTC: {store.folder} holds nothing after "
            f"{until:%Y-%m-%d %H:%M} UTC\n    → without --at, all is seen as it was then"
        )
    signals = store.read(ends - timedelta(days=KEPT_DAYS), ends, step_s=HOUR_S)
    if not signals.keys:
        raise UnusableData(f"{store.folder} holds nothing of the {KEPT_DAYS} days before {ends}")
    return signals


def _quotas(folder: Path, watch: Watch) -> list[tuple[datetime, Quota]]:
    found = [
        (snapshot.manifest.taken_at, quota)
        for snapshot in snapshots_in(folder, watch.warn)
        for quota in snapshot.rows(Quota)
    ]
    if not found:
        raise UnusableData(f"{folder} holds no snapshot with quotas\n    → trimtab collect")
    return found
