"""Doctors of all clouds at once: findings come as they are found, and no cloud holds others up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from models.cloud_errors import Asked, Denied
from optimizer.examine import examine
from providers.seam import Finding, Severity
from providers.simulated.script import Outage


class _Doctor:
    """Finds that all is well, and goes on as it is told."""

    def __init__(self, cloud: str, then: Callable[[], None]) -> None:
        self.cloud, self.then = cloud, then

    def findings(self) -> Iterator[Finding]:
        yield Finding(self.cloud, "credentials", Severity.FINE, "found")
        self.then()
        yield Finding(self.cloud, "clock", Severity.FINE, "right")


def _examined(played: Callable[..., Any], deadline_s: float, **then: Any) -> Iterator[Finding]:
    _, providers = played()
    doctors = [
        replace(one, doctor=_Doctor(one.cloud, then.get(one.cloud, lambda: None)))
        for one in providers
    ]
    return examine(doctors, deadline_s)


def test_a_cloud_that_never_answers_holds_no_other_up(played: Callable[..., Any]) -> None:
    free = threading.Event()
    try:
        found = list(_examined(played, 0.5, aws=free.wait))
    finally:
        free.set()
    late = found[-1]
    assert (late.cloud, late.severity) == ("aws", Severity.FAILED)
    assert "0.5 s" in late.said
    assert "--deadline" in late.remedy
    assert sum(one.severity is Severity.FINE for one in found) == 5


def test_findings_come_as_they_are_found(played: Callable[..., Any]) -> None:
    free = threading.Event()
    found = _examined(played, 60.0, aws=free.wait, azure=free.wait, gcp=free.wait)
    assert {next(found).about for _ in range(3)} == {"credentials"}
    free.set()
    assert {one.about for one in found} == {"clock"}


def test_what_fails_is_a_finding(played: Callable[..., Any]) -> None:
    def denied() -> None:
        raise Denied(Asked("aws", "GetCallerIdentity"), "ExpiredToken", "too late")

    def broken() -> None:
        raise ZeroDivisionError("password=hunter2")

    found = list(_examined(played, 60.0, aws=denied, gcp=broken))
    bad = {one.cloud: one for one in found if one.severity is Severity.FAILED}
    assert bad["aws"].said == "ExpiredToken: too late"
    assert bad["aws"].about == "GetCallerIdentity"
    assert bad["gcp"].said == "a fault of trimtab's own: ZeroDivisionError: password=***"
    assert len(found) == 6


def test_the_end_of_the_process_is_none(played: Callable[..., Any]) -> None:
    def end() -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        list(_examined(played, 60.0, aws=end))


def test_a_place_that_is_down_hides_no_other(played: Callable[..., Any]) -> None:
    _, providers = played(Outage("aws/eu-central-1"))
    found = [one for one in examine(providers, 60.0) if one.cloud == "aws"]
    assert [(one.severity, one.said.partition(" of ")[0]) for one in found] == [
        (Severity.FINE, "aws/ap-southeast-1"),
        (Severity.FAILED, "Outage: aws/eu-central-1 is down"),
        (Severity.FINE, "aws/us-east-1"),
    ]
