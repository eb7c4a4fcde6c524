"""A Dask scheduler and its workers, each a process of its own on this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from distributed import Client

SUPPORT = str(Path(__file__).parent)


@dataclass
class Cluster:
    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    address: str = ""

    def start(self) -> None:
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"]
        scheduler = self._run("dask_scheduler", *options, stderr=subprocess.PIPE)
        assert scheduler.stderr is not None
        for line in scheduler.stderr:
            if found := re.search(r"Scheduler at: +(tcp://\S+)", line):
                self.address = found[1]
                return
        raise AssertionError("the scheduler has ended")

    def have_workers(self, count: int) -> None:
        """Start as many workers as are wanting, and wait until they are known."""
        with Client(self.address, set_as_default=False) as client:
            for _ in range(count - len(client.nthreads())):
                options = ["--nthreads", "1", "--no-nanny", "--no-dashboard"]
                local = ["--local-directory", str(self.folder)]
                self._run("dask_worker", self.address, *options, *local, stderr=subprocess.DEVNULL)
            client.wait_for_workers(count, timeout=60)

    @property
    def scheduler(self) -> subprocess.Popen[str]:
        return self.processes[0]

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
            if process.stderr is not None:
                process.stderr.close()

    def _run(self, module: str, *arguments: str, stderr: int | IO[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
            env={**os.environ, "PYTHONPATH": SUPPORT},
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            text=True,
        )
        self.processes.append(process)
        return process


@contextmanager
def running_cluster(folder: Path, workers: int) -> Iterator[Cluster]:
    cluster = Cluster(folder)
    try:
        cluster.start()
        cluster.have_workers(workers)
        yield cluster
    finally:
        cluster.stop()
