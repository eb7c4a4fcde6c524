"""The work behind forecast. Heavy: the command imports it when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from math import lcm
from pathlib import Path
from typing import Final

import numpy as np

from models.errors import UnusableData
from models.signals import Signals
from models.world import World
from optimizer.cli.exits import ExitCode
from optimizer.cli.finding import find_scenarios, find_world
from optimizer.cli.interrupting import interruptible
from optimizer.cli.options import TableFormat
from optimizer.cli.progress import watching
from optimizer.cli.screen import say, stdout_screen
from optimizer.cli.solving import whatifs_of
from optimizer.executor.seam import Executor
from optimizer.expectations import Expectations, expect, expect_soon
from optimizer.forecast.short import MOST_STEPS
from optimizer.gather import gather
from optimizer.late import executor
from optimizer.output.files import forecast_files
from optimizer.output.forecast_json import forecast_document, quantiles_table
from optimizer.output.forecast_text import forecast_text
from optimizer.output.json_values import json_text
from optimizer.output.sheets import csv_bytes
from optimizer.output.writing import check_destination, write_folder
from optimizer.report.wording import listed
from optimizer.watch import Watch
from providers.telemetry.demand import requests_in
from providers.telemetry.store import Store

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
SOON_LEARNT: Final = timedelta(days=22)
"""Two weeks of errors, and a week before the first of them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to foresee and what to show, as the command line says. ``hours`` None: the world's;
    ``track`` 0: no days.
    """

    scenario: str | None
    hours: int | None
    track: int
    plot: bool
    out: Path | None
    form: TableFormat
    quiet: bool
    workers: int
    dask: str | None

    def folder(self, world: str) -> Path | None:
        """Where results go; None: nowhere."""
        if self.out is None and self.plot:
            return Path(f"{world}-forecast")
        return self.out

    def executor(self, watch: Watch) -> Executor:
        """Who does the work."""
        if self.dask is None:
            return executor(self.workers)
        with watch.stage(f"connect to {self.dask}"):
            return executor(dask=self.dask)


@dataclass(frozen=True, slots=True)
class Soon:
    """Which telemetry to foresee, by which ``step`` (None: its own), and how far ``ahead``."""

    folder: Path
    step: timedelta | None
    ahead: timedelta


def forecast_world(name: str, asked: Asked) -> ExitCode:
    """Foresee one world, as it is or under a what-if; write and show what is expected."""
    path = find_world(name)
    files = find_scenarios([asked.scenario], path) if asked.scenario is not None else ()
    if asked.out is not None:
        check_destination(asked.out)
    with watching(asked.quiet) as watch, asked.executor(watch) as workers:
        world, catalogue = gather(path, watch)
        for _, changed in whatifs_of(files, world, catalogue):
            world = changed
        out = asked.folder(world.name)
        if out is not None:
            check_destination(out)
        hours = asked.hours or world.policy.horizon_hours
        found = interruptible(
            lambda: expect(world, hours, track_days=asked.track, executor=workers, watch=watch)
        )
        written = {} if out is None else forecast_files(found)
        if out is not None:
            with watch.stage("write the results"):
                write_folder(out, written)
    _tell(found, asked, out, written)
    return ExitCode.FINE


def forecast_soon(name: str, asked: Asked, soon: Soon) -> ExitCode:
    """Foresee the next minutes of what telemetry has of a world's services."""
    path = find_world(name)
    with watching(asked.quiet) as watch, asked.executor(watch) as workers:
        world, _ = gather(path, watch)
        out = asked.folder(world.name)
        if out is not None:
            check_destination(out)
        store = Store(soon.folder)
        requests, steps = _requests(world, store, soon)
        found = interruptible(
            lambda: expect_soon(world, store.name, requests, steps, executor=workers, watch=watch)
        )
        written = {} if out is None else forecast_files(found)
        if out is not None:
            write_folder(out, written)
    _tell(found, asked, out, written)
    return ExitCode.FINE


def _requests(world: World, store: Store, soon: Soon) -> tuple[Signals, int]:
    """What was asked of the world's services until now, and how many steps to foresee."""
    until = store.measured_until()
    if until is None:
        raise UnusableData(f"{store.folder} holds no signals\n    → trimtab observe reads them")
    kept = timedelta(seconds=store.step_s)
    step = soon.step or (kept if kept >= MINUTE else lcm(store.step_s, 60) * SECOND)
    if step < MINUTE or step % kept or timedelta(days=1) % step:
        raise UnusableData(
            f"--step {step / SECOND:g}s: a minute at least, whole steps of the telemetry "
            f"({store.step_s} s), and a whole number of them in a day"
        )
    steps = soon.ahead // step
    if not 1 <= steps <= MOST_STEPS:
        raise UnusableData(f"--ahead: between 1 and {MOST_STEPS} periods of {step / MINUTE:g} min")
    midnight = until.replace(hour=0, minute=0, second=0, microsecond=0)
    ends = midnight + (until - midnight) // step * step
    known = requests_in(store, ends - SOON_LEARNT, ends, step // SECOND)
    services = {service.name for service in world.services}
    rows = [
        i for i, key in enumerate(known.keys)
        if key.service in services and not np.isnan(known.values[i]).all()
    ]  # fmt: skip
    if not rows:
        raise UnusableData(
            f"{store.folder} has no requests of {world.name}'s services in the "
            f"{SOON_LEARNT.days} days before {ends:%Y-%m-%d %H:%M} UTC"
        )
    keys = tuple(known.keys[i] for i in rows)
    return replace(known, keys=keys, values=known.values[rows]), steps


def _tell(
    found: Expectations, asked: Asked, out: Path | None, written: Mapping[str, bytes]
) -> None:
    _show(found, asked)
    if out is not None and not asked.quiet and asked.form is TableFormat.TABLE:
        say(f"Written to {out}: {listed(sorted(written))}.")


def _show(found: Expectations, asked: Asked) -> None:
    match asked.form:
        case TableFormat.JSON:
            say(json_text(forecast_document(found)))
        case TableFormat.CSV:
            say(csv_bytes(quantiles_table(found.forecast)).decode())
        case TableFormat.TABLE if not asked.quiet:
            screen = stdout_screen()
            say(forecast_text(found, screen.width, screen.colour))
