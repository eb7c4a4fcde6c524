"""Progress bars on stderr for whoever waits at a terminal; warnings for everybody."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from optimizer.output.plain import plain
from optimizer.watch import Silent, Stage, Watch


@contextmanager
def watching(quiet: bool) -> Iterator[Watch]:
    """A watch that draws on stderr, and wipes what it drew, unless that is unwanted or piped.

    Warnings are written in any case.
    """
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    if quiet or not console.is_terminal or console.is_dumb_terminal:
        yield _Warnings()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as progress:
        yield _Bars(progress)


class _Warnings(Silent):
    def warn(self, text: str) -> None:
        sys.stderr.write(f"{_warning(text)}\n")


def _warning(text: str) -> str:
    return "warning: " + "\n".join(map(plain, text.split("\n")))


@dataclass(frozen=True, slots=True)
class _Bar:
    progress: Progress
    task: TaskID

    def advance(self, by: float = 1.0) -> None:
        self.progress.advance(self.task, by)


@dataclass(frozen=True, slots=True)
class _Bars:
    """One bar per stage under way; a note stands beside the newest."""

    progress: Progress

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[Stage]:
        task = self.progress.add_task(plain(name), total=total, note="")
        self.progress.refresh()
        try:
            yield _Bar(self.progress, task)
        finally:
            self.progress.remove_task(task)

    def note(self, text: str) -> None:
        if self.progress.task_ids:
            self.progress.update(self.progress.task_ids[-1], note=plain(text), refresh=True)

    def warn(self, text: str) -> None:
        self.progress.console.print(_warning(text), soft_wrap=True)
