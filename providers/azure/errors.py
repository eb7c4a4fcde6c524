"""What Azure's SDK raises, in the words of ``models.cloud_errors``; the one place for it.

The cloud's own code says more than the status of the answer, so it is asked first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceResponseError,
)
from azure.core.paging import ItemPaged

from models.cloud_errors import (
    Asked,
    CapacityLacking,
    CloudFailed,
    Conflicting,
    Denied,
    NotAccepted,
    NotFound,
    QuotaReached,
    Throttled,
    Unavailable,
)
from models.errors import raise_alone

T = TypeVar("T")

CLOUD: Final = "azure"

_BY_CODE: Final[dict[str, type[CloudFailed]]] = {
    "AllocationFailed": CapacityLacking,
    "AllocationTimeout": CapacityLacking,
    "OverconstrainedAllocationRequest": CapacityLacking,
    "OverconstrainedZonalAllocationRequest": CapacityLacking,
    "SkuNotAvailable": CapacityLacking,
    "ZonalAllocationFailed": CapacityLacking,
    "QuotaExceeded": QuotaReached,
    "ResourceQuotaExceeded": QuotaReached,
    "SpotVMsQuotaExceeded": QuotaReached,
    "SubscriptionRequestsThrottled": Throttled,
    "TooManyRequests": Throttled,
    "AuthorizationFailed": Denied,
    "ExpiredAuthenticationToken": Denied,
    "InvalidAuthenticationToken": Denied,
    "LinkedAuthorizationFailed": Denied,
    "MissingSubscriptionRegistration": Denied,
    "SubscriptionNotFound": Denied,
    "SubscriptionNotRegistered": Denied,
    "ParentResourceNotFound": NotFound,
    "ResourceGroupNotFound": NotFound,
    "ResourceNotFound": NotFound,
    "AnotherOperationInProgress": Conflicting,
    "Conflict": Conflicting,
    "OperationPreempted": Conflicting,
    "PreconditionFailed": Conflicting,
    "InternalExecutionError": Unavailable,
    "InternalOperationError": Unavailable,
    "InternalServerError": Unavailable,
    "NetworkingInternalOperationError": Unavailable,
    "ServerTimeout": Unavailable,
    "VMStartTimedOut": Unavailable,
}
_BY_STATUS: Final[dict[int, type[CloudFailed]]] = {
    401: Denied, 403: Denied, 404: NotFound, 408: Unavailable, 409: Conflicting, 412: Conflicting,
    429: Throttled,
}  # fmt: skip
_NOT_ALLOWED: Final = "OperationNotAllowed"  # quotas, and what the state of a thing forbids
_GARBLED: Final = "Garbled"

FOREIGN: Final = (
    AzureError, ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError,
    ValueError,
)  # fmt: skip
"""What comes out of the SDK. It takes answers apart lazily and unchecked: what is wrong with one
shows as any of these, where its parts are used.
"""


@contextmanager
def translated(asked: Asked) -> Iterator[None]:
    """Raise what Azure's SDK raises, or an answer that is not what it should be, in our words.

    The SDK's own error is neither cause nor context of what is raised: it holds the request.
    """
    try:
        yield
        return
    except FOREIGN as error:
        failed = _failed(asked, error)
    raise_alone(failed)


def read(asked: Asked, rows: Callable[[], Iterable[T]]) -> Iterator[T]:
    """What ``rows`` gives, page by page; its errors in our words."""
    with translated(asked):
        found = rows()
        if isinstance(found, ItemPaged):
            yield from _once_each(found)
        else:
            yield from found


def _once_each(found: ItemPaged[T]) -> Iterator[T]:
    """Rows of pages, none of them twice; raises ``ValueError`` when links lead in a circle."""
    pages, links = found.by_page(), set[str]()
    for page in pages:
        yield from page
        link = getattr(pages, "continuation_token", None)
        if link is not None:
            check_new(link, links)


def check_new(link: str, links: set[str]) -> None:
    """Add a link to those that were followed; raises ``ValueError`` when it is one of them."""
    if link in links:
        raise ValueError("its pages lead back to one that was read already")
    links.add(link)


def needed(value: T | None, what: str) -> T:
    """``value``; raises ``ValueError`` when the answer lacks it."""
    if value is None:
        raise ValueError(f"{what} is missing")
    return value


def _failed(asked: Asked, error: Exception) -> CloudFailed:
    if not isinstance(error, AzureError):
        if isinstance(error, OSError):  # of this machine: files, sockets
            return Unavailable(asked, type(error).__name__, str(error))
        return Unavailable(asked, _GARBLED, f"not an answer to it: {error}")
    stated, said = _codes(error), _said(error)
    code = stated[0] if stated else type(error).__name__
    if isinstance(error, DecodeError | ServiceResponseError):
        return Unavailable(asked, code, said)
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _kind(stated, said, error.status_code or 0)(asked, code, said)
    if isinstance(error, ClientAuthenticationError):  # of the credential itself
        return Denied(asked, code, said)
    return Unavailable(asked, code, said)


def _kind(codes: tuple[str, ...], said: str, status: int) -> type[CloudFailed]:
    """The innermost code that is known says most.

    ``status`` below 300: of an answer that says how something under way ended.
    """
    for code in reversed(codes):
        if code == _NOT_ALLOWED:
            return QuotaReached if "quota" in said.lower() else Conflicting
        if code in _BY_CODE:
            return _BY_CODE[code]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status < 300:
        # It answered well, and says that it could not be done: asking again changes nothing.
        return NotAccepted if codes else Unavailable
    return NotAccepted if 400 <= status < 500 else Unavailable


def _codes(error: AzureError) -> tuple[str, ...]:
    """The cloud's own codes, from the outermost in."""
    found: list[str] = []
    left = [getattr(error, "error", None)]
    while left and len(found) < _MOST_CODES:
        one = left.pop(0)
        code = getattr(one, "code", None)
        if code:
            found.append(str(code))
        left += getattr(one, "details", None) or []
    return tuple(found)


_MOST_CODES: Final = 20


def _said(error: AzureError) -> str:
    stated = getattr(getattr(error, "error", None), "message", None)
    said = str(stated or error.message)
    if isinstance(error, HttpResponseError) and error.response is not None:
        wait_s = getattr(error.response, "headers", {}).get("Retry-After")
        if wait_s and error.status_code == 429:
            said += f" (asks to wait {wait_s} s)"
    return said
