"""Dropping dominated options never changes what the cheapest plan costs."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from small_worlds import Asked, asked, book, random_asked, world

from models.places import PlaceFilter
from models.rules import QuotaRule, Rule, SpotRiskRule, SpotShareRule
from models.services import Replica, Service
from models.world import World
from optimizer.formulate import assemble
from optimizer.formulate.assemble import Formulation
from optimizer.formulate.candidates import find_candidates
from optimizer.formulate.commitments import Cover
from optimizer.formulate.dominance import drop_dominated
from optimizer.formulate.market import Options, survey
from optimizer.problem import Ints
from optimizer.solve.answers import Solved
from optimizer.solve.ortools_backend import OrToolsBackend

SEEDS = [
    *range(300, 310),
    *range(311, 345),
    127,
    21,
    52,
    69,
    92,
    56,
    19,
    53,
]  # the last eight: quotas, spot shares, spot risks and changes that bind


def drop_nothing(
    options: Options, of: World, most_replicas: Ints, commitment_class: Ints | None
) -> tuple[Options, int]:
    del of, most_replicas, commitment_class
    return options, 0


def classes_of(of: World, seed: int) -> Ints:
    """[offering]: one of two commitment classes, or none."""
    return np.random.default_rng(seed).integers(-1, 2, len(of.book.offerings))


def least_usd(formulation: Formulation) -> float | None:
    answer = OrToolsBackend().solve(formulation.problem, gap=0.0, time_limit_s=30.0)
    return answer.objective if isinstance(answer, Solved) else None


@pytest.mark.parametrize("seed", SEEDS)
def test_the_optimum_stays(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    question = random_asked(seed)
    with_all_rules = question.formulate()
    monkeypatch.setattr(assemble, "drop_dominated", drop_nothing)
    everything = question.formulate()
    assert everything.dominated == 0
    assert len(everything.layout.options) >= len(with_all_rules.layout.options)
    expected = least_usd(everything)
    if expected is None:
        assert least_usd(with_all_rules) is None
    else:
        assert least_usd(with_all_rules) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_optimum_stays_whatever_commitments_take_off(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = random_asked(seed)
    question = replace(question, world=replace(question.world, commitments=()))
    classes = classes_of(question.world, seed)
    pays = np.array([*np.random.default_rng(seed).uniform(0.3, 1.0, 2), 1.0])  # per class; none

    def discounted(options: Options) -> Options:
        price = options.price_usd_per_hour * pays[classes[options.offering]]
        return replace(options, price_usd_per_hour=price)

    def drop_all_but(
        options: Options, of: World, most_replicas: Ints, _: Ints | None
    ) -> tuple[Options, int]:
        kept, dropped = drop_dominated(options, of, most_replicas, classes[options.offering])
        return discounted(kept), dropped

    def drop_none(
        options: Options, of: World, most_replicas: Ints, _: Ints | None
    ) -> tuple[Options, int]:
        del of, most_replicas
        return discounted(options), 0

    monkeypatch.setattr(assemble, "drop_dominated", drop_all_but)
    least = least_usd(question.formulate())
    monkeypatch.setattr(assemble, "drop_dominated", drop_none)
    expected = least_usd(question.formulate())
    assert least == (expected if expected is None else pytest.approx(expected, rel=1e-6))


def covering(classes: Ints) -> Cover:
    """One commitment that covers all offerings of a class."""
    of_class = np.ones((1, int(classes.max(initial=-1)) + 1))
    return Cover(classes, of_class, np.ones(1), np.ones((1, 1)), np.zeros(1))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("committed", [False, True])
def test_candidates_are_what_is_left_of_all_options(seed: int, committed: bool) -> None:
    question = random_asked(seed)
    of = question.world
    market = survey(of)
    most = assemble.most_replicas_of(of, question.demand_rps)
    classes = classes_of(of, seed) if committed else None
    cover = None if classes is None else covering(classes)
    by_option = None if cover is None else cover.classes_of(market.options)
    kept, dropped = drop_dominated(market.options, of, most, by_option)
    candidates = find_candidates(market, of, most, cover)
    assert candidates.dominated == dropped
    shared = candidates.by_service()
    for field in fields(Options):
        np.testing.assert_array_equal(getattr(shared, field.name), getattr(kept, field.name))
    own = candidates.options
    for kind, region in np.ndindex(candidates.starts.shape[0], len(of.regions)):
        rows = slice(*candidates.starts[kind, region : region + 2])
        assert (own.service[rows] == kind).all()
        assert (own.region[rows] == region).all()


def test_something_is_dropped_in_most_worlds() -> None:
    dropped = [random_asked(seed).formulate().dominated for seed in SEEDS]
    assert np.mean(np.array(dropped) > 0) > 0.8


WEB = Service("web", Replica(1, 2, 100), spot_tolerant=True)
EAST = "aws/east"
Offer = tuple[str, str, str, float, float, float]
OFFERS: list[Offer] = [
    # one, two, four and sixteen replicas
    (EAST, "m.1", "on_demand", 0.10, 1, 4),
    (EAST, "m.2", "on_demand", 0.20, 2, 8),  # two of m.1
    (EAST, "m.4", "on_demand", 0.35, 4, 16),
    (EAST, "c.4", "on_demand", 0.36, 4, 8),  # dearer than m.4
    (EAST, "m.1", "spot", 0.04, 1, 4),
    (EAST, "m.2", "spot", 0.07, 2, 8),
    (EAST, "m.16", "on_demand", 1.50, 16, 64),  # more than four of m.4
]


def stays(
    *rules: Rule, most: int = 100, committed: tuple[str, ...] = (), offers: list[Offer] = OFFERS
) -> set[str]:
    """What stays when commitments cover the types named in ``committed``, each on its own terms."""
    of = world([WEB], book(offers), places=[EAST], rules=rules)
    options = survey(of).options
    terms = {name: i for i, name in enumerate(committed)}
    names = of.book.offerings["instance_type"] + ":" + of.book.offerings["purchase"]
    classes = names.map(lambda name: terms.get(name, -1)).to_numpy(np.int64)[options.offering]
    kept, dropped = drop_dominated(options, of, np.array([most]), classes)
    assert len(kept) + dropped == len(offers)
    rows = of.book.offerings.iloc[kept.offering]
    return set(rows["instance_type"] + ":" + rows["purchase"])


def test_without_other_rules_price_per_replica_decides() -> None:
    assert stays() == {"m.1:spot", "m.2:spot"}


def test_a_spot_share_keeps_what_is_bought_on_demand() -> None:
    rule = SpotShareRule(name="half", services=("web",), at_most=0.5)
    assert stays(rule) == {"m.1:on_demand", "m.4:on_demand", "m.1:spot", "m.2:spot"}


def test_a_spot_share_of_all_changes_nothing() -> None:
    assert stays(SpotShareRule(name="all", services=("web",), at_most=1.0)) == stays()


def test_a_spot_risk_keeps_every_pool_and_what_is_never_interrupted() -> None:
    """Within a pool price per replica decides; n.1 is dearer than m.1, but another pool."""
    rule = SpotRiskRule(
        name="risk", services=("web",), chance_at_most=0.01, interruptions_per_month=3
    )
    offers = [*OFFERS, (EAST, "n.1", "spot", 0.05, 1, 4), (EAST, "n.2", "spot", 0.11, 2, 8)]
    assert stays(rule, offers=offers) == {
        "m.1:on_demand", "m.4:on_demand", "m.1:spot", "m.2:spot", "n.1:spot",
    }  # fmt: skip


def test_a_quota_on_spot_keeps_what_it_does_not_count() -> None:
    rule = QuotaRule(name="few", where=PlaceFilter(), spot=True, vcpus_at_most=4)
    assert stays(rule) == {"m.1:on_demand", "m.4:on_demand", "m.1:spot", "m.2:spot"}


def test_a_quota_on_instances_keeps_larger_types() -> None:
    rule = QuotaRule(name="few", where=PlaceFilter(), instances_at_most=4)
    assert stays(rule) == {
        "m.1:on_demand", "m.2:on_demand", "m.4:on_demand", "m.16:on_demand",
        "m.1:spot", "m.2:spot",
    }  # fmt: skip


def test_capacity_beyond_all_demand_is_worth_nothing() -> None:
    """One replica is ever needed: two on one instance are worth no more."""
    assert stays(most=1) == {"m.1:spot"}


def test_a_commitment_keeps_what_it_covers() -> None:
    assert stays(committed=("m.4:on_demand",)) == {"m.1:spot", "m.2:spot", "m.4:on_demand"}


def test_what_a_commitment_covers_replaces_what_it_does_not() -> None:
    none_on_spot = SpotShareRule(name="none", services=("web",), at_most=0.0)
    assert stays(none_on_spot) == {"m.1:on_demand", "m.4:on_demand", "m.1:spot", "m.2:spot"}
    assert stays(none_on_spot, committed=("c.4:on_demand",)) == {
        "m.1:on_demand", "m.4:on_demand", "m.1:spot", "m.2:spot", "c.4:on_demand",
    }  # fmt: skip
    covered = ("m.4:on_demand", "m.16:on_demand")  # neither stands in for the other
    assert stays(none_on_spot, committed=covered) == {
        "m.1:on_demand", "m.4:on_demand", "m.16:on_demand", "m.1:spot", "m.2:spot",
    }  # fmt: skip


def test_the_same_shape_at_the_same_price_stays_once() -> None:
    twins = [(EAST, "m.2", "on_demand", 0.2, 2, 8), (EAST, "n.2", "on_demand", 0.2, 2, 8)]
    of = world([WEB], book([(p, k, b, u, v, m) for p, k, b, u, v, m in twins]), places=[EAST])
    question: Asked = asked(of, {("web", "america"): [150.0, 90.0]})
    formulation = question.formulate()
    assert len(formulation.layout.options) == 1
    assert formulation.dominated == 1


def test_many_quotas_are_told_apart() -> None:
    """Four vCPUs of the cheaper family a, and no limit that matters on b."""
    somewhere = PlaceFilter(places=frozenset({EAST}))
    idle = [
        QuotaRule(name=f"{i}", where=somewhere, families=(f"x{i}",), vcpus_at_most=1)
        for i in range(80)
    ]
    limits = [
        QuotaRule(name=family, where=somewhere, families=(family,), vcpus_at_most=vcpus)
        for family, vcpus in (("a", 4), ("b", 1000))
    ]
    offers = [(EAST, "a.4", "on_demand", 0.19, 4, 16), (EAST, "b.4", "on_demand", 0.2, 4, 16)]
    of = world([WEB], book(offers), places=[EAST], rules=[*idle, *limits])
    question = asked(of, {("web", "america"): [800.0, 800.0]})
    assert least_usd(question.formulate()) == pytest.approx(2 * (0.19 + 0.2))
