"""What AWS sells in tests: rows of its answers, each of which must fit botocore's own model."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import botocore.session
from botocore.validate import ParamValidator

Facts = dict[str, Any]
_MODELS: Final = botocore.session.Session()
_VALIDATOR: Final = ParamValidator()


def checked(service: str, operation: str, answer: Facts) -> Facts:
    """``answer``, if botocore's model of the operation lets it be one."""
    shape = _MODELS.get_service_model(service).operation_model(operation).output_shape
    assert shape is not None
    report = _VALIDATOR.validate(answer, shape)
    assert not report.has_errors(), report.generate_report()
    return answer


@dataclass
class Sold:
    """What our own services answer: rows as AWS's APIs give them. Tests change it at will."""

    products: list[Facts] = field(default_factory=list)
    spot: list[Facts] = field(default_factory=list)
    plans: list[Facts] = field(default_factory=list)
    uses: dict[str, str] = field(default_factory=dict)
    """ARN of a savings plan: percent of it that is used."""
    rates: list[Facts] = field(default_factory=list)
    reservations: list[Facts] = field(default_factory=list)
    quotas: list[Facts] = field(default_factory=list)
    activities: list[Facts] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)
    """Metric: what CloudWatch says of its series, if not that they are whole."""
    odd: dict[str, list[Facts]] = field(default_factory=dict)
    """More rows of an answer, by the key that it has them under."""
    not_enabled: frozenset[str] = frozenset()
    """Regions that no account may use."""
    families: frozenset[str] = frozenset()
    """Of instance types that there are; none: all that there are in AWS."""
    lacking: set[str] = field(default_factory=set)
    """Instance types of which there are no more."""
    page: int = 100
    """Rows in a page of our own answers, at most."""
    circular: set[str] = field(default_factory=set)
    """Operations whose last page is followed by the first."""
    break_at: dict[str, int] = field(default_factory=dict)
    """Operation: the page, from 0, at which it fails."""

    def paged(self, operation: str, rows: list[Facts], token: str | None) -> tuple[Any, str]:
        """Rows of a page, and the token of the next; tokens are offsets."""
        start = int(token or 0)
        if self.break_at.get(operation) == start // self.page:
            raise Broken
        end = start + self.page
        if operation in self.circular:
            return rows[start:end], str(end) if end < len(rows) else "0"
        return rows[start:end], str(end) if end < len(rows) else ""


class Broken(Exception):
    """The service fails here."""


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
