"""How fast an account is changed: no faster than its cloud likes, whoever asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock


@dataclass(eq=False)
class Pace:
    """``per_s`` changes a second of each account, ``at_first`` at once after a rest; and none while
    the cloud asked to wait. For several threads.
    """

    per_s: float
    at_first: int
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _due: dict[str, float] = field(default_factory=dict, repr=False)
    _held: dict[str, float] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def wait(self, account: str) -> None:
        """Return when the next change may be asked for."""
        every_s = 1.0 / self.per_s
        with self._lock:
            now = self.clock()
            due = max(self._due.get(account, now), now)
            self._due[account] = due + every_s
            at = max(due - (self.at_first - 1) * every_s, self._held.get(account, now))
        if at > now:
            self.sleep(at - now)

    def hold(self, account: str, wait_s: float) -> None:
        """Let nobody change anything for ``wait_s`` seconds."""
        with self._lock:
            until = self.clock() + wait_s
            self._held[account] = max(until, self._held.get(account, until))
