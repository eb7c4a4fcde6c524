"""Clients of AWS's services: one per account, service and region, shared by threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    Credentials,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader, create_loader
from botocore.retries.standard import register_retry_handler

from models.cloud_errors import Asked, CloudFailed, Unavailable
from providers.aws.errors import GARBLED, translated
from scenarios.collect_entries import AwsAccountEntry

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_pricing import PricingClient
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_savingsplans import SavingsPlansClient
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sts import STSClient

CLOUD: Final = "aws"
HOME_REGION: Final = "us-east-1"
"""Where services that are of no region, and the price list, are asked."""
HOMES: Final = (HOME_REGION, "us-west-2", "eu-west-1")
"""Where to ask in turn what every region knows. No account can do without these regions."""
SESSION_NAME: Final = "trimtab"
CONNECTIONS: Final = 32
CLIENTS_KEPT: Final = 40
"""Of all accounts together, those used last: more than are in use at once. Each takes 5 to 50 ms to
make, and holds 0.2 MB to 2 MB of what its service's answers look like. Of 20 regions, keeping all
saves a second of work in a collection, and takes it beyond 300 MB.
"""
_MAKING: Final = Lock()

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Manners:
    """How patiently, and how hard, AWS is asked.

    ``attempts``: in all, for one call. ``longest_wait_s``: between two of them; waits grow
    exponentially up to it, with jitter. ``pace_s``: least time between two calls that change
    something in the same account.
    """

    attempts: int = 5
    longest_wait_s: float = 20.0
    pace_s: float = 0.2
    connect_s: float = 5.0
    read_s: float = 30.0


Clients = OrderedDict[tuple[str, str, str], Any]
"""By account, service and region; those used last at the end."""


@dataclass(eq=False)
class Account:
    """An account as its credentials reach it. Safe for threads."""

    entry: AwsAccountEntry
    endpoint: str | None
    manners: Manners
    homes: tuple[str, ...] = HOMES
    clients: Clients = field(default_factory=OrderedDict, repr=False)
    """Those of all accounts."""
    _session: boto3.Session | None = None
    _changing: Lock = field(default_factory=Lock)
    _changed_at: float = float("-inf")

    @property
    def name(self) -> str:
        return str(self.entry.name)

    def asked(self, operation: str, region: str = "") -> Asked:
        return Asked(CLOUD, operation, self.name, f"{CLOUD}/{region}")

    def anywhere(self, ask: Callable[[str], Made]) -> Made:
        """What ``ask`` says of the first of ``homes`` that answers; raises why the first does not.

        Only a region that is down is passed over: another one would refuse as well.
        """
        first: CloudFailed | None = None
        for region in self.homes:
            try:
                return ask(region)
            except CloudFailed as error:
                if first is None and not isinstance(error, Unavailable):
                    raise
                first = first or error
        if first is None:
            raise ValueError("there is no region to ask in")
        raise first

    def pause(self) -> None:
        """Wait until something may be changed again."""
        with self._changing:
            wait_s = self._changed_at + self.manners.pace_s - monotonic()
            if wait_s > 0:
                sleep(wait_s)
            self._changed_at = monotonic()

    def ec2(self, region: str) -> EC2Client:
        return cast("EC2Client", self.client("ec2", region))

    def autoscaling(self, region: str) -> AutoScalingClient:
        return cast("AutoScalingClient", self.client("autoscaling", region))

    def cloudwatch(self, region: str) -> CloudWatchClient:
        return cast("CloudWatchClient", self.client("cloudwatch", region))

    def balancing(self, region: str) -> ElasticLoadBalancingv2Client:
        return cast("ElasticLoadBalancingv2Client", self.client("elbv2", region))

    def service_quotas(self, region: str) -> ServiceQuotasClient:
        return cast("ServiceQuotasClient", self.client("service-quotas", region))

    def savings_plans(self) -> SavingsPlansClient:
        return cast("SavingsPlansClient", self.client("savingsplans", HOME_REGION))

    def pricing(self) -> PricingClient:
        return cast("PricingClient", self.client("pricing", HOME_REGION))

    def cost_explorer(self) -> Any:
        return self.client("ce", HOME_REGION)

    def route53(self) -> Route53Client:
        return cast("Route53Client", self.client("route53", HOME_REGION))

    def sts(self, region: str) -> STSClient:
        return cast("STSClient", self.client("sts", region))

    def client(self, service: str, region: str) -> Any:
        """The client of a service; raises ``Denied`` where there are no credentials."""
        with (
            translated(self.asked("credentials", region)),
            _MAKING,
        ):  # neither sessions nor the loader are for several threads; clients are
            key = self.name, service, region
            if key in self.clients:
                self.clients.move_to_end(key)
                return self.clients[key]
            if self._session is None:
                self._session = self._credentialed()
            made = self.clients[key] = _client(self._session, service, region, self)
            if len(self.clients) > CLIENTS_KEPT:
                self.clients.popitem(last=False)
            return made

    def _credentialed(self) -> boto3.Session:
        """A session that finds credentials as the SDK does, and changes into the role, if any."""
        source = _session(self.entry.profile)
        if self.entry.role_arn is None:
            return boto3.Session(botocore_session=source)
        if source.get_credentials() is None:
            raise NoCredentialsError
        external = {} if self.entry.external_id is None else {"ExternalId": self.entry.external_id}

        def sts(*_: object, **credentials: Any) -> Any:
            return _AnySts(self, boto3.Session(botocore_session=source), credentials)

        fetcher = AssumeRoleCredentialFetcher(
            sts, source.get_credentials(), self.entry.role_arn,
            extra_args={"RoleSessionName": SESSION_NAME, **external},
        )  # fmt: skip
        assumed = _session(self.entry.profile)
        role = DeferredRefreshableCredentials(fetcher.fetch_credentials, _Assumed.METHOD)
        assumed.register_component("credential_provider", CredentialResolver([_Assumed(role)]))
        return boto3.Session(botocore_session=assumed)


@dataclass(frozen=True, slots=True)
class _AnySts:
    """What the SDK needs of a client that assumes roles, in the first region that answers."""

    account: Account
    session: boto3.Session
    credentials: Mapping[str, Any] = field(repr=False)

    def assume_role(self, **asked: Any) -> Any:
        def ask(region: str) -> Any:
            with translated(self.account.asked("AssumeRole", region)):
                client = _client(self.session, "sts", region, self.account, **self.credentials)
                return client.assume_role(**asked)

        return self.account.anywhere(ask)


@cache
def _loader() -> Loader:
    """Models of services take megabytes: all accounts share them."""
    return create_loader()


def _session(profile: str | None) -> botocore.session.Session:
    session = botocore.session.Session(profile=profile)
    session.register_component("data_loader", _loader())
    return session


class _Assumed(CredentialProvider):
    """Gives a session the credentials of a role."""

    METHOD = "assume-role"

    def __init__(self, role: DeferredRefreshableCredentials) -> None:
        super().__init__()
        self._role = role

    def load(self) -> Credentials:
        return self._role


def _client(
    session: boto3.Session, service: str, region: str, account: Account, **credentials: Any
) -> Any:
    manners = account.manners
    config = Config(
        connect_timeout=manners.connect_s,
        read_timeout=manners.read_s,
        retries={"mode": "standard", "total_max_attempts": manners.attempts},
        max_pool_connections=CONNECTIONS,
        user_agent_extra=SESSION_NAME,
    )
    client = cast("Any", session).client(
        service, region_name=region, endpoint_url=account.endpoint, config=config, **credentials
    )
    _bound_waits(client, manners)
    return client


def _bound_waits(client: Any, manners: Manners) -> None:
    """Let the SDK's own retries wait no longer than they may: its configuration cannot say it."""
    events, service = client.meta.events, client.meta.service_model.service_id.hyphenize()
    event, unique_id = f"needs-retry.{service}", f"retry-config-{service}"
    events.unregister(event, unique_id=unique_id)
    handler = register_retry_handler(client, manners.attempts)
    events.unregister(event, unique_id=unique_id)

    def needs_retry(**asked: Any) -> float | bool | None:
        wait_s: float | bool | None = handler.needs_retry(**asked)
        return min(wait_s, manners.longest_wait_s) if wait_s else wait_s

    events.register(event, needs_retry, unique_id=unique_id)


_TOKENS: Final = (("NextToken", "NextToken"), ("nextToken", "nextToken"), ("NextMarker", "Marker"))
"""How answers name the token of the next page, and requests the same."""


def pages(
    account: Account, client: Any, operation: str, key: str, **asked: Any
) -> Iterator[list[Mapping[str, Any]]]:
    """The items under ``key``, page by page; raises ``CloudFailed`` at one that is not to be had.

    A page without ``key`` is garbled, not empty: AWS says an empty list. So are pages that come
    round again: they would never end.
    """
    about = account.asked(client.meta.method_to_api_mapping[operation], client.meta.region_name)
    seen: set[str] = set()
    more: dict[str, str] = {}
    while True:
        with translated(about):
            page = getattr(client, operation)(**asked, **more)
            items = list(page[key])
            more = {back: page[told] for told, back in _TOKENS if page.get(told)}
        yield items
        if not more:
            return
        if not seen.isdisjoint(more.values()):
            raise Unavailable(about, GARBLED, "its pages come round again, and never end")
        seen.update(more.values())


def each(
    account: Account,
    client: Any,
    operation: str,
    key: str,
    make: Callable[[Mapping[str, Any]], Made],
    **asked: Any,
) -> Iterator[Made]:
    """What ``make`` makes of every item of ``pages``; where it cannot, the answer is garbled."""
    about = account.asked(client.meta.method_to_api_mapping[operation], client.meta.region_name)
    for page in pages(account, client, operation, key, **asked):
        with translated(about):
            made = [make(item) for item in page]
        yield from made
