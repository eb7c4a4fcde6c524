"""A Dask cluster shares the work: a real scheduler, with real workers, some of which die."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pieces_of_work
import pytest
from dask_cluster import Cluster, running_cluster

from models.demand import History
from models.errors import FaultyInput, WorkersLost
from optimizer import late
from optimizer.executor import cluster as dask_module
from optimizer.executor.cluster import DaskCluster
from optimizer.executor.processes import ProcessPool
from optimizer.executor.seam import Executor
from optimizer.forecast import demand

STARTS = datetime(2025, 3, 3, tzinfo=UTC)
NUMBERS = [(number,) for number in range(6)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("dask"), workers=2) as cluster:
        yield cluster


@pytest.fixture
def executor(cluster: Cluster) -> Iterator[DaskCluster]:
    cluster.have_workers(2)
    with DaskCluster(cluster.address) as executor:
        yield executor


def test_results_come_in_order_and_shared_values_stay(executor: DaskCluster) -> None:
    assert executor.workers == 2
    assert list(executor.map(pieces_of_work.double, NUMBERS)) == [0, 2, 4, 6, 8, 10]
    numbers = np.random.default_rng(1).normal(size=1000)
    one, other = executor.share(numbers), executor.share(numbers)
    (scaled,) = executor.map(pieces_of_work.scaled, [(one, 3.0)])
    np.testing.assert_array_equal(scaled, 3 * numbers)
    places = [
        (which, pid, address)
        for call in range(3)
        for which, pid, address, _ in executor.map(pieces_of_work.reached, [(one, 1), (other, 2)])
    ]
    # Work may move to the idle worker; a value that is once in a process stays where it is.
    at = {(which, pid) for which, pid, _ in places}
    assert {which for which, _ in at} == {1, 2}
    assert len(set(places)) == len(at)


def test_errors_cross(executor: DaskCluster) -> None:
    results = executor.map(pieces_of_work.refused, NUMBERS)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(FaultyInput) as raised:
        next(results)
    assert raised.value.faults == pieces_of_work.FAULTS
    with pytest.raises(ZeroDivisionError):
        list(executor.map(pieces_of_work.divided, NUMBERS))


def test_a_worker_killed_at_work_costs_time_and_not_the_answer(
    executor: DaskCluster, tmp_path: Path
) -> None:
    """Not even when it takes shared values with it."""
    shares = [executor.share(np.full(3, float(i))) for i in range(4)]
    list(executor.map(pieces_of_work.scaled, [(share, 1.0) for share in shares]))
    pieces = [(str(tmp_path / "flag"), number) for number in range(6)]
    assert list(executor.map(pieces_of_work.killed_once, pieces)) == [0, 2, 4, 6, 8, 10]
    assert executor.workers == 1
    again = executor.map(pieces_of_work.scaled, [(share, 2.0) for share in shares])
    assert [float(numbers[0]) for numbers in again] == [0, 2, 4, 6]


def test_forecasts_are_the_same_wherever_they_are_made(
    executor: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demand, "BLOCK_SERIES", 4)
    chance = np.random.default_rng(7)
    swing = 2 + np.sin(np.arange(400) * 2 * np.pi / 24)
    series = {f"s{i}": swing * np.exp(0.2 * chance.normal(size=400)) for i in range(10)}
    hours = pd.date_range(end=STARTS, periods=401, freq="h")[:-1]
    frames = [
        pd.DataFrame({"ts": hours, "service": name, "origin": "all", "rps": rps})
        for name, rps in series.items()
    ]
    history = History(pd.concat(frames, ignore_index=True))
    alone = demand.forecast(history, STARTS, 24)
    with ProcessPool(2) as pool:
        others: list[Executor] = [executor, pool]
        for other in others:
            made = demand.forecast(history, STARTS, 24, executor=other)
            assert made.series == alone.series
            assert made.mean_rps.tobytes() == alone.mean_rps.tobytes()
            assert made.quantiles_rps.tobytes() == alone.quantiles_rps.tobytes()
            assert repr(made.choices) == repr(alone.choices)


def test_large_results_may_take_longer_than_patience(
    executor: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_module, "PATIENCE_S", 0.001)
    shared = executor.share(np.ones(4_000_000))
    for numbers in executor.map(pieces_of_work.scaled, [(shared, 2.0), (shared, 3.0)]):
        assert numbers.size == 4_000_000


def test_a_cluster_that_goes_away_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_module, "PATIENCE_S", 0.3)
    with (
        running_cluster(tmp_path, workers=1) as cluster,
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        DaskCluster(cluster.address) as executor,
    ):
        with pytest.raises(WorkersLost, match="has no workers left"):
            list(executor.map(pieces_of_work.killed, [(1,)]))
        with pytest.raises(FaultyInput, match=f"dask worker {cluster.address}"):
            DaskCluster(cluster.address)
        cluster.have_workers(1)
        with pytest.raises(WorkersLost, match="does not answer any more"):
            list(executor.map(pieces_of_work.kill, [(cluster.scheduler.pid,)]))


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("tcp://127.0.0.1:1", "Timed out"),
        ("tls://127.0.0.1:1", "TLS"),
        ("somewhere", "missing port number"),
        ("http://127.0.0.1:1", "unknown address scheme"),
    ],
)
def test_an_address_without_a_scheduler_is_bad_input(address: str, why: str) -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "200ms"}),
        pytest.raises(FaultyInput) as raised,
    ):
        DaskCluster(address)
    (fault,) = raised.value.faults
    assert fault.message.startswith(f"the Dask scheduler {address} does not answer: ")
    assert why in fault.message
    assert "dask scheduler" in fault.suggestion


def test_workers_with_another_trimtab_are_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_module, "OWN_VERSION", "0.0.1")
    cluster.have_workers(1)
    with pytest.raises(FaultyInput, match="with trimtab") as raised:
        DaskCluster(cluster.address)
    assert raised.value.faults[0].suggestion == "install 0.0.1 there"


def test_without_the_extra_one_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "optimizer.executor.cluster")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(FaultyInput, match=re.escape("pip install 'trimtab[dask]'")):
        late.executor(dask="tcp://127.0.0.1:1")


def test_only_who_asks_for_a_cluster_pays_for_dask() -> None:
    script = "import sys, optimizer.cli.solving; sys.exit('distributed' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
