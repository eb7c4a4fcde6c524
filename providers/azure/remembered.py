"""Answers that are shared while they are young."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(eq=False)
class Remembered(Generic[Key, Value]):
    """What ``ask`` says of each key, asked again when it is ``age_s`` seconds old.

    At most one question of a key is under way at a time; what others wait for began before it
    ended, so it is at most that old. Failures are raised, and not remembered.
    """

    ask: Callable[[Key], Value]
    age_s: float
    clock: Callable[[], float] = monotonic
    _known: dict[Key, tuple[float, Value]] = field(default_factory=dict, repr=False)
    _locks: dict[Key, Lock] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def of(self, key: Key) -> Value:
        with self._lock:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            known = self._known.get(key)
            asked_at = self.clock()
            if known is not None and asked_at - known[0] < self.age_s:
                return known[1]
            value = self.ask(key)
            self.keep(key, value, asked_at)
            return value

    def keep(self, key: Key, value: Value, asked_at: float) -> None:
        """Remember what was asked for elsewhere, at ``asked_at`` of the clock."""
        self._known[key] = (asked_at, value)
