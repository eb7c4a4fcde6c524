"""Rules that hold the cost up, and what rules shut out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from models.plan import Plan
from optimizer.report.wording import listed, plural

MOST_REASONS = 12
MOST_RULES = 60
MOST_LISTED = 200
MOST_EXAMPLES = 4


@dataclass(frozen=True, slots=True)
class Binding:
    """A rule without slack: ``tight`` of its ``rows`` conditions are met exactly."""

    rule: str
    words: str
    where: str
    why: str
    tight: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, how many (service, place) options it excludes, and some of them."""

    words: str
    options: int
    examples: str


@dataclass(frozen=True, slots=True)
class ExcludedBy:
    """What one rule shuts out; ``left_out`` reasons are not listed."""

    rule: str
    words: str
    options: int
    services: str
    reasons: tuple[Reason, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Constraints:
    """Rules that bind and rules with room to spare; the others are counted, not listed."""

    binding: tuple[Binding, ...]
    binding_left_out: int
    slack: tuple[Binding, ...]
    slack_left_out: int
    excluded: tuple[ExcludedBy, ...]
    excluded_options: int
    rules_left_out: int


def constraints(plan: Plan) -> Constraints:
    """Binding rules, rules that could be dropped for nothing, and exclusions by rule."""
    rules = {rule.name: rule for rule in plan.world.rules}
    tight: list[tuple[int, Binding]] = []
    slack: list[tuple[int, Binding]] = []
    table: Iterable[Any] = plan.placement.binding.itertuples(index=False)
    for row in table:
        rule = rules.get(str(row.rule))
        shown = Binding(
            rule=str(row.rule),
            words=str(row.in_words),
            where=str(row.where),
            why=rule.why if rule else "",
            tight=f"{row.binding_rows:,} of {row.rows:,}",
        )
        (tight if row.binding_rows else slack).append((int(row.binding_rows), shown))
    tight.sort(key=lambda item: (-item[0], item[1].rule))
    exclusions = plan.placement.exclusions
    by_rule = exclusions["rule"].astype(str)
    counted = sorted(by_rule.value_counts().items(), key=lambda item: (-item[1], str(item[0])))
    shown_rules = [str(name) for name, _ in counted[:MOST_RULES]]
    some = dict(list(exclusions[by_rule.isin(shown_rules)].groupby(by_rule, sort=False)))
    words = {name: rule.in_words for name, rule in rules.items() if name in some}
    return Constraints(
        binding=tuple(shown for _, shown in tight[:MOST_LISTED]),
        binding_left_out=max(0, len(tight) - MOST_LISTED),
        slack=tuple(shown for _, shown in slack[:MOST_LISTED]),
        slack_left_out=max(0, len(slack) - MOST_LISTED),
        excluded=tuple(_excluded(name, words, some[name]) for name in shown_rules),
        excluded_options=len(exclusions),
        rules_left_out=max(0, len(counted) - MOST_RULES),
    )


def _excluded(name: str, words: dict[str, str], rows: pd.DataFrame) -> ExcludedBy:
    services = list(rows["service"].astype(str).unique())
    counted = rows["reason"].astype(str).value_counts(sort=False)
    order = sorted(counted.items(), key=lambda item: (-int(item[1]), str(item[0])))
    reasons = []
    for reason, count in order[:MOST_REASONS]:
        first = rows[rows["reason"] == reason].head(MOST_EXAMPLES)
        names = [f"{s} in {p}" for s, p in zip(first["service"], first["place"], strict=True)]
        reasons.append(Reason(str(reason), int(count), listed(names, MOST_EXAMPLES, int(count))))
    return ExcludedBy(
        rule=name,
        words=words.get(name, "no offering there can hold the service"),
        options=len(rows),
        services=listed(services) if len(services) <= 4 else plural(len(services), "service"),
        reasons=tuple(reasons),
        left_out=max(0, len(order) - MOST_REASONS),
    )
