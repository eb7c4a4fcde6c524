"""The step of the SDK's pipeline that keeps changes of a subscription to a pace."""

from __future__ import annotations

import re
from typing import Any, Final

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy, RetryPolicy

from providers.pace import Pace

_SUBSCRIPTION: Final = re.compile(r"/subscriptions/([^/?]+)", re.IGNORECASE)
_LOOKS: Final = frozenset({"GET", "HEAD"})
_THROTTLED: Final = 429
_RETRIES: Final[RetryPolicy[Any, Any]] = RetryPolicy()
"""Knows the headers in which the wait may stand."""


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
