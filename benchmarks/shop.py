"""The bundled shop: how long whoever tries the product waits, and for what."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.command import figures, plan_cold
from benchmarks.registry import Case, Metric, benchmark

SHOP = Path(__file__).parents[1] / "scenarios" / "shop"
RUNS = 3


@benchmark("shop", "a cold trimtab plan for the bundled shop, and the time of its stages")
def shop(data: Path | None) -> Iterator[Case]:
    del data
    yield Case("whole process", measure_process)
    yield Case("stages", measure_stages)


def measure_process(folder: Path) -> Iterator[Metric]:
    """The time of a few fresh processes, and what the last of them planned."""
    took_s = [plan_cold(SHOP, folder / f"run-{run}") for run in range(RUNS)]
    for name, value_s in (
        ("fastest", min(took_s)),
        ("median", median(took_s)),
        ("slowest", max(took_s)),
    ):
        yield Metric(name, value_s, "s")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    yield Metric("processor_time", (used.ru_utime + used.ru_stime) / RUNS, "s")
    yield from figures(folder / f"run-{RUNS - 1}")


def measure_stages(folder: Path) -> Iterator[Metric]:
    """The same work in one fresh process. What a stage imports late counts as that stage's."""
    stopwatch = Stopwatch()
    with stopwatch.stage("import"):
        from models.plan import Plan
        from optimizer.gather import gather
        from optimizer.output.files import plan_files
        from optimizer.output.writing import write_folder
        from optimizer.plan import make_plan
    world, _ = gather(SHOP, stopwatch)
    outcome = make_plan(world, watch=stopwatch)
    if not isinstance(outcome, Plan):
        raise RuntimeError("the bundled shop has a plan, but none was found")
    with stopwatch.stage("write the results"):
        write_folder(folder / "out", plan_files(outcome))
    for name, took_s in stopwatch.took_s.items():
        yield Metric(name.replace(" ", "_"), took_s, "s")


class Stopwatch:
    """A ``Watch`` that keeps how long every stage took."""

    def __init__(self) -> None:
        self.took_s: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[Stopwatch]:
        del total
        began = perf_counter()
        yield self
        self.took_s[name] = perf_counter() - began

    def advance(self, by: float = 1.0) -> None:
        del by

    def warn(self, text: str) -> None:
        del text

    def note(self, text: str) -> None:
        del text
