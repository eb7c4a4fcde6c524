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
from dataclasses import dataclass
from itertools import combinations
from time import perf_counter

from models.rules import Rule
from optimizer.watch import SILENT, Stage, Watch

Feasible = Callable[[tuple[Rule, ...]], bool | None]
"""Can these rules be kept together? None: not known in the time given."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Rules that cannot be kept together.

    ``irreducible``: without any one of them, the others can be kept. ``smallest``: no smaller set
    clashes. Neither is claimed unless it was proven in the time given.
    """

    rules: tuple[Rule, ...]
    irreducible: bool
    smallest: bool


def smallest_clash(
    rules: tuple[Rule, ...],
    feasible: Feasible,
    relaxed: Feasible,
    time_limit_s: float,
    watch: Watch = SILENT,
) -> Clash:
    """A clash among ``rules``, which together must be infeasible; as small as time allows.

    ``relaxed`` is a faster test that may say True too often, never False: what clashes even when
    instances may be divided does clash. It narrows the search before ``feasible`` settles it. The
    clash is empty when not even the absence of all rules helps.
    """
    deadline = perf_counter() + time_limit_s
    everything = frozenset(range(len(rules)))
    quick = _Oracle(rules, relaxed, deadline)
    exact = _Oracle(rules, feasible, deadline)
    clash = everything
    with watch.stage("look for the smallest set of rules that clash") as stage:
        if quick.clashes(everything):
            clash, _ = _shrink(everything, quick, stage)
            exact.learn(clash)
        if exact.clashes(frozenset()):
            return Clash((), irreducible=True, smallest=True)
        clash, complete = _shrink(clash, exact, stage)
        repairs: list[frozenset[int]] = []
        while perf_counter() < deadline:
            guess = smallest_hitting_set(repairs, most=len(clash) - 1)
            if guess is None:  # no set smaller than the clash at hand hits all repairs
                sure = complete and not exact.unsure
                return Clash(exact.named(clash), irreducible=sure, smallest=sure)
            if exact.clashes(guess):
                sure = not exact.unsure
                return Clash(exact.named(guess), irreducible=sure, smallest=sure)
            repairs.append(everything - _grow(guess, exact))
            stage.advance()
    return Clash(exact.named(clash), irreducible=complete and not exact.unsure, smallest=False)


class _Oracle:
    """Answers whether indices of rules clash.

    Remembers, since fewer rules never clash more. Past the deadline, or where ``feasible`` does
    not know, the answer is no and ``unsure`` is set.
    """

    def __init__(self, rules: tuple[Rule, ...], feasible: Feasible, deadline: float) -> None:
        self.rules = rules
        self.unsure = False
        self._feasible = feasible
        self._deadline = deadline
        self._known_good: list[frozenset[int]] = []
        self._known_bad: list[frozenset[int]] = []

    def named(self, chosen: Iterable[int]) -> tuple[Rule, ...]:
        return tuple(self.rules[i] for i in sorted(chosen))

    def learn(self, clash: frozenset[int]) -> None:
        """Take somebody else's word that these clash."""
        self._known_bad.append(clash)

    def clashes(self, chosen: frozenset[int]) -> bool:
        if any(chosen <= good for good in self._known_good):
            return False
        if any(chosen >= bad for bad in self._known_bad):
            return True
        answer = self._feasible(self.named(chosen)) if perf_counter() < self._deadline else None
        if answer is None:
            self.unsure = True
        elif answer:
            self._known_good.append(chosen)
        else:
            self._known_bad.append(chosen)
        return answer is False


def _shrink(clash: frozenset[int], oracle: _Oracle, stage: Stage) -> tuple[frozenset[int], bool]:
    """Leave out whatever can be left out: whole kinds of rules, then halves, …, then one by one.

    Also says whether nothing was left in only because the oracle did not know.
    """
    for kind in dict.fromkeys(type(rule) for rule in oracle.rules):
        smaller = frozenset(i for i in clash if type(oracle.rules[i]) is not kind)
        if len(smaller) < len(clash) and oracle.clashes(smaller):
            clash = smaller
        stage.advance()
    run = max(1, len(clash) // 2)
    while True:
        left = 0
        before = oracle.unsure
        while left < len(clash):
            members = sorted(clash)
            smaller = clash - frozenset(members[left : left + run])
            if oracle.clashes(smaller):
                clash = smaller
            else:
                left += run
            stage.advance()
        if run == 1:
            return clash, oracle.unsure == before
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
