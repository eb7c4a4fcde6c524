"""The kinds of rules that a generated world may hold, each of which can be left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import pandas as pd

from models.errors import NOWHERE, Fault, FaultyInput


class Kind(StrEnum):
    """What binds an invented company, or what it decides about."""

    LATENCY = "latency"
    RESIDENCY = "residency"
    CERTIFICATION = "certification"
    ALLOWED_PLACES = "allowed_places"
    SPREAD = "spread"
    SPOT_SHARE = "spot_share"
    QUOTAS = "quotas"
    BUDGETS = "budgets"
    WORKFLOWS = "workflows"
    TRANSFER = "transfer"  # calls between services carry data that is paid for
    COMMITMENTS = "commitments"
    SCENARIOS = "scenarios"


_KIND_OF_RULE: Final = {"quota": Kind.QUOTAS, "budget": Kind.BUDGETS}


@dataclass(frozen=True, eq=False)
class Strict:
    """Ask for rules that bind: which ``kinds`` of them.

    ``offerings`` (columns of a price book) say what a fleet would cost and run without limits, so
    that limits can be set below.
    """

    offerings: pd.DataFrame
    kinds: frozenset[Kind] = frozenset(Kind)

    @property
    def in_words(self) -> str:
        if self.kinds == frozenset(Kind):
            return "all"
        return "+".join(kind for kind in Kind if kind in self.kinds) or "none"


def kinds_named(rules: str | None, without: str = "") -> frozenset[Kind] | None:
    """The kinds that ``rules`` names (``all``, ``none``, or some, by commas) less ``without``.

    None when no rules are asked for. Raises ``FaultyInput`` with every name that is unknown.
    """
    named = {"all": list(Kind), "none": []}.get(rules or "", _names(rules or ""))
    dropped = _names(without)
    unknown = [name for name in (*named, *dropped) if name not in {*Kind}]
    hint = f"choose from all, none, {', '.join(Kind)}"
    faults = [Fault(NOWHERE, f"there is no kind of rules {name!r}", hint) for name in unknown]
    if rules is None and dropped:
        faults.append(Fault(NOWHERE, "--without leaves kinds out of --rules", "add --rules all"))
    if faults:
        raise FaultyInput(faults)
    return None if rules is None else frozenset(map(Kind, named)) - frozenset(map(Kind, dropped))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def of_kinds(rules: Iterable[dict[str, Any]], kinds: frozenset[Kind]) -> list[dict[str, Any]]:
    """The rules, as a world file has them, whose kinds are wanted."""
    return [rule for rule in rules if _KIND_OF_RULE.get(rule["kind"], rule["kind"]) in kinds]
