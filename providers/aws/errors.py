"""What AWS and its SDK raise, as one of ``models.cloud_errors``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.parsers import ResponseParserError

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

GARBLED: Final = "Garbled"
"""Our word for an answer that is not what AWS promises."""
NO_CREDENTIALS: Final = NoCredentialsError.__name__
"""The SDK's word for having found none, which is not to say that they do not suffice."""

_CODES: Final[dict[type[CloudFailed], frozenset[str]]] = {
    Throttled: frozenset({
        "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded",
        "RequestThrottled", "RequestThrottledException", "EC2ThrottledException",
        "TooManyRequestsException", "TooManyRequests", "BandwidthLimitExceeded", "SlowDown",
        "PriorRequestNotComplete", "TransactionInProgressException",
    }),
    CapacityLacking: frozenset({
        "InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientCapacity",
        "InsufficientReservedInstanceCapacity", "InsufficientCapacityOnHost",
        "UnfulfillableCapacity", "ReservationCapacityExceeded",
    }),
    QuotaReached: frozenset({
        "MaxSpotInstanceCountExceeded", "LimitExceeded", "LimitExceededException",
        "LimitExceededFault", "ServiceQuotaExceededException",
    }),
    Denied: frozenset({
        "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedAccess",
        "AuthFailure", "AuthorizationError", "NotAuthorized", "OptInRequired", "ExpiredToken",
        "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "InvalidAccessKeyId",
        "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException",
        "IncompleteSignature", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
        "RequestTimeTooSkewed", "PendingVerification", "Blocked", "SubscriptionRequiredException",
    }),
    NotFound: frozenset({"ResourceNotFoundException", "NotFoundException"}),
    Conflicting: frozenset({
        "AlreadyExists", "AlreadyExistsFault", "ResourceContention", "ResourceContentionFault",
        "ScalingActivityInProgress", "ScalingActivityInProgressFault", "ResourceInUse",
        "ResourceInUseFault", "IncorrectState", "IncorrectInstanceState", "ConflictException",
        "ConcurrentModification", "IdempotentParameterMismatch", "InvalidStateException",
    }),
    Unavailable: frozenset({
        "InternalError", "InternalFailure", "InternalServiceError", "InternalServerError",
        "ServiceUnavailable", "ServiceUnavailableException", "Unavailable", "RequestTimeout",
        "RequestTimeoutException", "DataUnavailableException", "IDPCommunicationError",
    }),
}  # fmt: skip
_KIND_OF: Final = {code: kind for kind, codes in _CODES.items() for code in codes}
_NO_CREDENTIALS: Final = (
    NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, ProfileNotFound,
    TokenRetrievalError, UnauthorizedSSOTokenError, SSOError,
)  # fmt: skip
_REFUSED: Final = (401, 403)
_SERVER_ERROR: Final = 500
_ENCODED: Final = "Encoded authorization failure message"


@contextmanager
def translated(asked: Asked) -> Iterator[None]:
    """Whatever the SDK raises inside, or answers that lack what they should have, as
    ``CloudFailed``. The original is neither its cause nor its context: it may quote a request.
    """
    failed: CloudFailed
    try:
        yield
        return
    except ClientError as error:
        failed = _from_answer(asked, error)
    except _NO_CREDENTIALS as error:
        failed = Denied(asked, type(error).__name__, str(error))
    except ParamValidationError as error:
        failed = NotAccepted(asked, type(error).__name__, str(error))
    except BotoCoreError as error:
        failed = Unavailable(asked, type(error).__name__, str(error))
    except ResponseParserError:
        # Its message quotes the answer, which may be anything.
        failed = Unavailable(asked, GARBLED, "the answer cannot be read")
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        said = f"the answer is not what it should be ({type(error).__name__}: {error})"
        failed = Unavailable(asked, GARBLED, said)
    try:
        raise failed
    finally:  # the block around which this stands is still being left with the original
        failed.__context__ = None


@dataclass(eq=False)
class Later:
    """Failures that wait while the rest is read: the first is raised at the end."""

    first: CloudFailed | None = None

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Note a failure inside, and go on after it."""
        try:
            yield
        except CloudFailed as error:
            self.note(error)

    def note(self, failure: CloudFailed) -> None:
        self.first = self.first or failure

    def raise_first(self) -> None:
        """Raise what was noted first, if anything was."""
        if self.first is not None:
            raise self.first


def _from_answer(asked: Asked, error: ClientError) -> CloudFailed:
    told = error.response.get("Error", {})
    code, said = str(told.get("Code", "")), str(told.get("Message", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind = _kind_of(code, said, int(status))
    return kind(asked, code or str(status), said.partition(_ENCODED)[0].strip())


def _kind_of(code: str, said: str, status: int) -> type[CloudFailed]:
    if code in _KIND_OF:
        return _KIND_OF[code]
    if code.endswith("LimitExceeded"):
        return QuotaReached
    if code.startswith("NoSuch") or "NotFound" in code:
        return NotFound
    if code == "ValidationError" and "not found" in said:  # Auto Scaling's way of saying it
        return NotFound
    if status in _REFUSED:
        return Denied
    if status >= _SERVER_ERROR or not code or code.isdigit():
        return Unavailable
    return NotAccepted
