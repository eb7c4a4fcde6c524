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
        while True:
            with self._lock:
                now, held = self.clock(), self._held.get(account)
                due = max(self._due.get(account, now), now)
                self._due[account] = due + 1.0 / self.per_s
                at = due - self._ahead_s
            if at > now:
                self.sleep(at - now)
            with self._lock:
                if self._held.get(account) == held:
                    return  # else the cloud asked to wait in the meantime

    def hold(self, account: str, wait_s: float) -> None:
        """Let nobody change anything for ``wait_s`` seconds, and then one after the other."""
        with self._lock:
            until = self.clock() + wait_s
            self._held[account] = max(until, self._held.get(account, until))
            due = self._held[account] + self._ahead_s
            self._due[account] = max(due, self._due.get(account, due))

    @property
    def _ahead_s(self) -> float:
        """How long before it is due a change may be made."""
        return (self.at_first - 1) / self.per_s
