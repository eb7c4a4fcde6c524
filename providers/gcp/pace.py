"""How fast a project is changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

PER_S: Final = 10.0
"""Changes per second in each project: well below what Google's quotas of a new project allow."""
BURST: Final = 20
"""So many go at once after a rest."""


@dataclass(eq=False)
class Pace:
    """Lets changes of a project pass at ``per_s``, ``burst`` at once. For several threads."""

    per_s: float = PER_S
    burst: int = BURST
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _next: dict[str, float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def wait(self, project: str) -> None:
        """Return when it is this caller's turn."""
        with self._lock:
            now = self.clock()
            turn = max(self._next.get(project, 0.0), now - (self.burst - 1) / self.per_s)
            self._next[project] = turn + 1.0 / self.per_s
        if turn > now:
            self.sleep(turn - now)
