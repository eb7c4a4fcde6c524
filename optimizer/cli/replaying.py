"""The work behind simulate. Heavy: the command imports it when it runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import lcm
from pathlib import Path

import typer

from models.errors import NOWHERE, Fault, FaultyInput, UnusableData
from models.signals import Signals
from models.world import World
from optimizer.cli.exits import ExitCode
from optimizer.cli.finding import find_world
from optimizer.cli.interrupting import interruptible
from optimizer.cli.observing import moment
from optimizer.cli.options import TableFormat
from optimizer.cli.progress import watching
from optimizer.cli.screen import say, stdout_screen
from optimizer.gather import gather
from optimizer.output.json_values import json_text
from optimizer.output.sheets import csv_bytes
from optimizer.output.simulation_files import simulation_files
from optimizer.output.simulation_json import simulation_document, simulation_table
from optimizer.output.simulation_text import simulation_text
from optimizer.output.writing import check_destination, write_folder
from optimizer.rolling.simulated import with_plan
from optimizer.simulate.asked import (
    REQUESTS,
    Asked,
    asked_directly,
    asked_in_all,
    history_signals,
)
from optimizer.simulate.choosing import WHOLE_FLEET, Spec, read_specs
from optimizer.simulate.compare import Compared, swept
from optimizer.simulate.machines import Settings
from optimizer.simulate.planned import planned_prices
from optimizer.simulate.study import Choose, Span, study
from optimizer.verify.reading import read_plan
from optimizer.watch import Watch
from providers.telemetry.store import Store
from scenarios.documents import read_world
from scenarios.faults import Faults, nearest
from scenarios.traces import read_trace

SMOOTH = (
    "demand is known in steps longer than a minute: it is laid on minutes, bursts within steps "
    "are not in it, and all policies look better than they are"
)
MOST_TELEMETRY_DAYS = 400


@dataclass(frozen=True, slots=True)
class Request:
    """What to replay and what to show, as the command line says."""

    policy: str
    trace: Path | None
    telemetry: Path | None
    plan: Path | None
    only: tuple[str, ...]
    starts: str | None
    ends: str | None
    choose: Choose
    seed: int
    lag_s: int
    settings: Settings
    frontier: bool
    services: bool
    out: Path | None
    form: TableFormat
    quiet: bool

    def span(self) -> Span:
        return Span(_moment("--from", self.starts), _moment("--to", self.ends))


def simulate_world(name: str, request: Request) -> ExitCode:
    """Replay the demand of one world; write and show how policies compare."""
    path = find_world(name)
    specs, span = read_specs(request.policy), request.span()
    if request.out is not None:
        check_destination(request.out)
    with watching(request.quiet) as watch:
        world, _ = gather(path, watch)
        _check_names(world, request.only)
        with watch.stage("read demand"):
            asked, source, direct = _asked(world, path, request)
        if asked.smooth:
            watch.warn(SMOOTH)
        found = interruptible(
            lambda: _compared(world, asked, source, direct, specs, span, request, watch)
        )
        if request.out is not None:
            with watch.stage("write the results"):
                write_folder(request.out, simulation_files(found))
    _show(found, request)
    return ExitCode.FINE


def _compared(
    world: World, asked: Asked, source: str, direct: Signals | None, specs: tuple[Spec, ...],
    span: Span, request: Request, watch: Watch,
) -> Compared:  # fmt: skip
    planned = None
    if request.plan is not None:
        planned = planned_prices(world, read_plan(request.plan)[0])
    one_by_one = tuple(spec for spec in specs if spec.kind != WHOLE_FLEET)
    made = study(
        world, asked, source, one_by_one, span=span, settings=request.settings, seed=request.seed,
        lag_s=request.lag_s, choose=request.choose, planned=planned, watch=watch,
    )  # fmt: skip
    if len(one_by_one) < len(specs):
        if direct is None:
            raise UnusableData(
                "telemetry tells what services were asked in all, not what users asked of them: "
                "a plan cannot be played on it\n    → use --trace, or leave out the policy plan"
            )
        share = request.choose.granted or world.policy.unserved_share
        promised = replace(world, policy=replace(world.policy, unserved_share=share))
        made = with_plan(made, promised, direct, lag_s=request.lag_s, watch=watch)
    if not request.frontier:
        return Compared(made)
    lag_s, choose = request.lag_s, request.choose
    return Compared(made, swept(world, made, asked, lag_s=lag_s, choose=choose, watch=watch))


def _asked(world: World, path: Path, request: Request) -> tuple[Asked, str, Signals | None]:
    """What is replayed, where it comes from in words, and what of it users asked themselves, if
    that is known."""
    direct: Signals | None = None
    if request.telemetry is not None:
        asked = asked_in_all(world, _measured(request.telemetry))
        source = f"measured, in {request.telemetry}"
    elif (file := request.trace or _own_trace(path)) is not None:
        direct, source = _traced(world, file, request.only), f"{file}"
        asked = asked_directly(world, direct)
    else:
        direct = history_signals(world)
        asked = asked_directly(world, direct)
        source = world.history.note or "the world's history"
    if not request.only:
        return asked, source, direct
    silent = [name for name in request.only if name not in asked.services]
    if silent:
        raise UnusableData(f"nothing was asked of {', '.join(silent)} in this time")
    return asked.only(request.only), source, direct


def _own_trace(path: Path) -> Path | None:
    """The trace that the world names; ``gather`` has looked whether it is there."""
    document = read_world(path)
    name = document.content.demand.trace
    return None if name is None else document.folder / name


def _traced(world: World, file: Path, only: tuple[str, ...]) -> Signals:
    services = [service.name for service in world.services]
    called = {dependency.callee for dependency in world.dependencies}
    direct = [name for name in services if name not in called]
    alone = only if len(only) == 1 else tuple(direct) if len(direct) == 1 else ()
    faults = Faults()
    origins = [origin.name for origin in world.origins]
    found = read_trace(file, services, origins, alone[0] if alone else None, faults)
    if found is None:
        raise faults.refusal()
    return found


def _measured(folder: Path) -> Signals:
    """All requests that a folder of telemetry holds."""
    store = Store(folder)
    step_s = store.step_s if 60 % store.step_s == 0 else lcm(store.step_s, 60)
    days, until = store.days(), store.measured_until()
    if not days or until is None:
        raise UnusableData(f"{folder} holds nothing yet\n    → trimtab observe fills it")
    first = datetime.combine(days[0], datetime.min.time(), UTC)
    first = max(first, until - timedelta(days=MOST_TELEMETRY_DAYS))
    return store.read(first, until, step_s=step_s, signals=[REQUESTS])


def _check_names(world: World, only: tuple[str, ...]) -> None:
    known = [service.name for service in world.services]
    faults = [
        Fault(NOWHERE, f"no service is called {name!r}", nearest(name, known))
        for name in only
        if name not in known
    ]
    if faults:
        raise FaultyInput(faults)


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return moment(text)
    except typer.BadParameter as error:
        raise FaultyInput([Fault(NOWHERE, f"{option}: {error.message}")]) from error


def _show(found: Compared, request: Request) -> None:
    match request.form:
        case TableFormat.JSON:
            say(json_text(simulation_document(found)))
        case TableFormat.CSV:
            say(csv_bytes(simulation_table(found)).decode())
        case TableFormat.TABLE if not request.quiet:
            screen = stdout_screen()
            say(simulation_text(found, request.services, screen.width, screen.colour))
            if request.out is not None:
                more = " and frontier.csv" if found.sweep is not None else ""
                files = f"simulation.html, simulation.json, simulation.csv{more}"
                say(f"Written to {request.out}: {files}.")
