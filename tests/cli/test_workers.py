"""``--workers`` and ``--dask`` change who works, not what comes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import pytest
from dask_cluster import running_cluster

from optimizer.cli.exits import ExitCode
from optimizer.decompose import shards, solve
from optimizer.plan import MOST_SERVICES_AT_ONCE
from scenarios.generator import generate_world

Trimtab = Callable[..., Any]


def results(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("clustered", [False, True])
def test_what_ifs_compare_alike_whoever_works(
    trimtab: Trimtab, tiny: Path, tmp_path: Path, clustered: bool
) -> None:
    def compared(name: str, *by: object) -> tuple[str, dict[str, bytes]]:
        done = trimtab("whatif", tiny, "lost", "poor", "--format", "json", "--out", name, *by)
        assert (done.code, done.err) == (0, "")
        return done.out, results(tmp_path / name)

    alone = compared(str(tmp_path / "alone"))
    if not clustered:
        assert compared(str(tmp_path / "shared"), "--workers", 2) == alone
        return
    with running_cluster(tmp_path, workers=2) as cluster:
        assert compared(str(tmp_path / "shared"), "--dask", cluster.address) == alone


def test_a_plan_is_the_same(trimtab: Trimtab, tiny: Path) -> None:
    alone = trimtab("plan", tiny)
    assert trimtab("plan", tiny, "--workers", 2).out == alone.out


def test_a_wrong_address_is_told_in_a_line(trimtab: Trimtab, tiny: Path) -> None:
    with dask.config.set({"distributed.comm.timeouts.connect": "200ms"}):
        done = trimtab("plan", tiny, "--dask", "tcp://127.0.0.1:1")
    assert (done.code, done.out) == (ExitCode.BAD_INPUT, "")
    said, hint, end = done.err.split("\n")
    assert said.startswith("the Dask scheduler tcp://127.0.0.1:1 does not answer: ")
    assert hint.startswith("    → ")
    assert end == ""


def test_a_large_plan_is_the_same(
    trimtab: Trimtab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cells are solved by the workers, here in spite of their small number."""
    monkeypatch.setattr(shards, "WORTH_SHARING_CELLS", 0)
    monkeypatch.setattr(solve, "ROUNDS", 8)
    monkeypatch.setattr(solve, "AT_A_TIME", 4)
    services = MOST_SERVICES_AT_ONCE + 5
    generate_world(services=services, hours=2, seed=4, out=tmp_path / "company")

    def planned(name: str, *by: object) -> dict[str, bytes]:
        # Time enough for workers that must compile first: a limit that is met changes the plan.
        limit = ("--time-limit", 600)
        done = trimtab("plan", tmp_path / "company", "--out", tmp_path / name, *limit, *by)
        assert done.code == 0
        return {file: made for file, made in results(tmp_path / name).items() if "csv" in file}

    alone = planned("alone")
    assert len(alone) > 2
    assert planned("shared", "--workers", 2) == alone
