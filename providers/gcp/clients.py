"""Google's clients: made once, asked patiently, and read page by page.

Credentials are application default credentials, found by Google's own library when the first
call needs them, and kept nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final, TypeVar

import google.auth
import grpc
from google.api_core import exceptions as answers
from google.api_core.client_options import ClientOptions
from google.api_core.retry import Retry, if_transient_error
from google.api_core.timeout import ConstantTimeout
from google.auth.credentials import Credentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import compute_v1, monitoring_v3
from google.cloud.billing_v1 import CloudCatalogClient
from google.cloud.monitoring_v3 import MetricServiceClient
from google.cloud.monitoring_v3.services.metric_service.transports import (
    MetricServiceGrpcTransport,
)

from models.cloud_errors import Asked, NotFound, Unavailable
from providers.gcp.errors import reasons_of, translated
from providers.pace import Pace

CLOUD: Final = "gcp"
SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
COMPUTE: Final = "https://compute.googleapis.com"
_RATE_REASONS: Final = {"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"}

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long is waited: ``attempts`` per call, with a random pause of at most
    ``first_s`` after the first, twice that after the next, up to ``longest_s``. An attempt may take
    ``connect_s`` to connect and ``call_s`` until there is an answer. What must have ended before
    something else can begin may go on for ``operation_s``.
    """

    attempts: int = 5
    first_s: float = 1.0
    longest_s: float = 20.0
    call_s: float = 30.0
    connect_s: float = 5.0
    operation_s: float = 120.0

    def retry(self) -> Retry:
        """The SDK's own retries, for one call."""
        return Retry(
            predicate=_Bounded(self.attempts), initial=self.first_s, maximum=self.longest_s,
            multiplier=2.0, timeout=self.attempts * (self.call_s + self.longest_s),
        )  # fmt: skip

    @property
    def over_http(self) -> tuple[float, float]:
        return self.connect_s, self.call_s


class _Bounded:
    """True of errors that pass, as long as there are attempts left; for one call."""

    def __init__(self, attempts: int) -> None:
        self.left = attempts

    def __call__(self, error: Exception) -> bool:
        self.left -= 1
        return self.left > 0 and (
            bool(if_transient_error(error))
            or isinstance(error, answers.GatewayTimeout | answers.BadGateway)
            or (
                isinstance(error, answers.Forbidden)
                and not _RATE_REASONS.isdisjoint(reasons_of(error))
            )
        )


CHANGES_PER_S: Final = 10.0
"""In each project: well below what Google's quotas of a new project allow."""
CHANGES_AT_FIRST: Final = 20


@dataclass(eq=False)
class Clients:
    """All clients of one configuration, made when first needed. For several threads at once.

    ``credentials`` None: application default credentials. ``endpoint`` empty: Google's own.
    """

    endpoint: str = ""
    monitoring_endpoint: str = ""
    patience: Patience = field(default_factory=Patience)
    credentials: Credentials | None = field(default=None, repr=False)
    pace: Pace = field(default_factory=lambda: Pace(CHANGES_PER_S, CHANGES_AT_FIRST), repr=False)
    _made: dict[object, Any] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def compute(self, kind: Callable[..., Made]) -> Made:
        """The client of a compute service, such as ``compute_v1.InstancesClient``."""
        return self._once(kind, lambda: kind(**self._how("rest")))

    def catalog(self) -> CloudCatalogClient:
        return self._once("catalog", lambda: CloudCatalogClient(**self._how("rest")))

    def metrics(self) -> MetricServiceClient:
        return self._once("metrics", self._metrics)

    def session(self) -> AuthorizedSession:
        """For what the clients' messages cannot express."""

        def make() -> AuthorizedSession:
            return AuthorizedSession(self._found())  # type: ignore[no-untyped-call]

        return self._once("session", make)

    @property
    def address(self) -> str:
        """Where compute is asked."""
        return (self.endpoint or COMPUTE).rstrip("/")

    def call(self, asked: Asked, method: Callable[..., Made], request: object) -> Made:
        """One call, with retries; raises ``CloudFailed``. Changes carry a request id, and wait for
        their turn.
        """
        patience = self.patience
        if isinstance(request, dict) and "request_id" in request:
            self.pace.wait(asked.account)
        is_grpc = isinstance(request, monitoring_v3.ListTimeSeriesRequest)
        # Over REST the limit goes to ``requests`` as it is; gRPC connects within the call's.
        limit = ConstantTimeout(  # type: ignore[no-untyped-call]
            patience.call_s if is_grpc else patience.over_http
        )
        return translated(
            asked, lambda: method(request=request, retry=patience.retry(), timeout=limit)
        )

    def found(self, asked: Asked, method: Callable[..., Made], request: object) -> Made | None:
        """The same, None where there is no such thing."""
        try:
            return self.call(asked, method, request)
        except NotFound:
            return None

    def pages(self, asked: Asked, method: Callable[..., Any], request: Any) -> Iterator[Any]:
        """Every page of a list, each asked for when the one before has been used.

        Raises ``Unavailable`` when a page leads back to one that came before.
        """
        seen: set[str] = set()
        while True:
            page = self.call(asked, method, request)
            yield page
            # The pagers' own walk shares one count of attempts among all pages.
            if not page.next_page_token:
                return
            if page.next_page_token in seen:
                raise Unavailable(asked, "EndlessPages", "a page leads back to an earlier one")
            seen.add(page.next_page_token)
            request.page_token = page.next_page_token

    def patch(
        self, asked: Asked, path: str, request_id: str, body: dict[str, Any]
    ) -> compute_v1.Operation:
        """A JSON merge patch; unlike in the clients' messages, None in it takes things away."""
        url, session = f"{self.address}/compute/v1/{path}", self.session()

        def send() -> compute_v1.Operation:
            answer = session.request(  # type: ignore[no-untyped-call]
                "PATCH", url, params={"requestId": request_id}, json=body,
                timeout=self.patience.over_http,
            )  # fmt: skip
            if answer.status_code >= 400:
                raise answers.from_http_response(answer)  # type: ignore[no-untyped-call]
            operation: compute_v1.Operation = compute_v1.Operation.from_json(
                answer.text, ignore_unknown_fields=True
            )
            return operation

        self.pace.wait(asked.account)
        return translated(asked, self.patience.retry()(send))

    def _metrics(self) -> MetricServiceClient:
        address = self.monitoring_endpoint or self.endpoint
        if address.startswith("http://"):  # never with credentials: nothing is encrypted there
            channel = grpc.insecure_channel(address.removeprefix("http://").rstrip("/"))
            return MetricServiceClient(transport=MetricServiceGrpcTransport(channel=channel))
        how = self._how("grpc")
        if address:
            how["client_options"] = ClientOptions(api_endpoint=address.removeprefix("https://"))
        return MetricServiceClient(**how)

    def _how(self, transport: str) -> dict[str, Any]:
        how: dict[str, Any] = {"transport": transport, "credentials": self._found()}
        if self.endpoint:
            how["client_options"] = ClientOptions(api_endpoint=self.endpoint.rstrip("/"))
        return how

    def _found(self) -> Credentials:
        if self.credentials is None:
            found, _ = google.auth.default(scopes=[SCOPE])
            self.credentials = found
        return self.credentials

    def _once(self, key: object, make: Callable[[], Made]) -> Made:
        with self._lock:
            if key not in self._made:
                self._made[key] = translated(Asked(CLOUD, "credentials"), make)
            made: Made = self._made[key]
            return made


def asked(operation: str, account: str = "", region: str = "") -> Asked:
    """``operation`` in Google's own words, such as ``compute.instances.list``."""
    return Asked(CLOUD, operation, account, f"{CLOUD}/{region}" if region else "")
