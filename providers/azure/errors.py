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
    DeserializationError,
    HttpResponseError,
    ServiceResponseError,
)

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
    "SubscriptionRequestsThrottled": Throttled,
    "TooManyRequests": Throttled,
    "AuthorizationFailed": Denied,
    "ExpiredAuthenticationToken": Denied,
    "InvalidAuthenticationToken": Denied,
    "LinkedAuthorizationFailed": Denied,
    "SubscriptionNotFound": Denied,
    "ParentResourceNotFound": NotFound,
    "ResourceGroupNotFound": NotFound,
    "ResourceNotFound": NotFound,
    "AnotherOperationInProgress": Conflicting,
    "Conflict": Conflicting,
    "OperationPreempted": Conflicting,
    "PreconditionFailed": Conflicting,
    "InternalServerError": Unavailable,
    "ServerTimeout": Unavailable,
}
_BY_STATUS: Final[dict[int, type[CloudFailed]]] = {
    401: Denied, 403: Denied, 404: NotFound, 408: Unavailable, 409: Conflicting, 412: Conflicting,
    429: Throttled,
}  # fmt: skip
_NOT_ALLOWED: Final = "OperationNotAllowed"  # quotas, and what the state of a thing forbids


@contextmanager
def translated(asked: Asked) -> Iterator[None]:
    """Raise what Azure's SDK raises, or an answer that is not what it should be, in our words."""
    try:
        yield
    except AzureError as error:
        raise _failed(asked, error) from None
    except (AttributeError, DeserializationError, KeyError, TypeError, ValueError) as error:
        # The SDK takes answers apart lazily and unchecked: what is wrong with one shows as any of
        # these, where its parts are used.
        raise Unavailable(asked, "Garbled", f"not an answer to it: {error}") from None


def read(asked: Asked, rows: Callable[[], Iterable[T]]) -> Iterator[T]:
    """What ``rows`` gives, page by page; its errors in our words."""
    with translated(asked):
        yield from rows()


def needed(value: T | None, what: str) -> T:
    """``value``; raises ``ValueError`` when the answer lacks it."""
    if value is None:
        raise ValueError(f"{what} is missing")
    return value


def _failed(asked: Asked, error: AzureError) -> CloudFailed:
    code, said = _code(error), _said(error)
    if isinstance(error, DecodeError | ServiceResponseError):
        return Unavailable(asked, code, said)
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _kind(code, said, error.status_code or 0)(asked, code, said)
    if isinstance(error, ClientAuthenticationError):  # of the credential itself
        return Denied(asked, code, said)
    return Unavailable(asked, code, said)


def _kind(code: str, said: str, status: int) -> type[CloudFailed]:
    if code == _NOT_ALLOWED:
        return QuotaReached if "quota" in said.lower() else Conflicting
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return NotAccepted if 400 <= status < 500 else Unavailable


def _code(error: AzureError) -> str:
    stated = getattr(getattr(error, "error", None), "code", None)
    return str(stated) if stated else type(error).__name__


def _said(error: AzureError) -> str:
    stated = getattr(getattr(error, "error", None), "message", None)
    return str(stated or error.message)
