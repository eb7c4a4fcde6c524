"""How fast things are changed in a subscription: no faster than Azure likes, whoever asks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy, RetryPolicy

_SUBSCRIPTION: Final = re.compile(r"/subscriptions/([^/?]+)", re.IGNORECASE)
_LOOKS: Final = frozenset({"GET", "HEAD"})
_THROTTLED: Final = 429
_RETRIES: Final[RetryPolicy[Any, Any]] = RetryPolicy()
"""Knows the headers in which the wait may stand."""


@dataclass(eq=False)
class Pace:
    """``per_s`` changes a second of each subscription, after ``at_first`` at once; and none while
    Azure asked to wait.
    """

    per_s: float
    at_first: int
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _due: dict[str, float] = field(default_factory=dict, repr=False)
    _held: dict[str, float] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def wait(self, subscription: str) -> None:
        """Return when the next change may be asked for."""
        every_s = 1.0 / self.per_s
        with self._lock:
            now = self.clock()
            due = max(self._due.get(subscription, now), now)
            self._due[subscription] = due + every_s
            at = max(due - (self.at_first - 1) * every_s, self._held.get(subscription, now))
        if at > now:
            self.sleep(at - now)

    def hold(self, subscription: str, wait_s: float) -> None:
        """Let nobody change anything for ``wait_s`` seconds."""
        with self._lock:
            until = self.clock() + wait_s
            self._held[subscription] = max(until, self._held.get(subscription, until))


class PacedChanges(HTTPPolicy[Any, Any]):
    """A step of the SDK's pipeline: what changes something waits for its turn, every attempt."""

    def __init__(self, pace: Pace, longest_wait_s: float) -> None:
        super().__init__()
        self._pace, self._longest_wait_s = pace, longest_wait_s

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        match = _SUBSCRIPTION.search(request.http_request.url)
        if match is None or request.http_request.method in _LOOKS:
            return self.next.send(request)
        subscription = match[1].lower()
        self._pace.wait(subscription)
        response = self.next.send(request)
        if response.http_response.status_code == _THROTTLED:
            wait_s = min(_RETRIES.get_retry_after(response) or 0.0, self._longest_wait_s)
            self._pace.hold(subscription, wait_s)
        return response
