"""Names from outside, fit to be kept and printed."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 500
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


def cleaned(name: str, longest: int = LONGEST) -> str:
    """A name on one line without control characters, at most ``longest`` characters of it."""
    return _UNSEEN.sub(" ", name[: 2 * longest]).strip()[:longest]
