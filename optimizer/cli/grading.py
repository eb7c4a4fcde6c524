"""The work behind grade. Heavy: the command imports it when it runs."""

from __future__ import annotations

from models.errors import Fault, FaultyInput
from models.plan import Plan
from models.world import World
from optimizer.cli.exits import ExitCode
from optimizer.cli.finding import find_world
from optimizer.cli.options import TableFormat
from optimizer.cli.progress import watching
from optimizer.cli.screen import say, stdout_screen
from optimizer.cli.solving import Request
from optimizer.gather import gather
from optimizer.grade import Grade, grade, graded_world
from optimizer.output.files import grade_files
from optimizer.output.grade_json import grade_document, grade_table
from optimizer.output.grade_text import grade_text
from optimizer.output.json_values import json_text
from optimizer.output.plan_json import outcome_document
from optimizer.output.plan_text import outcome_text
from optimizer.output.sheets import csv_bytes
from optimizer.output.writing import check_destination, write_folder
from optimizer.plan import Memory


def grade_world(name: str, request: Request, form: TableFormat) -> ExitCode:
    """Plan the work of today's fleet, and say what today wastes; without a plan, say why."""
    if request.out is not None:
        check_destination(request.out)
    with watching(request.quiet) as watch, request.executor(watch) as executor:
        world, _ = gather(find_world(name), watch)
        _must_run(world)
        outcome = request.solve(graded_world(world), executor, watch, Memory())
        screen = stdout_screen()
        if not isinstance(outcome, Plan):
            if form is TableFormat.JSON:
                say(json_text(outcome_document(outcome)))
            elif not request.quiet:
                say(outcome_text(outcome, screen.width, screen.colour))
            return request.end_of(outcome)
        graded = grade(outcome)
        if request.out is not None:
            with watch.stage("write the results"):
                write_folder(request.out, grade_files(graded))
    _show(graded, request, form)
    return request.end_of(outcome)


def _must_run(world: World) -> None:
    if not world.fleet.groups:
        hint = "list what runs under 'fleet', or make a plan: trimtab plan"
        raise FaultyInput([Fault(world.at, "nothing runs today: there is nothing to grade", hint)])


def _show(graded: Grade, request: Request, form: TableFormat) -> None:
    screen = stdout_screen()
    match form:
        case TableFormat.JSON:
            say(json_text(grade_document(graded)))
        case TableFormat.CSV:
            say(csv_bytes(grade_table(graded)).decode())
        case TableFormat.TABLE if not request.quiet:
            say(grade_text(graded, screen.width, screen.colour))
            if request.out is not None:
                files = "grade.html, grade.json, grade.csv and plan.json"
                say(f"Written to {request.out}: {files}.")
        case _:
            pass
