"""The work behind forecast. Heavy: the command imports it when it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from optimizer.cli.exits import ExitCode
from optimizer.cli.finding import find_scenarios, find_world
from optimizer.cli.interrupting import interruptible
from optimizer.cli.options import TableFormat
from optimizer.cli.progress import watching
from optimizer.cli.screen import say, stdout_screen
from optimizer.cli.solving import whatifs_of
from optimizer.executor.seam import Executor
from optimizer.expectations import Expectations, expect
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
        if out is not None:
            with watch.stage("write the results"):
                written = forecast_files(found)
                write_folder(out, written)
    _show(found, asked)
    if out is not None and not asked.quiet and asked.form is TableFormat.TABLE:
        say(f"Written to {out}: {listed(sorted(written))}.")
    return ExitCode.FINE


def _show(found: Expectations, asked: Asked) -> None:
    match asked.form:
        case TableFormat.JSON:
            say(json_text(forecast_document(found)))
        case TableFormat.CSV:
            say(csv_bytes(quantiles_table(found.forecast)).decode())
        case TableFormat.TABLE if not asked.quiet:
            screen = stdout_screen()
            say(forecast_text(found, screen.width, screen.colour))
