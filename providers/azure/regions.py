"""Where Azure's subscriptions may have machines."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final

from azure.core.rest import HttpRequest

from models.cloud_errors import Asked, CloudFailed, NotFound
from providers.azure.clients import Clients
from providers.azure.errors import CLOUD, translated
from providers.azure.remembered import Remembered
from providers.azure.resources import region_of
from providers.seam import Scope, Scopes, Unreached
from scenarios.faults import nearest

_VERSION: Final = "2021-04-01"
_AT_ONCE: Final = 16
"""Subscriptions that are asked at once."""
Described = Mapping[str, Any]


@dataclass(eq=False)
class Regions:
    """The regions that are open to each subscription, as its compute service says."""

    clients: Clients
    _described: Remembered[str, Described] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._described = Remembered(self._describe, self.clients.access.states_age_s)

    def described(self, subscription: str) -> Described:
        """What the resource manager says of Azure's compute service in a subscription."""
        return self._described.of(subscription)

    def open_to(self, subscription: str) -> tuple[str, ...]:
        """Regions where a subscription may have machines.

        The compute service says so itself in one small answer; the list of all sizes, which says
        it too, has tens of megabytes.
        """
        described = self.described(subscription)
        with translated(Asked(CLOUD, "providers.get", subscription)):
            (places,) = (
                kind["locations"]
                for kind in described["resourceTypes"]
                if kind["resourceType"] == "virtualMachines"
            )
            return tuple(sorted({region_of(place) for place in places if _is_public(place)}))

    def of_all(self) -> dict[str, tuple[str, ...] | CloudFailed]:
        """The open regions of every subscription, or why they are not known; all asked at once."""
        return _each(self.clients.subscriptions, self.open_to)

    def scopes(self) -> Scopes:
        """Every subscription in its regions, and once without one: savings plans are of none."""
        found: list[Scope] = []
        unreached: list[Unreached] = []
        for subscription, open_ones in self.of_all().items():
            of_none = Scope(CLOUD, subscription, "")
            if isinstance(open_ones, CloudFailed):
                unreached.append(Unreached(of_none, open_ones))
                continue
            found.append(of_none)
            for region in self.clients.regions or open_ones:
                scope = Scope(CLOUD, subscription, region)
                if region in open_ones:
                    found.append(scope)
                else:
                    unreached.append(closed(scope, open_ones))
        return Scopes(tuple(sorted(found)), tuple(sorted(unreached, key=lambda one: one.scope)))

    def _describe(self, subscription: str) -> Described:
        with translated(Asked(CLOUD, "providers.get", subscription)):
            address = f"{self.clients.management}/subscriptions/{subscription}"
            answer = self.clients.compute(subscription).send_request(HttpRequest(
                "GET", f"{address}/providers/Microsoft.Compute", params={"api-version": _VERSION}
            ))  # fmt: skip
            answer.raise_for_status()
            found = answer.json()
            if not isinstance(found, dict):
                raise ValueError("the compute service is not described")
            return found


def closed(scope: Scope, open_ones: Collection[str]) -> Unreached:
    """A region that was asked for and is none of those that are open."""
    asked = Asked(CLOUD, "regions", scope.account, scope.place)
    said = (
        f"there is no region {scope.region}, or it is not open; {nearest(scope.region, open_ones)}"
    )
    return Unreached(scope, NotFound(asked, "UnknownRegion", said))


def _is_public(place: str) -> bool:
    """Not one of the regions where Microsoft tries what is new."""
    return re.search(r"EUAP|Stage", place) is None


def _each(
    names: Collection[str], ask: Callable[[str], tuple[str, ...]]
) -> dict[str, tuple[str, ...] | CloudFailed]:
    """What ``ask`` says of every name, several at once."""
    waiting: SimpleQueue[str] = SimpleQueue()
    for name in names:
        waiting.put(name)
    said: dict[str, tuple[str, ...] | Exception] = {}

    def work() -> None:
        while True:
            try:
                name = waiting.get_nowait()
            except Empty:
                return
            try:
                said[name] = ask(name)
            except Exception as error:  # noqa: BLE001  raised where answers are waited for
                said[name] = error

    # Daemons: a subscription that never answers must not keep the process alive.
    threads = [Thread(target=work, daemon=True) for _ in range(min(_AT_ONCE, len(names)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers: dict[str, tuple[str, ...] | CloudFailed] = {}
    for name in names:
        answer = said[name]
        if isinstance(answer, Exception) and not isinstance(answer, CloudFailed):
            raise answer
        answers[name] = answer
    return answers
