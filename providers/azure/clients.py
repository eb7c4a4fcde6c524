"""Clients of Azure's SDK, made once for each subscription and region, for all threads."""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar, cast

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.pipeline import PipelineResponse, policies
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse
from azure.identity import DefaultAzureCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.reservations import ReservationsMgmtClient
from azure.monitor.querymetrics import MetricsClient

from providers.azure.pacing import PacedChanges
from providers.azure.resources import region_of
from providers.pace import Pace
from scenarios.collect_entries import AzureEntry

MANAGEMENT: Final = "https://management.azure.com"
PRICES: Final = "https://prices.azure.com"
METRICS: Final = "https://{region}.metrics.monitor.azure.com"
_METRICS_AUDIENCE: Final = "https://metrics.monitor.azure.com"

Client = TypeVar("Client")


@dataclass(frozen=True, slots=True)
class Access:
    """How Azure is reached. Times in seconds.

    ``credential``: None: the SDK's default chain. ``attempts``: times that a call is made before it
    counts as failed. ``backoff_s``: wait before the second attempt, doubled for each further one
    and shortened by chance. ``longest_wait_s``: what is waited at most because the cloud asks for
    it; where it asks for more, the call has failed. ``changes_per_s``: what may be changed in a
    subscription in a second, once ``changes_at_first`` were. ``poll_s``: between looks at an
    operation that the cloud has taken on. ``patience_s``: how long such a one is watched for an
    early failure, ``surge_s``: and where the next step needs its end.
    ``states_age_s``: how old the power states of a subscription's machines, and the list of its
    regions, may be to be shared; ``sizes_age_s``: its sizes and where they are closed.
    """

    credential: TokenCredential | None = None
    attempts: int = 5
    backoff_s: float = 0.8
    longest_wait_s: float = 180.0
    changes_per_s: float = 2.0
    changes_at_first: int = 10
    poll_s: float = 5.0
    patience_s: float = 30.0
    surge_s: float = 900.0
    states_age_s: float = 60.0
    sizes_age_s: float = 900.0
    metrics_endpoint: str = METRICS


class PatientRetry(policies.RetryPolicy[Any, Any]):
    """The SDK's retries, with jitter, and no longer waits than ``longest_wait_s``."""

    def __init__(self, access: Access) -> None:
        super().__init__(
            retry_total=access.attempts - 1, retry_backoff_factor=access.backoff_s,
            retry_backoff_max=access.longest_wait_s,
        )  # fmt: skip
        self._longest_wait_s = access.longest_wait_s

    def get_backoff_time(self, settings: dict[str, Any]) -> float:
        grown = float(settings["backoff"]) * 2.0 ** max(len(settings["history"]) - 1, 0)
        longest = min(grown, float(settings["max_backoff"]))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  spreads calls, keeps no secret

    def sleep(
        self,
        settings: dict[str, Any],
        transport: Any,
        response: PipelineResponse[Any, Any] | None = None,
    ) -> None:
        if response is not None:
            response.http_response.close()  # else one that is streamed keeps its connection
        super().sleep(settings, transport, response)

    def increment(
        self,
        settings: dict[str, Any],
        response: Any = None,
        error: Exception | None = None,
    ) -> bool:
        """Whether to try again: not before the time that the cloud names, and not after long."""
        again = super().increment(settings, response=response, error=error)
        if not again or not isinstance(response, PipelineResponse):
            return again
        return (self.get_retry_after(response) or 0.0) <= self._longest_wait_s


@dataclass(eq=False)
class Clients:
    """All clients of a collection's Azure, its subscriptions, and its regions (None: all)."""

    entry: AzureEntry
    folder: Path
    access: Access = Access()
    _made: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def subscriptions(self) -> tuple[str, ...]:
        return tuple(sorted({str(one).lower() for one in self.entry.subscriptions}))

    @property
    def regions(self) -> tuple[str, ...] | None:
        asked = self.entry.regions
        return None if asked == "all" else tuple(sorted({region_of(str(one)) for one in asked}))

    @property
    def management(self) -> str:
        return str(self.entry.endpoint or MANAGEMENT).rstrip("/")

    @property
    def prices_address(self) -> str:
        return str(self.entry.prices_endpoint or PRICES).rstrip("/")

    @property
    def audience(self) -> str:
        """What tokens for the resource manager are for; a stand-in takes those for Azure's own."""
        return f"{MANAGEMENT}/.default"

    @property
    def credential(self) -> TokenCredential:
        return self._once("credential", "", self._credential)

    def compute(self, subscription: str) -> ComputeManagementClient:
        return self._once("compute", subscription, lambda: ComputeManagementClient(
            self.credential, subscription, self.management, transport=self._transport,
            policies=self._policies(self.audience, self._paced),
            polling_interval=self.access.poll_s,
        ))  # fmt: skip

    def reservations(self) -> ReservationsMgmtClient:
        return self._once("reservations", "", lambda: ReservationsMgmtClient(
            self.credential, self.management, policies=self._policies(self.audience),
            transport=self._transport,
        ))  # fmt: skip

    def metrics(self, region: str) -> MetricsClient:
        address = self.access.metrics_endpoint.format(region=region)
        return self._once("metrics", region, lambda: MetricsClient(
            address, self.credential, policies=self._policies(f"{_METRICS_AUDIENCE}/.default"),
            transport=self._transport,
        ))  # fmt: skip

    def prices(self) -> PipelineClient[HttpRequest, HttpResponse]:
        """Of the retail price service, which asks for no credentials and gets none."""
        return self._once("prices", "", lambda: PipelineClient(
            self.prices_address, policies=self._policies(""), transport=self._transport,
        ))  # fmt: skip

    def _credential(self) -> TokenCredential:
        # Several kinds of credential share no base that type checkers see.
        return self.access.credential or cast("TokenCredential", DefaultAzureCredential())

    @property
    def _paced(self) -> PacedChanges:
        access = self.access
        pace = self._once("pace", "", lambda: Pace(access.changes_per_s, access.changes_at_first))
        return PacedChanges(pace, access.longest_wait_s)

    @property
    def _transport(self) -> RequestsTransport:
        ca_file = self.entry.ca_file
        verify: bool | str = True if ca_file is None else str(self.folder / str(ca_file))

        def opened() -> RequestsTransport:
            transport = RequestsTransport(
                connection_timeout=5.0, read_timeout=30.0, connection_verify=verify
            )
            transport.open()  # before threads share it
            weakref.finalize(self, transport.close)
            return transport

        return self._once("transport", "", opened)

    def _policies(self, scope: str, *paced: PacedChanges) -> Sequence[Any]:
        """The SDK's own steps, without two: registering resource providers and logging."""
        signed: list[Any] = []
        if scope:
            signed.append(ARMChallengeAuthenticationPolicy(self.credential, scope))
        return [
            policies.RequestIdPolicy(), policies.HeadersPolicy(),
            policies.UserAgentPolicy(user_agent="trimtab"), policies.ProxyPolicy(),
            policies.ContentDecodePolicy(), policies.RedirectPolicy(), PatientRetry(self.access),
            *paced, *signed, policies.SensitiveHeaderCleanupPolicy(),
        ]  # fmt: skip

    def _once(self, kind: str, key: str, make: Callable[[], Client]) -> Client:
        made = self._made.get((kind, key))
        if made is None:
            fresh = make()  # may ask for another client: not under the lock
            with self._lock:
                made = self._made.setdefault((kind, key), fresh)
        return cast("Client", made)
