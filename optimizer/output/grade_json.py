"""A grade as a JSON document and as a table, and the schema of the document."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import pandas as pd

from optimizer.grade import LETTERS, Grade, Part, Standing
from optimizer.output.json_values import Document, utc_text
from optimizer.output.money import decimal_text, usd_per_month
from optimizer.output.shapes import (
    COUNT,
    MOMENT,
    NUMBER_OR_NULL,
    SCHEMA_DIALECT,
    TEXT,
    USD,
    USD_OR_NULL,
    list_of,
    one_of,
    record,
    said,
)

GRADE_FORMAT: Final = "trimtab-grade"
GRADE_VERSION: Final = 1
GRADE_COLUMNS: Final[dict[str, str]] = {
    "cut": "all, team, cloud or service",
    "name": "of the team, cloud or service",
    "today_usd_per_month": "what is paid today",
    "plan_usd_per_month": "what the same work costs in the plan",
    "wasted_usd_per_month": "the difference; negative where the plan pays more",
    "wasted_share": "of what is paid today; empty where nothing is",
    "too_much_usd_per_month": "of it: replica hours beyond need, at today's price",
    "too_dear_usd_per_month": "of it: what is needed, at today's price instead of the plan's",
    "transfer_usd_per_month": "of it: data transfer",
}
CUTS: Final = ("team", "cloud", "service")


def grade_document(grade: Grade) -> Document:
    """Everything that is proven about today's spending. Money is exact decimal text, a month."""
    world, today = grade.plan.world, grade.plan.today
    return {
        "format": GRADE_FORMAT,
        "version": GRADE_VERSION,
        "world": {"name": world.name, "where": str(world.at)},
        "prices": {"book": world.book.name, "as_of": world.book.as_of.isoformat()},
        "starts": utc_text(grade.plan.placement.starts),
        "hours": grade.plan.placement.hours,
        "standing": grade.standing.value,
        "grade": grade.letter,
        "grade_at_worst": grade.letter_at_worst,
        "wasted_at_least": _number(grade.at_least),
        "wasted_at_most": _number(grade.at_most),
        "today_usd_per_month": _month(grade, grade.whole.today_usd),
        "plan_usd_per_month": _month(grade, grade.whole.plan_usd),
        "bound_usd_per_month": None if grade.bound_usd is None else _month(grade, grade.bound_usd),
        "all": _part(grade, grade.whole),
        "teams": [_part(grade, part) for part in grade.teams],
        "clouds": [_part(grade, part) for part in grade.clouds],
        "services": [_part(grade, part) for part in grade.services],
        "broken": [
            {
                "rule": broken.rule.name,
                "in_words": broken.rule.in_words,
                "where": str(broken.rule.at),
                "how": broken.how,
            }
            for broken in today.broken
        ],
        "short": list(grade.short),
        "unpriced": [
            {
                "service": group.service,
                "place": group.place,
                "instance_type": group.instance_type,
                "purchase": group.purchase.value,
                "count": group.count,
                "where": str(group.at),
            }
            for group in today.unpriced
        ],
    }


def grade_table(grade: Grade) -> pd.DataFrame:
    """One row for all, for every team, cloud and service, with the columns of GRADE_COLUMNS."""
    cuts = (
        ("all", (grade.whole,)),
        ("team", grade.teams),
        ("cloud", grade.clouds),
        ("service", grade.services),
    )
    rows = [
        (
            cut,
            "" if cut == "all" else part.name,
            *(_monthly(grade, usd) for usd in (part.today_usd, part.plan_usd, part.wasted_usd)),
            "" if part.wasted_share is None else f"{part.wasted_share:.6f}",
            *(
                _monthly(grade, usd)
                for usd in (part.too_much_usd, part.too_dear_usd, part.transfer_usd)
            ),
        )
        for cut, parts in cuts
        for part in parts
    ]
    return pd.DataFrame(rows, columns=list(GRADE_COLUMNS), dtype=object)


def _part(grade: Grade, part: Part) -> Document:
    return {
        "name": part.name,
        "today_usd_per_month": _month(grade, part.today_usd),
        "plan_usd_per_month": _month(grade, part.plan_usd),
        "wasted_usd_per_month": _month(grade, part.wasted_usd),
        "wasted_share": _number(part.wasted_share),
        "too_much_usd_per_month": _month(grade, part.too_much_usd),
        "too_dear_usd_per_month": _month(grade, part.too_dear_usd),
        "transfer_usd_per_month": _month(grade, part.transfer_usd),
    }


def _monthly(grade: Grade, usd: Decimal) -> Decimal:
    return usd_per_month(usd, grade.plan.placement.hours)


def _month(grade: Grade, usd: Decimal) -> str:
    return decimal_text(_monthly(grade, usd))


def _number(share: Decimal | None) -> float | None:
    return None if share is None else float(share)


def grade_schema() -> Document:
    """Schema of what ``grade_document`` makes."""
    part = record(
        name=TEXT,
        **{
            name: said(NUMBER_OR_NULL if name == "wasted_share" else USD, words)
            for name, words in GRADE_COLUMNS.items()
            if name not in ("cut", "name")
        },
    )
    letters = [letter for letter, _ in LETTERS]
    grade = {"enum": [*letters, "F", None]}
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "trimtab grade",
        "description": "How much of today's spending is provably wasted. Money is exact decimal "
        "text in US dollars, a month of 730 hours, to the cent.",
        **record(
            format={"const": GRADE_FORMAT},
            version={"const": GRADE_VERSION},
            world=record(name=TEXT, where=TEXT),
            prices=record(book=TEXT, as_of={"type": "string", "format": "date"}),
            starts=MOMENT,
            hours=COUNT,
            standing=one_of([standing.value for standing in Standing]),
            grade=said(grade, "for wasted_at_least; null when nothing can be compared"),
            grade_at_worst=said(grade, "for wasted_at_most"),
            wasted_at_least=said(NUMBER_OR_NULL, "share of each dollar, proven by the plan"),
            wasted_at_most=said(NUMBER_OR_NULL, "share of each dollar, proven by the bound"),
            today_usd_per_month=USD,
            plan_usd_per_month=USD,
            bound_usd_per_month=said(USD_OR_NULL, "no lawful fleet costs less"),
            all=part,
            teams=list_of(part),
            clouds=list_of(part),
            services=list_of(part),
            broken=list_of(record(rule=TEXT, in_words=TEXT, where=TEXT, how=TEXT)),
            short=said(list_of(TEXT), "services that cannot carry the planned peak today"),
            unpriced=list_of(
                record(
                    service=TEXT,
                    place=TEXT,
                    instance_type=TEXT,
                    purchase=TEXT,
                    count=COUNT,
                    where=TEXT,
                )
            ),
        ),
    }
