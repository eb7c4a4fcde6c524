"""Cells are solved in shards on whatever workers there are: the same numbers, to the last bit."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dask_cluster import running_cluster
from pieces_of_work import DyingOnce

from models.world import World
from optimizer.decompose import shards, solve
from optimizer.decompose.answer import Decomposed, decompose
from optimizer.decompose.dual import Case
from optimizer.decompose.shards import AXES, STARTS, Cut, Effort, Shard, Swept, subproblems
from optimizer.decompose.tables import Asks
from optimizer.decompose.tariff import Prices
from optimizer.executor.cluster import DaskCluster
from optimizer.executor.processes import ProcessPool
from optimizer.executor.seam import IN_PROCESS, Executor, Held
from optimizer.formulate.market import survey
from optimizer.formulate.reach import measure
from optimizer.gather import gather
from optimizer.plan import foresee
from providers.geography.regions import load_regions
from providers.pricebook.embedded import load_embedded_book
from scenarios.generate.kinds import Strict
from scenarios.generator import generate_world


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Quotas, budgets, commitments, calls with data, scenarios, cells of several origins."""
    folder = tmp_path_factory.mktemp("company") / "world"
    offerings = load_embedded_book(load_regions()).offerings
    generate_world(40, 4, 3, folder, Strict(offerings), hourly=True)
    world, _ = gather(folder)
    return replace(world, policy=replace(world.policy, gap_target=0.0, time_limit_s=600))


@pytest.fixture(autouse=True)
def small_fleets_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "WORTH_SHARING_CELLS", 0)
    monkeypatch.setattr(solve, "ROUNDS", 8)
    monkeypatch.setattr(solve, "AT_A_TIME", 4)


@pytest.fixture(params=["processes", "Dask"])
def executor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Executor]:
    if request.param == "processes":
        with ProcessPool(2) as pool:
            yield pool
        return
    with running_cluster(tmp_path, workers=2) as cluster, DaskCluster(cluster.address) as dask:
        yield dask


def decomposed(world: World, executor: Executor = IN_PROCESS) -> Decomposed:
    expected = foresee(world)
    demand, direct = expected.demand_rps, expected.direct_rps
    facts = survey(world), measure(world)
    found = decompose(world, *facts, demand, direct, expected.outlook, executor=executor)
    assert isinstance(found, Decomposed)
    return found


@pytest.fixture(scope="module")
def alone(company: World) -> Decomposed:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solve, "ROUNDS", 8)
        patch.setattr(solve, "AT_A_TIME", 4)
        return decomposed(company)


def any_prices(case: Case) -> Prices:
    """Prices of everything that has one."""
    chance = np.random.default_rng(5)
    spread = 10 * float(case.replica_usd[np.isfinite(case.replica_usd)].mean())
    slots = np.zeros(len(case.cells.asks.place))
    slots[case.whole.several] = spread * chance.random(len(case.whole.several))
    return Prices(
        0.1 * chance.random((len(case.limits.quota_limit), case.periods)),
        chance.random(len(case.limits.budget_limit)),
        0.5 * chance.random((case.covered.classes, case.periods)),
        spread * chance.normal(size=len(case.links.lane_of)),
        slots,
    )


def assert_same(one: Swept, other: Swept) -> None:
    for name in ("used", "held", "share", "value"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)


def assert_same_plan(one: Decomposed, other: Decomposed) -> None:
    assert (one.usd, one.bound_usd, one.rounds) == (other.usd, other.bound_usd, other.rounds)
    assert one.fleet is not None
    assert other.fleet is not None
    for name in ("cell", "candidate", "count", "held", "share"):
        np.testing.assert_array_equal(getattr(one.fleet, name), getattr(other.fleet, name))


def test_every_field_of_cells_has_an_axis_to_be_cut_along() -> None:
    assert {*AXES, *STARTS} == {*Asks._fields}


def test_the_company_has_all_that_is_priced(alone: Decomposed) -> None:
    case = alone.case
    assert len(case.parts) > 2
    assert case.covered.classes
    sizes = case.limits.quota_limit, case.limits.budget_limit, case.links.lane_of
    assert all(map(len, (*sizes, case.whole.several)))


def test_a_pass_is_the_same_wherever_it_is_made(alone: Decomposed, executor: Executor) -> None:
    case = alone.case
    solve_here = subproblems(case.whole, case.parts, IN_PROCESS)
    solve_there = subproblems(case.whole, case.parts, executor)
    prices = any_prices(case)
    for effort in Effort:
        here = solve_here(prices, effort)
        assert (here.used.sum() > 0, here.share.sum() > 0) == (True, True)
        assert_same(solve_there(prices, effort), here)
        assert_same(solve_there(alone.prices, effort), solve_here(alone.prices, effort))


def test_a_pass_over_cells_with_prices_of_their_own_is_part_of_one_over_all(
    alone: Decomposed,
) -> None:
    case = alone.case
    solve, owned = subproblems(case.whole, case.parts, IN_PROCESS), case.whole.owned
    prices = any_prices(case)
    everything, some = solve(prices, Effort.QUICK), solve(prices, Effort.OWN)
    assert 0 < owned.sum() < len(owned)
    np.testing.assert_array_equal(some.value, np.where(owned, everything.value, 0.0))
    moved = replace(
        prices, ends=prices.ends * 0.7 + 0.01, rooms=np.where(prices.rooms > 0, prices.rooms / 2, 0)
    )
    changed = solve(moved, Effort.QUICK).value != everything.value
    assert changed.any()
    assert not changed[~owned].any()


def test_a_worker_killed_in_the_middle_costs_time_and_not_the_answer(
    company: World, alone: Decomposed, executor: Executor, tmp_path: Path
) -> None:
    dying = DyingOnce(executor, tmp_path / "died")
    found = decomposed(company, dying)
    assert (tmp_path / "died").exists()
    assert dying.calls == alone.rounds + 1  # the last is the proof
    assert_same_plan(found, alone)


def test_small_fleets_stay_here(alone: Decomposed, monkeypatch: pytest.MonkeyPatch) -> None:
    case = alone.case
    monkeypatch.setattr(shards, "WORTH_SHARING_CELLS", len(case.cells.asks.need) + 1)
    asked = DyingOnce(IN_PROCESS, Path())
    subproblems(case.whole, case.parts, asked)(alone.prices, Effort.QUICK)
    assert asked.calls == 0


def test_a_shard_travels_without_what_is_compiled_and_reads_what_it_may_not_write(
    alone: Decomposed,
) -> None:
    case = alone.case
    cut = Cut.around(case.parts[1], case.whole)
    shard = cut.shard(case.whole)
    here = shards.solve_shard(Held(shard), cut.prices(alone.prices), Effort.EXACT)
    travelled: Shard = pickle.loads(pickle.dumps(shard))
    assert "packed" in vars(shard)
    assert "packed" not in vars(travelled)
    for array in (*travelled.stock, *travelled.asks):
        array.flags.writeable = False
    there = shards.solve_shard(Held(travelled), cut.prices(alone.prices), Effort.EXACT)
    np.testing.assert_array_equal(there.value, here.value)
