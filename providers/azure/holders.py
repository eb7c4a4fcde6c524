"""Whose a contract is, and how much of it is used: the same for reservations and savings plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

TERMS: Final = {"p1y": 1, "p3y": 3, "p5y": 5}
"""Years, by Azure's word for a term in lower case."""


def holder_of(ours: Sequence[str], single: bool, applied: Iterable[str], payer: str) -> str:
    """The subscription under which a contract is shown, so that it is shown once.

    The one that alone it applies to (empty when that is none of ``ours``); else the one that pays;
    else the first that is looked at, which shares in it.
    """
    if single:
        return next((one for one in applied if one in ours), "")
    return payer if payer in ours else ours[0]


def subscription_in(scope: str) -> str:
    """The subscription that an id is in; empty for what is in none."""
    parts = scope.lower().strip("/").split("/")
    return parts[1] if len(parts) > 1 and parts[0] == "subscriptions" else ""


def used_share(stated: Iterable[tuple[float | None, float | None]]) -> float | None:
    """Of days and percents, the share of the longest stretch; None when nothing is said."""
    said = [(days or 0.0, percent) for days, percent in stated if percent is not None]
    return min(max(said)[1] / 100.0, 1.0) if said else None
