"""Google's errors as the product's own: the one place where they are translated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import requests
from google.api_core import exceptions as answers
from google.auth import exceptions as auth
from google.cloud.compute_v1 import Operation
from google.protobuf.json_format import ParseError

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

_BY_REASON: Final[dict[str, type[CloudFailed]]] = {
    "ZONE_RESOURCE_POOL_EXHAUSTED": CapacityLacking,
    "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS": CapacityLacking,
    "REGION_RESOURCE_POOL_EXHAUSTED": CapacityLacking,
    "RESOURCE_POOL_EXHAUSTED": CapacityLacking,
    "STOCKOUT": CapacityLacking,
    "QUOTA_EXCEEDED": QuotaReached,
    "quotaExceeded": QuotaReached,
    "LIMIT_EXCEEDED": QuotaReached,
    "limitExceeded": QuotaReached,
    "rateLimitExceeded": Throttled,
    "userRateLimitExceeded": Throttled,
    "RATE_LIMIT_EXCEEDED": Throttled,
    "RESOURCE_NOT_FOUND": NotFound,
    "RESOURCE_ALREADY_EXISTS": Conflicting,
    "RESOURCE_NOT_READY": Conflicting,
    "resourceNotReady": Conflicting,
    "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE": Conflicting,
    "resourceInUseByAnotherResource": Conflicting,
    "CONDITION_NOT_MET": Conflicting,
    "PERMISSIONS_ERROR": Denied,
    "PERMISSION_DENIED": Denied,
    "VM_MIN_COUNT_NOT_REACHED": CapacityLacking,
    "BAD_REQUEST": NotAccepted,
    "INVALID_ARGUMENT": NotAccepted,
    "INVALID_FIELD_VALUE": NotAccepted,
    "INVALID_PARAMETER": NotAccepted,
    "INVALID_USAGE": NotAccepted,
    "UNSUPPORTED_OPERATION": NotAccepted,
}
"""Google's word for the reason says more than the status that it comes with."""

_BY_STATUS: Final[tuple[tuple[type[Exception], type[CloudFailed]], ...]] = (
    (answers.TooManyRequests, Throttled),
    (answers.Unauthorized, Denied),
    (answers.Forbidden, Denied),
    (answers.NotFound, NotFound),
    (answers.Conflict, Conflicting),
    (answers.PreconditionFailed, Conflicting),
    (answers.GatewayTimeout, Unavailable),
    (answers.ServerError, Unavailable),
    (answers.ClientError, NotAccepted),
    (auth.TransportError, Unavailable),
    (auth.GoogleAuthError, Denied),
)

_NO_ANSWERS: Final = (requests.RequestException, ParseError, UnicodeDecodeError)
_GARBLED: Final = (AttributeError, TypeError, LookupError, ValueError, RecursionError, OSError)
"""What Google's libraries stumble over when an answer is JSON of another shape than Google's."""

Made = TypeVar("Made")


def translated(asked: Asked, do: Callable[[], Made]) -> Made:
    """What ``do`` returns; raises the product's own error for whatever Google's libraries raise.

    It is raised after the foreign one has been dropped, and holds it neither as its cause nor as
    its context: that one holds the request, and with it the credentials.
    """
    try:
        return do()
    except answers.RetryError as error:
        cause = error.cause
        if isinstance(cause, Exception):
            meant = _meant(asked, cause)
        else:
            meant = Unavailable(asked, "RetryError", "no answer in time")
    except (answers.GoogleAPICallError, auth.GoogleAuthError, *_NO_ANSWERS) as error:
        meant = _meant(asked, error)
    except _GARBLED as error:
        # Its text may be a part of the answer.
        said = f"the answer is not what Google answers ({type(error).__name__})"
        meant = Unavailable(asked, "Garbled", said)
    raise meant


def _meant(asked: Asked, error: Exception) -> CloudFailed:
    if isinstance(error, answers.GoogleAPICallError):
        reasons = reasons_of(error)
        said = str(error.message or "it does not say why")
        status = getattr(error.code, "name", error.code)
        for reason in reasons:
            if reason in _BY_REASON:
                return _BY_REASON[reason](asked, reason, said)
        code = reasons[0] if reasons else str(status)
        return _kind(error)(asked, code, said)
    if isinstance(error, auth.GoogleAuthError):
        return _kind(error)(asked, type(error).__name__, _plain(error))
    return Unavailable(asked, type(error).__name__, _plain(error))


def _kind(error: Exception) -> type[CloudFailed]:
    for foreign, own in _BY_STATUS:
        if isinstance(error, foreign):
            return own
    return Unavailable


def _plain(error: Exception) -> str:
    """The first part of an error that says something; its other parts may hold answers."""
    return str(error.args[0]) if error.args else type(error).__name__


def reasons_of(error: answers.GoogleAPICallError) -> tuple[str, ...]:
    """Google's words for why, the most exact first; none where its answer has another shape."""
    found = [error.reason] if isinstance(error.reason, str) and error.reason else []
    try:
        details = error.errors
    except TypeError:  # it makes a list of whatever came
        return tuple(found)
    said = (one.get("reason") for one in details or () if isinstance(one, dict))
    return *found, *(reason for reason in said if isinstance(reason, str))


def check_operation(asked: Asked, operation: Operation) -> Operation:
    """The operation, when it has not failed; raises its first error."""
    for one in operation.error.errors:
        raise _operation_error(asked, one.code, one.message)
    if operation.http_error_status_code >= 400:
        said = operation.http_error_message or "the operation failed"
        raise _meant(asked, _from_status(operation.http_error_status_code, said))
    return operation


def _operation_error(asked: Asked, code: str, said: str) -> CloudFailed:
    """A code that nobody knows says nothing of the request: it may be done when asked again."""
    return _BY_REASON.get(code, Unavailable)(asked, code or "UNKNOWN", said)


def _from_status(status: int, said: str) -> answers.GoogleAPICallError:
    error: Any = answers.from_http_status(status, said)  # type: ignore[no-untyped-call]
    return error  # type: ignore[no-any-return]
