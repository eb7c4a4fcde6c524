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
    binding: tuple[Binding, ...]
    slack: tuple[Binding, ...]
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
    by_rule = exclusions.groupby("rule", sort=True)
    words = {name: rule.in_words for name, rule in rules.items()}
    groups = sorted(by_rule, key=lambda item: (-len(item[1]), str(item[0])))
    return Constraints(
        binding=tuple(shown for _, shown in tight),
        slack=tuple(shown for _, shown in slack),
        excluded=tuple(_excluded(str(name), words, rows) for name, rows in groups[:MOST_RULES]),
        excluded_options=len(exclusions),
        rules_left_out=max(0, len(groups) - MOST_RULES),
    )


def _excluded(name: str, words: dict[str, str], rows: pd.DataFrame) -> ExcludedBy:
    services = list(rows["service"].astype(str).unique())
    counted = rows["reason"].astype(str).value_counts(sort=False)
    order = sorted(counted.items(), key=lambda item: (-int(item[1]), str(item[0])))
    shown = rows[rows["reason"].isin([reason for reason, _ in order[:MOST_REASONS]])]
    examples = {
        str(reason): (group["service"].astype(str) + " in " + group["place"].astype(str)).tolist()
        for reason, group in shown.groupby("reason", sort=False)
    }
    reasons = tuple(
        Reason(str(reason), int(count), listed(examples[str(reason)], 4))
        for reason, count in order[:MOST_REASONS]
    )
    return ExcludedBy(
        rule=name,
        words=words.get(name, "no offering there can hold the service"),
        options=len(rows),
        services=listed(services) if len(services) <= 4 else plural(len(services), "service"),
        reasons=reasons,
        left_out=max(0, len(order) - MOST_REASONS),
    )
