"""What a second look at a plan found, as a JSON document, and that document's schema."""

from __future__ import annotations

from typing import Final

from optimizer.output.json_values import Document, finite_or_null, usd_or_null, utc_text
from optimizer.output.money import decimal_text, usd_per_month
from optimizer.output.shapes import (
    COUNT,
    FLAG,
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
from optimizer.verify.findings import BoundState, Subject, Verdict, Verification, Violation

VERIFICATION_FORMAT: Final = "trimtab-verification"
VERIFICATION_VERSION: Final = 1


def verification_document(found: Verification) -> Document:
    """Everything that was found; money is exact decimal text, times are UTC."""
    bill, bound = found.bill, found.bound
    return {
        "format": VERIFICATION_FORMAT,
        "version": VERIFICATION_VERSION,
        "verdicts": [verdict.value for verdict in found.verdicts],
        "holds": found.holds,
        "file": found.file,
        "world": {
            "name": found.world.name,
            "where": str(found.world.at),
            "rules": len(found.world.rules),
            "named_in_file": found.world_is_named,
        },
        "starts": utc_text(found.world.starts),
        "hours": bill.hours,
        "bill": {
            "stated_usd": None if found.claimed_usd is None else decimal_text(found.claimed_usd),
            "found_usd": decimal_text(bill.total_usd),
            "found_usd_per_month": decimal_text(usd_per_month(bill.total_usd, bill.hours)),
        },
        "bound": {
            "state": bound.state.value,
            "words": bound.words,
            "stated_usd": _usd(bound.claimed_usd),
            "derived_usd": _usd(bound.derived_usd),
            "how": bound.how,
            "seconds": finite_or_null(bound.seconds),
        },
        "violations": [_violation(violation) for violation in found.violations],
        "differences": [
            {
                "subject": difference.subject.value,
                "pointer": difference.pointer,
                "what": difference.what,
                "stated": difference.stated,
                "found": difference.found,
            }
            for difference in found.differences
        ],
        "not_checked": [{"what": one.what, "why": one.why} for one in found.not_checked],
    }


def _violation(violation: Violation) -> Document:
    return {
        "rule": violation.rule,
        "in_words": violation.in_words,
        "where": str(violation.at),
        "what": violation.what,
        "service": violation.service,
        "place": violation.place,
        "hours": list(violation.hours),
        "by": finite_or_null(violation.by),
        "unit": violation.unit,
    }


def _usd(amount: float | None) -> str | None:
    return None if amount is None else usd_or_null(amount)


def verification_schema() -> Document:
    """Schema of what ``verification_document`` makes."""
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "trimtab verification",
        "description": "What a second look at a plan found. Money is exact decimal text in US "
        "dollars, over the hours of the plan unless the name says per month.",
        **record(
            format={"const": VERIFICATION_FORMAT},
            version={"const": VERIFICATION_VERSION},
            verdicts=said(
                list_of(one_of([verdict.value for verdict in Verdict])),
                "verified alone, or everything that does not hold",
            ),
            holds=FLAG,
            file=TEXT,
            world=record(
                name=TEXT,
                where=TEXT,
                rules=COUNT,
                named_in_file=said(FLAG, "whether the file carries digests of its world"),
            ),
            starts=MOMENT,
            hours=COUNT,
            bill=record(
                stated_usd=said(USD_OR_NULL, "null when the file states no bill"),
                found_usd=USD,
                found_usd_per_month=USD,
            ),
            bound=record(
                state=one_of([state.value for state in BoundState]),
                words=TEXT,
                stated_usd=USD_OR_NULL,
                derived_usd=said(USD_OR_NULL, "no lawful plan costs less: proven anew"),
                how=TEXT,
                seconds=NUMBER_OR_NULL,
            ),
            violations=list_of(
                record(
                    rule=said(TEXT, "name of the rule, or of what every plan must keep"),
                    in_words=TEXT,
                    where=said(TEXT, "file and line; empty for what nobody needs to write"),
                    what=TEXT,
                    service=TEXT,
                    place=TEXT,
                    hours=said(list_of(COUNT), "hours of the plan; empty: in all of them"),
                    by=said(NUMBER_OR_NULL, "in the worst of these hours"),
                    unit=TEXT,
                )
            ),
            differences=list_of(
                record(
                    subject=one_of([subject.value for subject in Subject]),
                    pointer=said(TEXT, "JSON pointer (RFC 6901) into the file"),
                    what=TEXT,
                    stated=TEXT,
                    found=TEXT,
                )
            ),
            not_checked=list_of(record(what=TEXT, why=TEXT)),
        ),
    }
