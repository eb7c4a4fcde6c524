"""The smallest clash, where all clashes are known beforehand."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.rules import BudgetRule, MinReplicasRule, Rule
from optimizer.clash import Feasible, smallest_clash, smallest_hitting_set

Sets = list[frozenset[int]]
MOST_RULES = 9
PLENTY_S = 3600.0
exactly = settings(derandomize=True, deadline=None)


def numbered(count: int) -> tuple[Rule, ...]:
    """Rules of two kinds, named by their number."""
    return tuple(
        BudgetRule(name=str(i), usd_per_month=1.0)
        if i % 3
        else MinReplicasRule(name=str(i), service="web", at_least=1)
        for i in range(count)
    )


def indices(rules: tuple[Rule, ...]) -> frozenset[int]:
    return frozenset(int(rule.name) for rule in rules)


def keeps_clear_of(clashes: Sets) -> Feasible:
    """Feasible is what holds none of these clashes whole: monotone by construction."""
    return lambda rules: not any(clash <= indices(rules) for clash in clashes)


def known_clashes(least: int = 1) -> st.SearchStrategy[Sets]:
    clash = st.frozensets(st.integers(0, MOST_RULES - 1), min_size=least, max_size=5)
    return st.lists(clash, min_size=1, max_size=6)


@exactly
@given(known_clashes(), st.lists(st.booleans(), min_size=6, max_size=6))
def test_a_smallest_clash_is_found_and_proven(clashes: Sets, seen: list[bool]) -> None:
    rules = numbered(MOST_RULES)
    quick = [clash for clash, quickly in zip(clashes, seen, strict=False) if quickly]
    found = smallest_clash(rules, keeps_clear_of(clashes), keeps_clear_of(quick), PLENTY_S)
    assert indices(found.rules) in clashes
    assert len(found.rules) == min(len(clash) for clash in clashes)
    assert found.smallest
    assert found.irreducible
    assert list(found.rules) == [rule for rule in rules if rule in found.rules]


@exactly
@given(known_clashes(least=2))
def test_unknown_answers_are_never_taken_for_proof(clashes: Sets) -> None:
    """An oracle that does not know about pairs and single rules still yields a true clash."""
    truth = keeps_clear_of(clashes)

    def hesitant(rules: tuple[Rule, ...]) -> bool | None:
        return None if len(rules) <= 2 else truth(rules)

    found = smallest_clash(numbered(MOST_RULES), hesitant, lambda rules: True, PLENTY_S)
    assert not truth(found.rules)
    assert not (found.smallest and len(found.rules) > min(len(clash) for clash in clashes))


def test_no_rules_at_all_may_clash_with_demand() -> None:
    found = smallest_clash(numbered(4), lambda rules: False, lambda rules: False, PLENTY_S)
    assert found.rules == ()
    assert found.smallest


def test_without_time_nothing_is_claimed() -> None:
    rules = numbered(6)
    clashes = [frozenset({1, 2}), frozenset({3, 4, 5})]
    found = smallest_clash(rules, keeps_clear_of(clashes), keeps_clear_of(clashes), 0.0)
    assert not keeps_clear_of(clashes)(found.rules)
    assert not found.smallest
    assert not found.irreducible


def test_a_larger_irreducible_clash_does_not_hide_a_smaller_one() -> None:
    """Leaving out from the front ends in {4, 5, 6}; {0, 1} is smaller."""
    clashes = [frozenset({0, 1}), frozenset({4, 5, 6})]
    found = smallest_clash(numbered(7), keeps_clear_of(clashes), lambda rules: True, PLENTY_S)
    assert indices(found.rules) == {0, 1}


@exactly
@given(st.lists(st.frozensets(st.integers(0, 7), min_size=1, max_size=4), max_size=6))
def test_hitting_sets_are_smallest(sets: Sets) -> None:
    found = smallest_hitting_set(sets, most=8)
    assert found is not None
    assert all(found & group for group in sets)
    for size in range(len(found)):
        for chosen in combinations(range(8), size):
            assert any(not group & set(chosen) for group in sets)


@pytest.mark.parametrize("most", [0, 1])
def test_hitting_sets_beyond_the_limit_are_none(most: int) -> None:
    assert smallest_hitting_set([frozenset({0}), frozenset({1})], most) is None
