"""When no plan keeps every rule: the smallest set of rules that cannot be kept together.

A *clash* is a set of rules that is infeasible with the world's demand; a *repair* is a set of
rules whose removal makes everything feasible. Every clash meets every repair, so the smallest
clash is at least as large as the smallest set that hits all repairs known so far. Hence
(Ignatiev, Previti, Liffiton, Marques-Silva: Smallest MUS extraction with minimal hitting set
dualization, CP 2015): guess the smallest hitting set; if it clashes it is a smallest clash,
otherwise grow it to a largest set that is feasible, whose complement is a new repair to hit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations
from time import perf_counter

from models.rules import Rule
from optimizer.watch import SILENT, Watch

Feasible = Callable[[tuple[Rule, ...]], bool | None]
"""Can these rules be kept together? None: not known in the time given."""


def smallest_clash(
    rules: tuple[Rule, ...], feasible: Feasible, time_limit_s: float, watch: Watch = SILENT
) -> tuple[tuple[Rule, ...], bool]:
    """A smallest subset of ``rules`` that is infeasible, and whether that is proven.

    ``rules`` together must be infeasible. Empty when even no rules at all are infeasible. When
    time runs out, a clash from which no rule can be left out is returned instead, unproven.
    """
    deadline = perf_counter() + time_limit_s
    oracle = _Oracle(rules, feasible)
    if oracle.clashes(frozenset()):
        return (), True
    clash = _shrink(frozenset(range(len(rules))), oracle)
    repairs: list[frozenset[int]] = []
    proven = not oracle.unsure
    with watch.stage("look for the smallest set of rules that clash") as stage:
        while perf_counter() < deadline:
            guess = smallest_hitting_set(repairs, most=len(clash) - 1)
            if guess is None:  # no set smaller than the clash at hand hits all repairs
                return oracle.named(clash), proven and not oracle.unsure
            if oracle.clashes(guess):
                return oracle.named(guess), proven and not oracle.unsure
            kept = _grow(guess, oracle)
            repairs.append(frozenset(range(len(rules))) - kept)
            stage.advance()
    return oracle.named(clash), False


class _Oracle:
    """Answers whether indices of rules clash; remembers, since sets of rules are ordered."""

    def __init__(self, rules: tuple[Rule, ...], feasible: Feasible) -> None:
        self.rules = rules
        self.unsure = False
        self._feasible = feasible
        self._known_good: list[frozenset[int]] = []
        self._known_bad: list[frozenset[int]] = []

    def named(self, chosen: Iterable[int]) -> tuple[Rule, ...]:
        return tuple(self.rules[i] for i in sorted(chosen))

    def clashes(self, chosen: frozenset[int]) -> bool:
        if any(chosen <= good for good in self._known_good):
            return False
        if any(chosen >= bad for bad in self._known_bad):
            return True
        answer = self._feasible(self.named(chosen))
        if answer is None:
            self.unsure = True
        if answer is False:
            self._known_bad.append(chosen)
            return True
        self._known_good.append(chosen)
        return False


def _shrink(clash: frozenset[int], oracle: _Oracle) -> frozenset[int]:
    """Leave out whatever can be left out: halves first, then smaller runs, then one by one."""
    run = max(1, len(clash) // 2)
    while True:
        left = 0
        while left < len(clash):
            members = sorted(clash)
            smaller = clash - frozenset(members[left : left + run])
            if oracle.clashes(smaller):
                clash = smaller
            else:
                left += run
        if run == 1:
            return clash
        run = max(1, run // 2)


def _grow(kept: frozenset[int], oracle: _Oracle) -> frozenset[int]:
    """Add whatever can be added without a clash."""
    for i in range(len(oracle.rules)):
        if i not in kept and not oracle.clashes(kept | {i}):
            kept = kept | {i}
    return kept


def smallest_hitting_set(sets: list[frozenset[int]], most: int) -> frozenset[int] | None:
    """The smallest set with a member in each of ``sets``; None when it has more than ``most``.

    Exhaustive by size: clashes that people can understand are small.
    """
    members = sorted(frozenset().union(*sets))
    for size in range(most + 1):
        for chosen in combinations(members, size):
            if all(not group.isdisjoint(chosen) for group in sets):
                return frozenset(chosen)
    return None
