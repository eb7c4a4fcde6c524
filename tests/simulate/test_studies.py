"""Policies by name, what is chosen for them, and what is made of what they did."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from played_worlds import played_world, wave, wave_signals
from small_worlds import STARTS

from models.errors import FaultyInput, UnusableData
from models.signals import Signals
from optimizer.simulate.asked import asked_directly
from optimizer.simulate.choosing import KINDS, Case, Goal, Tried, play, read_specs
from optimizer.simulate.cloud import Machine, fate
from optimizer.simulate.compare import swept
from optimizer.simulate.machines import Settings, bought
from optimizer.simulate.scheduled import minute_of_week, schedule
from optimizer.simulate.study import Choose, Span, Study, cases, study
from optimizer.simulate.sweep import FAMILIES

DAYS = 4
ALL = ",".join([*KINDS, "reactive:0.7:5m", "hpa:0.6", "static:14", "foresight:1h", "ours:20"])


def _case(demand: NDArray[np.float64], known: int) -> Case:
    machine = Machine(5.0, 100.0, 1.0)
    drawn = fate(machine, demand.size * 60, 1)
    return Case(STARTS, demand, demand, demand, 60, known, machine, drawn, 15, Goal(1e-3))


@pytest.fixture(scope="module")
def made() -> Study:
    world = played_world()
    asked = asked_directly(world, wave_signals(DAYS))
    return study(world, asked, "planted", read_specs(ALL), choose=Choose(0.01))


def test_specs_are_read_and_all_faults_told() -> None:
    one, two, three = read_specs("ours, hpa:0.6:10m ,static:3")
    assert (one.kind, one.values) == ("ours", ())
    assert (two.text, two.kind, two.values) == ("hpa:0.6:10m", "hpa", (0.6, 600.0))
    assert three.values == (3.0,)
    with pytest.raises(FaultyInput) as refused:
        read_specs("our,reactive:7,hpa:0.6:5,static:x,foresight:1m:2,ours")
    said = str(refused.value)
    assert len(refused.value.faults) == 5
    assert "did you mean 'ours'" in said
    assert "such as reactive:0.7:5m" in said


def test_no_share_is_kept_at_any_price() -> None:
    """The share that is granted counts as half of the rent of all work, which is 100 here."""
    generous, sparing = Tried(300.0, 0.0, 0.0), Tried(120.0, 0.4, 0.004)
    assert Goal(0.001).best({"generous": generous, "sparing": sparing}) == "generous"
    dearer = Tried(321.0, 0.0, 0.0)
    assert Goal(0.001).best({"generous": dearer, "sparing": sparing}) == "sparing"
    assert Goal(0.005).best({"generous": generous, "sparing": sparing}) == "sparing"
    never = {"more": Tried(130.0, 0.39, 0.0039), "sparing": sparing}
    assert Goal(0.001).best(never) == "sparing"  # 10 more for what counts as 5


def test_the_cheapest_within_what_is_granted_or_at_a_price() -> None:
    tried = {"a": Tried(5.0, 0.0, 0.0), "b": Tried(3.0, 0.1, 0.001), "c": Tried(1.0, 9.0, 0.2)}
    assert Goal(0.001).best(tried) == "b"
    assert Goal(0.0).best(tried) == "a"
    assert Goal(1e-9).best({k: v for k, v in tried.items() if k != "a"}) == "b"
    assert [Goal(0.1, worth).best(tried) for worth in (0.1, 1.0, 30.0)] == ["c", "b", "a"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "foresight"])
def test_nothing_that_comes_later_has_a_part_in_what_is_done(kind: str) -> None:
    demand = wave(3, 3)
    now, known = 2 * 1440 + 500, 2 * 1440
    other = demand.copy()
    other[now:] = np.random.default_rng(0).uniform(0.0, 500.0, demand.size - now)
    (spec,) = read_specs(kind)
    before, after = (play(spec, _case(one, known)) for one in (demand, other))
    assert before.chosen == after.chosen
    told = [one.played.of("paid_s")[:now].tolist() for one in (before, after)]
    assert told[0] == told[1]


def test_schedules_are_what_each_hour_needed() -> None:
    replica = _case(wave(1, 1), 100).replica
    demand = np.repeat(np.arange(1.0, 169.0), 60) * 10.0
    monday = STARTS - timedelta(days=STARTS.weekday())
    plan = schedule(demand, monday, replica)
    assert plan.replicas.tolist() == [2 * h for h in range(1, 169)]
    wanted = plan.wanted(demand, replica)
    assert wanted[60 * 10] == 22
    assert wanted[60 * 10 - replica.boot_steps] == 22  # ahead by a boot
    assert wanted[60 * 10 - replica.boot_steps - 1] == 20
    day = schedule(demand[: 30 * 60], monday, replica, 0.5)
    assert day.replicas[24 * 3 + 5] == 60  # the most of that hour of any day
    assert day.replicas[24 * 3 + 12] == 26
    assert minute_of_week(monday + timedelta(hours=25, minutes=3)) == 25 * 60 + 3


def test_studies_count_the_later_part_only(made: Study) -> None:
    assert (made.starts, made.ends) == (STARTS + timedelta(days=2), STARTS + timedelta(days=DAYS))
    figures = made.of("static:14")
    front = wave(DAYS, 5)[2 * 1440 :].sum() * 60
    assert figures.asked == pytest.approx(3 * front)
    assert figures.minutes == 2 * 2 * 1440
    assert figures.starts == figures.stops == 0
    assert figures.usd == pytest.approx(14 * 48 * (0.05 + 0.04))


def test_no_policy_beats_foresight_in_serving_as_much_for_less(made: Study) -> None:
    bound = made.of("foresight")
    assert bound.lost == 0
    assert made.over_foresight(bound) == pytest.approx(1.0)
    assert made.over_foresight(made.of("foresight:1h")) > 1.0
    for policy in made.policies:
        figures = made.of(policy)
        served = figures.asked - figures.lost
        assert figures.usd / served > 0.97 * bound.usd / bound.asked
        assert 0 <= figures.missed_minutes <= figures.minutes


def test_what_is_granted_is_kept_where_days_are_alike(made: Study) -> None:
    for policy in ("ours", "reactive", "yesterday"):
        assert made.of(policy).unserved_share < 0.02
    assert made.of("ours").usd < made.of("reactive:0.7:5m").usd < made.of("static").usd


def test_a_service_that_grants_nothing_is_not_granted_what_others_are() -> None:
    made = played_world()
    front, back = made.services
    strict = replace(
        made, services=(replace(front, unmet_at_most=0.0), back),
        policy=replace(made.policy, unmet_at_most=0.2, unserved_share=1e-4),
    )  # fmt: skip
    asked = asked_directly(strict, wave_signals(2))
    held = bought(strict, asked, Settings())
    granted = [one.goal.granted for one in cases(strict, asked, held, 1440, 0, 15, Choose())]
    assert granted == [1e-4, 0.2]


def test_chance_is_the_same_for_the_same_seed() -> None:
    world = played_world(spot=True)
    asked = asked_directly(world, wave_signals(2))
    settings = Settings(failures_per_month=300.0, monthly_interruption=0.99, boot_spread=0.3)
    specs = read_specs("static:25,hpa:0.6")
    first, again, other = (
        study(world, asked, "", specs, settings=settings, seed=seed) for seed in (3, 3, 4)
    )
    assert first.found == again.found
    assert first.found != other.found
    assert first.of("hpa:0.6").failures > 0


def test_spans_need_something_to_learn_from() -> None:
    asked = asked_directly(played_world(), wave_signals(2))
    cut, first = Span(STARTS + timedelta(days=1), STARTS + timedelta(hours=30)).within(asked)
    assert (cut.minutes, first) == (1800, 1440)
    with pytest.raises(UnusableData, match="choose --from and --to inside"):
        Span(STARTS).within(asked)


def test_sweeps_hold_what_studies_say() -> None:
    world = played_world()
    signals = wave_signals(2)
    asked = asked_directly(world, signals)
    made = study(world, asked, "", read_specs("reactive:0.7:5m,hpa:0.5,foresight"))
    found = swept(world, made, asked, lag_s=15, choose=Choose())
    assert {point.family for point in found.points} == set(FAMILIES)
    by_setting = {(p.family, p.setting): p for p in found.points}
    for policy, key in (
        ("reactive:0.7:5m", ("reactive", "70%, 5 min")), ("hpa:0.5", ("hpa", "50%")),
        ("foresight", ("foresight", "every 1 min")),
    ):  # fmt: skip
        assert by_setting[key].figures == made.of(policy)
    best = found.best("reactive")
    assert (np.diff(best[:, 0]) < 0).all()
    assert found.cost_at("reactive", 0.5) == best[-1, 0]


def test_gaps_are_no_demand_and_no_cost() -> None:
    world = played_world()
    signals = wave_signals(2)
    values = signals.values.copy()
    values[0, 2000:2300] = np.nan
    gapped = asked_directly(world, Signals(STARTS, 60, signals.keys, values))
    made = study(world, gapped, "", read_specs("static:20"))
    figures = made.of("static:20")
    assert figures.minutes == 2 * (1440 - 300)
    assert figures.usd == pytest.approx(20 * 0.09 * 19)
