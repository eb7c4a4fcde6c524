"""Processes share the work; their end costs time, not the answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pieces_of_work
import pytest

from models.errors import FaultyInput, WorkersLost
from optimizer import late
from optimizer.executor.processes import ProcessPool
from optimizer.executor.seam import IN_PROCESS

NUMBERS = [(number,) for number in range(6)]


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPool]:
    with ProcessPool(2) as pool:
        yield pool


def test_results_come_in_order_and_from_other_processes(pool: ProcessPool) -> None:
    assert list(pool.map(pieces_of_work.double, NUMBERS)) == [0, 2, 4, 6, 8, 10]
    shared = pool.share(np.arange(3.0))
    seen = list(pool.map(pieces_of_work.reached, [(shared, call) for call in range(8)]))
    assert [call for call, *_ in seen] == list(range(8))
    assert os.getpid() not in {pid for _, pid, *_ in seen}


def test_no_work_and_one_piece_need_no_process(pool: ProcessPool) -> None:
    assert list(pool.map(pieces_of_work.double, [])) == []
    shared = pool.share(np.arange(3.0))
    ((_, pid, _, writeable),) = pool.map(pieces_of_work.reached, [(shared, 0)])
    assert (pid, writeable) == (os.getpid(), False)


def test_shared_values_stay_where_they_are_between_calls(pool: ProcessPool) -> None:
    shared = pool.share(np.arange(10_000.0))
    places = set()
    for _ in range(3):
        for _, pid, address, writeable in pool.map(
            pieces_of_work.reached, [(shared, call) for call in range(6)]
        ):
            places.add((pid, address))
            assert not writeable
    assert len(places) == len({pid for pid, _ in places})


def test_arrays_come_back_as_they_are(pool: ProcessPool) -> None:
    numbers = np.random.default_rng(1).normal(size=1000)
    pieces = [(pool.share(numbers), 0.5), (pool.share(numbers[::2]), 3.0)]
    halves, thirds = pool.map(pieces_of_work.scaled, pieces)
    np.testing.assert_array_equal(halves, 0.5 * numbers)
    np.testing.assert_array_equal(thirds, 3 * numbers[::2])


def test_errors_of_our_own_cross_with_their_faults(pool: ProcessPool) -> None:
    results = pool.map(pieces_of_work.refused, NUMBERS)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(FaultyInput) as raised:
        next(results)
    assert raised.value.faults == pieces_of_work.FAULTS


def test_mistakes_cross_as_they_are(pool: ProcessPool) -> None:
    with pytest.raises(ZeroDivisionError):
        list(pool.map(pieces_of_work.divided, NUMBERS))


def test_a_process_killed_at_work_costs_time_and_not_the_answer(
    pool: ProcessPool, tmp_path: Path
) -> None:
    pieces = [(str(tmp_path / "flag"), number) for number in range(6)]
    assert list(pool.map(pieces_of_work.killed_once, pieces)) == [0, 2, 4, 6, 8, 10]
    assert (tmp_path / "flag").exists()


def test_work_that_kills_whoever_does_it_is_given_up(pool: ProcessPool) -> None:
    with pytest.raises(WorkersLost, match="died 4 times"):
        list(pool.map(pieces_of_work.killed, NUMBERS))
    assert list(pool.map(pieces_of_work.double, NUMBERS)) == [0, 2, 4, 6, 8, 10]


INTERRUPTED = """
import os, signal, sys, threading
import pieces_of_work
from optimizer.executor.processes import ProcessPool
signal.signal(signal.SIGINT, signal.default_int_handler)

def interrupt():
    while len(os.listdir(sys.argv[1])) < 2:
        pass
    os.kill(os.getpid(), signal.SIGINT)

if __name__ == "__main__":
    threading.Thread(target=interrupt).start()
    try:
        with ProcessPool(2) as pool:
            list(pool.map(pieces_of_work.stuck, [(sys.argv[1], 0), (sys.argv[1], 1)]))
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.parametrize("killed", [False, True])
def test_processes_end_with_the_one_that_they_work_for(tmp_path: Path, killed: bool) -> None:
    """When it is interrupted, and even when it is killed."""
    pids, script = tmp_path / "pids", tmp_path / "interrupted.py"
    pids.mkdir()
    script.write_text(INTERRUPTED.replace("SIGINT)", "SIGKILL)") if killed else INTERRUPTED)
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, script, pids],
        check=False,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,  # reads until the last process that could write is gone
        text=True,
        timeout=60,
    )
    if killed:
        assert done.returncode == -signal.SIGKILL
    else:
        assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")
    assert len(list(pids.iterdir())) == 2


def test_one_worker_is_this_process() -> None:
    assert late.executor() is IN_PROCESS
    assert list(IN_PROCESS.map(pieces_of_work.double, NUMBERS)) == [0, 2, 4, 6, 8, 10]
    assert IN_PROCESS.share(NUMBERS).value is NUMBERS
