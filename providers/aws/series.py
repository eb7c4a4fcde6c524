"""Series of CloudWatch's, read whole or said not to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from models.cloud_errors import CloudFailed, Denied, Unavailable
from providers.aws.clients import Account, pages
from providers.aws.errors import Later, translated

Values = Mapping[datetime, float]

COMPLETE: Final = "Complete"
_FORBIDDEN: Final = "Forbidden"


def series_of(
    account: Account,
    region: str,
    queries: Sequence[Mapping[str, Any]],
    starts: datetime,
    ends: datetime,
    later: Later,
    **asked: Any,
) -> Iterator[tuple[int, Values]]:
    """Values by time of each query, by its number; a series may come in several pieces.

    A series that CloudWatch does not give, or not whole, is noted in ``later``; an answer that does
    not come is raised.
    """
    numbered = [{**query, "Id": f"q{i}"} for i, query in enumerate(queries)]
    about = account.asked("GetMetricData", region)
    said: dict[int, str] = {}
    try:
        for page in pages(
            account, account.cloudwatch(region), "get_metric_data", "MetricDataResults",
            MetricDataQueries=numbered, StartTime=starts, EndTime=ends, **asked,
        ):  # fmt: skip
            with translated(about):
                found = []
                for one in page:
                    number = int(one["Id"][1:])
                    said[number] = str(one.get("StatusCode", COMPLETE))
                    values = dict(zip(one["Timestamps"], one["Values"], strict=True))
                    found.append((number, values))
            yield from found
    finally:
        lacking = {number: status for number, status in said.items() if status != COMPLETE}
        if lacking:
            number, status = next(iter(lacking.items()))
            metric = queries[number]["MetricStat"]["Metric"]["MetricName"]
            kind: type[CloudFailed] = Denied if status == _FORBIDDEN else Unavailable
            many = f"{len(lacking)} of {len(queries)} series are not whole, {metric} for one"
            later.note(kind(about, status, many))
