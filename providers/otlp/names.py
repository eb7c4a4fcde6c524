"""Names from outside as small numbers, and never more of them than there is room for."""

from __future__ import annotations

from typing import Final

from models.labels import cleaned

NOTHING: Final = 0
"""The number of the empty name."""
OTHER: Final = "(other)"
"""What all names are that came when there was no room."""
LONGEST: Final = 200
FORGET_AFTER_S: Final = 3600.0
_SWEEP_EVERY_S: Final = 60.0


class Names:
    """Numbers for at most ``most`` names.

    What is not seen for ``FORGET_AFTER_S`` makes room, and its number goes to another name: nobody
    may hold a number for so long. ``folded`` counts how often a name became ``OTHER``.
    """

    def __init__(self, most: int) -> None:
        self.folded = 0
        self._most = most
        self._numbers = {"": NOTHING, OTHER: 1}
        self._names = ["", OTHER]
        self._seen_at = [0.0, 0.0]
        self._free: list[int] = []
        self._swept_at = float("-inf")

    def number(self, name: str, now: float) -> int:
        """The number of ``name``, seen at ``now`` [s]."""
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers.get(name := cleaned(name, LONGEST))
        if number is None:
            number = self._new(name, now)
        self._seen_at[number] = now
        return number

    def name(self, number: int) -> str:
        return self._names[number]

    def __len__(self) -> int:
        return len(self._numbers) - 2

    def _new(self, name: str, now: float) -> int:
        if len(self) >= self._most:
            self._sweep(now)
        if len(self) >= self._most:
            self.folded += 1
            return self._numbers[OTHER]
        if self._free:
            number = self._free.pop()
            self._names[number] = name
        else:
            number = len(self._names)
            self._names.append(name)
            self._seen_at.append(now)
        self._numbers[name] = number
        return number

    def _sweep(self, now: float) -> None:
        if now < self._swept_at + _SWEEP_EVERY_S:
            return
        self._swept_at = now
        old = [n for n, at in enumerate(self._seen_at) if n > 1 and at < now - FORGET_AFTER_S]
        for number in old:
            if self._numbers.get(self._names[number]) == number:
                del self._numbers[self._names[number]]
                self._free.append(number)
