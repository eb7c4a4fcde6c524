"""Until when work may go on, by whichever clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Deadline:
    """An instant on ``clock``, in seconds. Benchmarks on busy machines use ``process_time``."""

    at_s: float
    clock: Callable[[], float] = perf_counter

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = perf_counter) -> Deadline:
        return cls(clock() + seconds, clock)

    @property
    def left_s(self) -> float:
        return self.at_s - self.clock()

    @property
    def passed(self) -> bool:
        return self.left_s <= 0

    def within(self, share: float) -> Deadline:
        """The end of the first ``share`` of what is left."""
        return Deadline.after(share * self.left_s, self.clock)
