"""Ctrl-C while a solver works."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn, TypeVar

from optimizer.cli.exits import ExitCode

Result = TypeVar("Result")


def interruptible(work: Callable[[], Result]) -> Result:
    """The result of ``work``, or ``KeyboardInterrupt`` as soon as the user asks for it.

    Python hears Ctrl-C in its main thread only, between instructions; a solver's code would hold
    it up until the time limit, so solvers work in another thread. After an interrupt that thread
    still runs: leave with ``leave_at_once``.
    """
    executor = ThreadPoolExecutor(1)
    try:
        return executor.submit(work).result()
    finally:
        executor.shutdown(wait=False)


def leave_at_once() -> NoReturn:
    """End the process without waiting for threads. Nothing is half written: see ``writing``."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ExitCode.INTERRUPTED)
