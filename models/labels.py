"""Names from outside, fit to be kept and printed."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 500
CONTROLS: Final = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""What may stand in no name, as a class of characters in a pattern: C0 and C1 controls, line
separators, bidirectional overrides and isolates. They would let a name forge lines of a report or
a log."""
UNSEEN: Final = re.compile(rf"[{CONTROLS}\ud800-\udfff]+")
"""These and lone surrogates, which no file takes."""


def cleaned(name: str, longest: int = LONGEST) -> str:
    """A name on one line without control characters, at most ``longest`` characters of it."""
    return UNSEEN.sub(" ", name[: 2 * longest]).strip()[:longest]
