"""Benchmarks, the cases that they consist of, and how one case is measured."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import pkgutil
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import benchmarks

BYTES_PER_RSS = 1 if sys.platform == "darwin" else 1024  # unit of ru_maxrss


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure. ``value`` is None when there is none, such as the gap where no plan was found.

    ``baseline`` is what to compare with: a published figure, or that of the baseline case.
    """

    name: str
    value: float | None
    unit: str
    baseline: float | None = None

    @property
    def ratio(self) -> float | None:
        """Value over baseline; None without either, or when the baseline is 0."""
        if self.value is None or not self.baseline:
            return None
        return self.value / self.baseline


@dataclass(frozen=True, slots=True)
class Case:
    """``measure`` runs in a fresh process, with an empty folder that is removed afterwards.

    It must be picklable. ``baseline`` names an earlier case of the same benchmark, with whose
    figures this one is compared.
    """

    name: str
    measure: Callable[[Path], Iterable[Metric]]
    baseline: str | None = None


@dataclass(frozen=True, slots=True)
class Benchmark:
    """``cases`` takes the folder with public data sets; it holds ``needs``, or may be None."""

    name: str
    about: str
    cases: Callable[[Path | None], Iterable[Case]]
    needs: tuple[str, ...] = ()

    def missing(self, data: Path) -> list[Path]:
        """What this benchmark needs and ``data`` lacks."""
        return [data / name for name in self.needs if not (data / name).exists()]


_registered: dict[str, Benchmark] = {}

Cases = Callable[[Path | None], Iterable[Case]]


def benchmark(name: str, about: str, needs: tuple[str, ...] = ()) -> Callable[[Cases], Cases]:
    """Register the decorated function, which names the cases, as a benchmark.

    ``needs`` are paths inside the folder with public data sets.
    """

    def register(cases: Cases) -> Cases:
        _registered[name] = Benchmark(name, about, cases, needs)
        return cases

    return register


def every_benchmark() -> dict[str, Benchmark]:
    """All benchmarks by name: imports every module of this package, so that they register."""
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if module.name != "__main__":
            importlib.import_module(f"benchmarks.{module.name}")
    return dict(sorted(_registered.items()))


class CaseFailed(Exception):
    """A case ended without figures; its process has said why."""


def measured(cases: Iterable[Case]) -> Iterator[tuple[Case, tuple[Metric, ...] | CaseFailed]]:
    """Every case with its figures, compared with those of its baseline."""
    known: dict[str, dict[str, float | None]] = {}
    for case in cases:
        try:
            metrics = _in_own_process(case)
        except CaseFailed as failure:
            yield case, failure
            continue
        known[case.name] = {metric.name: metric.value for metric in metrics}
        if case.baseline is not None:
            of_baseline = known.get(case.baseline, {})
            metrics = tuple(replace(m, baseline=of_baseline.get(m.name)) for m in metrics)
        yield case, metrics


def _in_own_process(case: Case) -> tuple[Metric, ...]:
    """Cold caches and memory of its own; nothing of it outlives an interrupt."""
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as folder:
        process = spawn.Process(target=_measure, args=(case, Path(folder), sender))
        process.start()
        sender.close()
        try:
            metrics: tuple[Metric, ...] = receiver.recv()
        except EOFError:
            process.join()
            raise CaseFailed(f"exit code {process.exitcode}") from None
        finally:
            receiver.close()
            process.kill()
            if process.pid is not None:
                with contextlib.suppress(ProcessLookupError):  # no group yet, or all of it is gone
                    os.killpg(process.pid, signal.SIGKILL)
            process.join()
    return metrics


def _measure(case: Case, folder: Path, sender: Connection) -> None:
    os.setsid()  # an interrupt goes to the parent, which ends this whole group
    metrics = (*case.measure(folder), Metric("peak_memory", _peak_memory_mib(), "MiB"))
    sender.send(metrics)


def _peak_memory_mib() -> float:
    """The larger of this process and the largest that it started, such as a solver's."""
    peaks = (
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return max(peaks) * BYTES_PER_RSS / 2**20
