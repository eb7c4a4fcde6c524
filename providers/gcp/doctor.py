"""Whether Google Cloud can be worked with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import requests

from models.cloud_errors import CloudFailed, Denied, NotFound
from providers.gcp.clients import CLOUD, Clients, asked
from providers.gcp.errors import translated
from providers.gcp.inventory import GcpInventory
from providers.gcp.metrics import GcpMetrics
from providers.seam import Finding, Scope, Severity, Unreached, Window

_SKEW: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class GcpDoctor:
    """``providers.seam.Doctor`` of Google Cloud. Looks at one region of each project."""

    clients: Clients
    inventory: GcpInventory
    metrics: GcpMetrics
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def findings(self) -> Iterator[Finding]:
        looked = self.inventory.scopes()
        for one in looked.unreached:
            yield _unreached(one)
        scopes = looked.found
        yield self._clock()  # also when credentials fail: a wrong clock may be why
        if looked.unreached and not scopes:
            return
        yield Finding(CLOUD, "credentials", Severity.FINE, f"{len(scopes)} regions may be asked")
        for scope in {one.account: one for one in reversed(scopes)}.values():
            yield from self._permissions(scope)
        yield self._prices()

    def _permissions(self, scope: Scope) -> Iterator[Finding]:
        now = self.clock()
        window = Window(now - timedelta(hours=1), now, 3600)
        looks: tuple[tuple[str, Callable[[], object]], ...] = (
            ("instances", lambda: next(self.inventory.instances(scope), None)),
            ("groups", lambda: next(self.inventory.groups(scope), None)),
            ("instance types", lambda: next(self.inventory.instance_types(scope), None)),
            ("commitments", lambda: next(self.inventory.commitments(scope), None)),
            ("measurements", lambda: next(self.metrics.samples(scope, window), None)),
        )
        for about, look in looks:
            try:
                look()
            except CloudFailed as error:
                yield Finding(
                    CLOUD, f"permissions: {about}", Severity.FAILED, f"{scope}: {error.said}",
                    _remedy(error),
                )  # fmt: skip
            else:
                yield Finding(CLOUD, f"permissions: {about}", Severity.FINE, f"{scope}: readable")

    def _clock(self) -> Finding:
        """Any answer has a date; nobody need be known for it."""
        project = self.inventory.regions.projects[0]
        what = asked("compute.regions.list", project)
        url = f"{self.clients.address}/compute/v1/projects/{project}/regions"
        limit = self.clients.patience.over_http
        try:
            answer = translated(what, lambda: requests.get(url, timeout=limit))
        except CloudFailed as error:
            return Finding(CLOUD, "clock", Severity.FAILED, error.said, _remedy(error))
        try:
            theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
        except ValueError:
            return Finding(CLOUD, "clock", Severity.WARNING, "Google's answer has no date")
        skew = abs(self.clock() - theirs)
        said = f"{skew.total_seconds():.0f} s from Google's"
        if skew > _SKEW:
            return Finding(
                CLOUD, "clock", Severity.FAILED, said,
                "set this machine's clock: tokens are refused when it is wrong",
            )  # fmt: skip
        return Finding(CLOUD, "clock", Severity.FINE, said)

    def _prices(self) -> Finding:
        try:
            rates = self.inventory.catalog.rates()
        except CloudFailed as error:
            return Finding(CLOUD, "prices", Severity.FAILED, error.said, _remedy(error))
        if not rates:
            said = "the catalogue states no rate"
            return Finding(CLOUD, "prices", Severity.FAILED, said, "collect later")
        sound = [rate.as_of for rate in rates.values() if not rate.wrong]
        if not sound:
            why = next(iter(rates.values())).wrong
            said = f"the catalogue states no usable rate: {why}"
            return Finding(CLOUD, "prices", Severity.FAILED, said, "collect later")
        hours = (self.clock() - min(sound)).total_seconds() / 3600.0
        said = f"{len(sound)} of {len(rates)} rates are usable, the oldest {hours:.0f} hours old"
        return Finding(CLOUD, "prices", Severity.FINE, said)


def _unreached(one: Unreached) -> Finding:
    said = f"{one.scope}: {one.failure.said}"
    about, remedy = "reachability", _remedy(one.failure)
    if isinstance(one.failure, Denied):
        about = "credentials"
    elif one.scope.region:
        about = "regions"
        if isinstance(one.failure, NotFound):
            remedy = "correct `regions` in the collection file, or leave it out for all"
    elif isinstance(one.failure, NotFound):
        remedy = "correct `projects` in the collection file: they are ids, not names"
    return Finding(CLOUD, about, Severity.FAILED, said, remedy)


def _remedy(error: CloudFailed) -> str:
    if isinstance(error, Denied):
        return (
            "run `gcloud auth application-default login`, or grant the role of "
            "docs/clouds/gcp.md to the account"
        )
    return error.next_step
