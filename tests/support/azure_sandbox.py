"""Azure's stand-in as a sandbox for the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from azure.core.credentials import AccessToken
from azure_server import SECRET, Answer, Call, StandIn, refused, stand_in
from azure_state import GROUP, SUBSCRIPTION, VM_PRICE, retail
from sandboxes import Trouble

from models.cloud_errors import CloudFailed
from models.inventory import InstanceGroup
from providers.azure.clients import Access
from providers.azure.provider import provider
from providers.seam import Provider
from scenarios.collect_entries import AzureEntry

Row = TypeVar("Row")


class PlantedCredential:
    """A credential whose token must show nowhere."""

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        return AccessToken(SECRET, 4_102_444_800)


def access(stand: StandIn, **other: object) -> Access:
    """No waits, and the stand-in's address."""
    settings: dict[str, object] = {
        "credential": PlantedCredential(), "attempts": 3, "backoff_s": 0.0, "longest_wait_s": 0.0,
        "poll_s": 0.0, "changes_per_s": 1e6, "states_age_s": 0.0,
        "metrics_endpoint": stand.address, **other,
    }  # fmt: skip
    return Access(**settings)  # type: ignore[arg-type]


def entry(stand: StandIn, **other: object) -> AzureEntry:
    return AzureEntry.model_validate({
        "subscriptions": (SUBSCRIPTION,), "endpoint": stand.address,
        "prices_endpoint": stand.address, "ca_file": stand.ca_file, **other,
    })  # fmt: skip


def made(stand: StandIn, **other: object) -> Provider:
    return provider(entry(stand), Path(), access(stand, **other))


def until_broken(walk: Iterator[Row]) -> tuple[list[Row], CloudFailed | None]:
    """What a walk gives before it breaks off, and why it does."""
    rows: list[Row] = []
    try:
        rows.extend(walk)  # keeps what came before the error
    except CloudFailed as error:
        return rows, error
    return rows, None


class AzureSandbox:
    """Two regions, a template of a flexible scale set, and prices."""

    account = SUBSCRIPTION
    place, other_place = "azure/westeurope", "azure/northeurope"
    template = f"{GROUP.lower()}/template"
    types = ("Standard_D2s_v5", "Standard_D4s_v5")
    troubles = frozenset(Trouble)

    def __init__(self) -> None:
        self.stand = stand_in()
        self.stand.reset()
        self.stand.cloud.template("template", "westeurope")
        for region in ("westeurope", "northeurope", "westus"):
            self.stand.cloud.retail += [
                retail(name, usd, region) for name, usd in VM_PRICE.items()
            ]  # fmt: skip
        self.provider = made(self.stand)

    def measure(self, group: InstanceGroup, at: datetime) -> None:
        """Everything is measured here, at all times."""

    def settle(self) -> None:
        with self.stand.lock:
            self.stand.cloud.settle()

    @contextmanager
    def trouble(self, kind: Trouble) -> Iterator[None]:
        stand = self.stand
        match kind:
            case Trouble.ANSWER_LOST:
                stand.lose_next = 1
            case Trouble.NO_CAPACITY:
                stand.cloud.lacking.add(self.types[0])
            case _:
                stand.faults.append(lambda call: _TROUBLES[kind])
        try:
            yield
        finally:
            stand.lose_next = 0
            stand.cloud.lacking.clear()
            stand.faults.clear()


_TROUBLES: dict[Trouble, Answer] = {
    Trouble.THROTTLED: refused(429, "TooManyRequests", "slow down", Retry_After="0"),
    Trouble.DOWN: Answer(drop=True),
    Trouble.GARBLED: Answer(raw=b'{"value": [{"id": "/subscr'),
    Trouble.DENIED: refused(
        403, "AuthorizationFailed", f"The client with Bearer {SECRET} may not do it."
    ),
}


@contextmanager
def azure() -> Iterator[AzureSandbox]:
    yield AzureSandbox()


__all__ = ["AzureSandbox", "Call", "access", "azure", "entry", "made", "until_broken"]
