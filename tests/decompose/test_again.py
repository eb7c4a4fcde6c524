"""Planning again from what the last plan left behind: what is the same stays, and rules hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from checker import broken
from numpy.typing import NDArray
from separable import TOLERANCE, decomposed, simple, solved
from small_worlds import Asked

from models.errors import FaultyInput
from models.places import PlaceFilter
from models.plan import Plan
from models.rules import AllowedPlacesRule
from models.world import World
from optimizer.decompose.again import LEAST_SAVING
from optimizer.decompose.answer import Decomposed, Last, NotSeparable, decompose, read_decomposed
from optimizer.decompose.last import offering_names
from optimizer.formulate.market import survey
from optimizer.formulate.reach import measure
from optimizer.gather import gather
from optimizer.plan import Memory, foresee, make_plan
from optimizer.solve.answers import Solved
from scenarios.generator import generate_world

Floats = NDArray[np.float64]


def planned(seeds: Sequence[int]) -> list[tuple[Asked, Decomposed]]:
    """Small worlds that have a decomposed plan."""
    found = []
    for seed in seeds:
        asked = simple(seed)
        answer = decomposed(asked)
        if isinstance(answer, Decomposed) and answer.fleet is not None:
            found.append((asked, answer))
    return found


@pytest.mark.parametrize("first", range(0, 60, 15))
def test_after_a_change_of_demand_rules_hold_and_the_bound_is_one(first: int) -> None:
    compared = 0
    for asked, before in planned(range(first, first + 15)):
        grown = np.ones(len(asked.world.services))
        grown[0] = 1.3
        outlook = asked.outlook
        changed = replace(
            asked,
            demand_rps=asked.demand_rps * grown[:, None, None],
            direct_rps=asked.direct_rps * grown[:, None, None],
            outlook=replace(
                outlook,
                scenario_rps=outlook.scenario_rps * grown[:, None, None],
                direct_rps=outlook.direct_rps * grown[:, None, None],
            ),
        )
        found = decomposed(changed, before.left_behind())
        assert isinstance(found, Decomposed)
        world = asked.world
        answer = solved(changed)
        if not isinstance(answer, Solved):
            assert found.fleet is None
            continue
        assert found.bound_usd <= answer.objective * (1 + TOLERANCE)
        compared += 1
        if found.fleet is not None:
            assert found.usd >= answer.bound * (1 - TOLERANCE)
            assert broken(changed, read_decomposed(found, found.fleet, measure(world))) == []
    assert compared >= 2


def repriced(world: World, factors: Floats) -> World:
    """The same world with prices of offerings times ``factors`` [row of the book]."""
    prices = world.book.offerings["price_usd_per_hour"]
    offerings = world.book.offerings.assign(price_usd_per_hour=prices * factors)
    return replace(world, book=replace(world.book, offerings=offerings))


def without_place(world: World, row: int) -> World:
    """The same world without the offerings of the place of a row of the book."""
    region = world.region_of_offerings
    offerings = world.book.offerings[region != region[row]].reset_index(drop=True)
    return replace(world, book=replace(world.book, offerings=offerings))


def changes(world: World, seed: int) -> list[World]:
    """Prices of a third of the offerings up, down and both ways, and a place that is lost."""
    chance = np.random.default_rng([seed, 9])
    rows = len(world.book)
    hit = chance.random(rows) < 1 / 3
    return [
        repriced(world, np.where(hit, 1.3, 1.0)),
        repriced(world, np.where(hit, 0.7, 1.0)),
        repriced(world, np.where(hit, chance.uniform(0.8, 1.25, rows), 1.0)),
        without_place(world, int(chance.integers(rows))),
    ]


@pytest.mark.parametrize("first", range(0, 60, 15))
def test_after_a_change_of_prices_or_places_rules_hold_and_the_bound_is_one(first: int) -> None:
    compared = taken_up = 0
    for seed, (asked, before) in enumerate(planned(range(first, first + 15)), first):
        last = before.left_behind()
        for world in changes(asked.world, seed):
            changed = replace(asked, world=world)
            found = decomposed(changed, last)
            if isinstance(found, NotSeparable):
                continue
            answer = solved(changed)
            if not isinstance(answer, Solved):
                assert found.fleet is None
                continue
            compared += 1
            assert found.bound_usd <= answer.objective * (1 + TOLERANCE)
            if found.fleet is not None:
                taken_up += found.changed is not None
                assert found.usd >= answer.bound * (1 - TOLERANCE)
                placement = read_decomposed(found, found.fleet, measure(world))
                assert broken(changed, placement) == []
    assert compared >= 8
    assert taken_up >= 2


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("again") / "world"
    generate_world(services=80, hours=4, seed=5, out=folder, hourly=True)
    world, _ = gather(folder)
    return world


def test_the_same_world_keeps_its_plan(company: World, tmp_path: Path) -> None:
    first = Memory()
    before = make_plan(company, memory=first)
    assert first.left is not None
    file = tmp_path / "memory.npz"
    file.write_bytes(first.left.as_bytes())
    second = Memory(Last.load(file))
    after = make_plan(company, memory=second)
    assert isinstance(before, Plan)
    assert isinstance(after, Plan)
    assert after.placement.counts.equals(before.placement.counts)
    assert after.placement.routes.equals(before.placement.routes)
    assert "1 rounds" in after.placement.certificate.solver


def decomposed_company(world: World, last: Last | None) -> Decomposed:
    expected = foresee(world)
    found = decompose(
        world, survey(world), measure(world), expected.demand_rps, expected.direct_rps,
        expected.outlook, last,
    )  # fmt: skip
    assert isinstance(found, Decomposed)
    return found


@pytest.fixture(scope="module")
def before(company: World) -> Decomposed:
    return decomposed_company(company, None)


def rows_of(found: Decomposed) -> dict[str, set[tuple[object, ...]]]:
    """What every service runs: span, offering and instances."""
    fleet, cells = found.fleet, found.case.cells
    assert fleet is not None
    group = cells.cell_group[fleet.cell]
    names = offering_names(cells)[fleet.candidate].tolist()
    services, spans = cells.group_service[group].tolist(), cells.asks.group_span[group].tolist()
    rows: dict[str, set[tuple[object, ...]]] = {}
    for s, cell, span, name, count in zip(
        services, fleet.cell.tolist(), spans, names, fleet.count.tolist(), strict=True
    ):
        rows.setdefault(cells.world.services[s].name, set()).add((cell, span, name, count))
    return rows


def by_use(found: Decomposed) -> list[str]:
    """Offerings that run, those with most instances first."""
    names = Counter[str]()
    for rows in rows_of(found).values():
        for _, _, name, count in rows:
            names[str(name)] += int(str(count))
    return [name for name, _ in names.most_common()]


def dearer(world: World, name: str, factor: float) -> World:
    book = world.book.offerings
    columns = ("cloud", "region", "instance_type", "purchase")
    own = book[columns[0]].astype(str)
    for column in columns[1:]:
        own = own + "/" + book[column].astype(str)
    return repriced(world, np.where(own == name, factor, 1.0))


def test_in_the_same_world_not_a_single_cell_changes(company: World, before: Decomposed) -> None:
    found = decomposed_company(company, before.left_behind())
    assert found.changed == 0
    assert found.usd == pytest.approx(before.usd)
    # Units are not solved as programmes again: the bound is the one before that.
    assert found.bound_usd == pytest.approx(before.cells_bound_usd)
    assert rows_of(found) == rows_of(before)


def test_only_who_uses_what_gets_dearer_moves(company: World, before: Decomposed) -> None:
    offerings, old = by_use(before), rows_of(before)
    anybody = 0
    quarter = len(offerings) // 4
    for name in offerings[quarter::quarter]:
        found = decomposed_company(dearer(company, name, 1.5), before.left_behind())
        new = rows_of(found)
        used = {(s, row[1]) for s, rows in old.items() for row in rows if row[2] == name}
        moved = {(s, row[1]) for s in old for row in old[s] ^ new[s]}
        assert found.changed is not None
        assert bool(moved) == (found.changed > 0)
        assert moved <= used
        anybody += bool(moved)
    assert anybody >= 2  # who moves little for little stays


def test_little_savings_move_nobody_until_they_add_up(company: World, before: Decomposed) -> None:
    name = by_use(before)[0]
    once = dearer(company, name, 1 + 0.7 * LEAST_SAVING)
    found = decomposed_company(once, before.left_behind())
    assert found.changed == 0
    assert rows_of(found) == rows_of(before)
    twice = dearer(company, name, 1 + 1.4 * LEAST_SAVING)
    assert decomposed_company(twice, found.left_behind()).changed != 0


def test_who_finds_something_much_cheaper_moves(company: World, before: Decomposed) -> None:
    rows = rows_of(before)
    kept = {str(row[2]) for of in rows.values() for row in of}
    cells = before.case.cells
    unused = [n for n in dict.fromkeys(offering_names(cells).tolist()) if n not in kept]
    cheap = dearer(company, unused[0], 0.05)
    found = decomposed_company(cheap, before.left_behind())
    assert any(row[2] == unused[0] for of in rows_of(found).values() for row in of)


def test_services_that_ask_for_the_same_stay_as_they_are(company: World) -> None:
    memory = Memory()
    before = make_plan(company, memory=memory)
    users = company.history.frame["service"].astype(str)
    called = {d.callee for d in company.dependencies}
    alone = next(s for s in users.unique() if s not in called)
    own = {alone}
    for _ in range(len(company.services)):
        own |= {d.callee for d in company.dependencies if d.caller in own}
    frame = company.history.frame
    grown = frame.assign(rps=frame["rps"].where(users != alone, frame["rps"] * 1.2))
    changed = replace(company, history=replace(company.history, frame=grown))
    after = make_plan(changed, memory=Memory(memory.left))
    assert isinstance(before, Plan)
    assert isinstance(after, Plan)

    def others(plan: Plan) -> list[tuple[object, ...]]:
        counts = plan.placement.counts
        kept = counts[~counts["service"].astype(str).isin(own)]
        columns = ["service", "region", "instance_type", "period", "count"]
        return sorted(map(tuple, kept[columns].astype(str).to_numpy().tolist()))

    assert others(after) == others(before)
    assert after.placement.certificate.bound_usd <= after.placement.certificate.objective_usd


def test_nobody_stays_in_a_lost_region(company: World) -> None:
    memory = Memory()
    before = make_plan(company, memory=memory)
    assert isinstance(before, Plan)
    counts = before.placement.counts
    places = counts["cloud"].astype(str) + "/" + counts["region"].astype(str)
    lost = places.value_counts().index[-1]
    everybody = tuple(service.name for service in company.services)
    gone = PlaceFilter(places=frozenset({lost}))
    rule = AllowedPlacesRule(name="lost", services=everybody, forbid=gone)
    after = make_plan(replace(company, rules=(*company.rules, rule)), memory=Memory(memory.left))
    assert isinstance(after, Plan)
    counts = after.placement.counts
    assert lost not in set(counts["cloud"].astype(str) + "/" + counts["region"].astype(str))


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x03\x04broken"])
def test_a_damaged_memory_is_a_fault(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "memory.npz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(FaultyInput, match=r"memory\.npz does not hold"):
        Last.load(file)
