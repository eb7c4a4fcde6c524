"""The work behind verify. Heavy: the command imports it when it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.placement import Bill
from models.world import World
from optimizer import late
from optimizer.cli.exits import ExitCode
from optimizer.cli.finding import find_scenarios, find_world
from optimizer.cli.interrupting import interruptible
from optimizer.cli.options import Format
from optimizer.cli.progress import watching
from optimizer.cli.screen import say, stdout_screen
from optimizer.cli.solving import whatifs_of
from optimizer.gather import gather
from optimizer.output.json_values import json_text
from optimizer.output.verify_json import verification_document
from optimizer.output.verify_text import verification_text
from optimizer.rebound import SolveAgain
from optimizer.today import look_at_today
from optimizer.verify.case import Demand
from optimizer.verify.findings import Verification
from optimizer.verify.reading import read_plan
from optimizer.verify.verify import verify


@dataclass(frozen=True, slots=True)
class Request:
    """How to derive the bound (``backend`` None: not at all) and what to show."""

    backend: str | None
    time_limit_s: float | None
    form: Format
    quiet: bool

    def bound_for(self, world: World) -> SolveAgain | None:
        if self.backend is None:
            return None
        limit = world.policy.time_limit_s if self.time_limit_s is None else self.time_limit_s
        return SolveAgain(late.backend(self.backend), limit)


def verify_plan(path: Path, name: str, scenario: str | None, request: Request) -> ExitCode:
    """Check the plan in ``path`` in a world, as it is or under a what-if, and show what holds."""
    where = find_world(name)
    files = find_scenarios([scenario], where) if scenario is not None else ()
    with watching(request.quiet) as watch:
        read_plan(path)  # its faults first: they do not need the world
        world, catalogue = gather(where, watch)
        for _, changed in whatifs_of(files, world, catalogue):
            world = changed
        bound = request.bound_for(world)
        found = interruptible(lambda: verify(path, world, _todays_bill, bound, watch))
    _show(found, request)
    return ExitCode.FINE if found.holds else ExitCode.NOT_VERIFIED


def _todays_bill(world: World, demand: Demand) -> Bill:
    look = look_at_today(world, demand.total_rps, demand.direct_rps, demand.outlook)
    return look.bill


def _show(found: Verification, request: Request) -> None:
    if request.form is Format.JSON:
        say(json_text(verification_document(found)))
    elif not request.quiet:
        screen = stdout_screen()
        say(verification_text(found, screen.width, screen.colour))
