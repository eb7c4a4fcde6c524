"""Where a signal is measured: at a service, or on the calls of one service to another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from models.signals import SignalKey

Place = tuple[str, str]
"""A service and nothing, or caller and callee."""
ACROSS_ONE: Final = 0.3
"""What a cause two steps away weighs against one beside: what lies between showed nothing."""


def place_of(key: SignalKey) -> Place:
    return key.service, key.callee


class Calls:
    """Who calls whom, as steps between places.

    From a service one goes up to its callers and to their calls to it, and down to its callees and
    to its calls to them; from calls up to the caller and to the calls that reach it, and down to
    the callee and to the calls that it makes.
    """

    def __init__(self, edges: Iterable[tuple[str, str]]) -> None:
        self._callers: dict[str, set[str]] = {}
        self._callees: dict[str, set[str]] = {}
        for caller, callee in edges:
            if caller != callee:
                self._callers.setdefault(callee, set()).add(caller)
                self._callees.setdefault(caller, set()).add(callee)

    def above(self, place: Place) -> dict[Place, float]:
        """Places towards the users, at most two steps away, with their weights."""
        return _two_steps(place, self._up)

    def below(self, place: Place) -> dict[Place, float]:
        """Places away from the users, at most two steps away, with their weights."""
        return _two_steps(place, self._down)

    def beside(self, place: Place) -> dict[Place, float]:
        """Services, and calls to them, that have a caller in common with those of a place."""
        service, callee = place
        callers = self._callers.get(callee or service, set())
        siblings = {one for caller in callers for one in self._callees[caller]}
        near = {(one, "") for one in siblings} | {(c, one) for c in callers for one in siblings}
        return dict.fromkeys(near - {place}, ACROSS_ONE)

    def callees(self, service: str) -> frozenset[str]:
        return frozenset(self._callees.get(service, ()))

    def _up(self, place: Place) -> set[Place]:
        service, callee = place
        callers = self._callers.get(service, set())
        into = {(caller, service) for caller in callers}
        return into | ({(service, "")} if callee else {(caller, "") for caller in callers})

    def _down(self, place: Place) -> set[Place]:
        service, callee = place
        reached = {callee} if callee else self._callees.get(service, set())
        out = {(callee, one) for one in self._callees.get(callee, ())} if callee else {
            (service, one) for one in reached
        }  # fmt: skip
        return out | {(one, "") for one in reached}


def _two_steps(place: Place, step: Callable[[Place], set[Place]]) -> dict[Place, float]:
    near = step(place)
    weights = dict.fromkeys((far for one in near for far in step(one)), ACROSS_ONE)
    weights.update(dict.fromkeys(near, 1.0))
    weights.pop(place, None)
    return weights
