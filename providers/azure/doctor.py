"""Whether Azure can be worked with, and what to do where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Final

from azure.core.rest import HttpRequest

from models.cloud_errors import Asked, CloudFailed
from models.inventory import Price
from providers.azure.clients import Clients
from providers.azure.errors import CLOUD, translated
from providers.azure.inventory import AzureInventory
from providers.azure.prices import PATH, VERSION, AzurePriceList
from providers.seam import Finding, Severity

_CLOCK_OFF_S: Final = 300.0
"""Tokens are refused by clocks that differ by more."""
_SIGN_IN: Final = (
    "sign in with `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and a secret or certificate, "
    "or run where a managed identity is; docs/clouds/azure.md says which roles it needs"
)
_READ: Final = "give it the role of docs/clouds/azure.md in this subscription"
_REACH: Final = "check the network, the proxy and `ca_file`"


@dataclass(frozen=True, slots=True)
class AzureDoctor:
    """``providers.seam.Doctor`` of Azure. Asks little, changes nothing."""

    clients: Clients
    inventory: AzureInventory
    price_list: AzurePriceList

    def findings(self) -> Iterator[Finding]:
        signed_in = self._credentials()
        yield signed_in
        if signed_in.severity is Severity.FINE:
            for subscription in self.clients.subscriptions:
                yield self._registered(subscription)
            yield from self._permissions()
        yield from self._prices()

    def _credentials(self) -> Finding:
        try:
            with translated(Asked(CLOUD, "credentials")):
                self.clients.credential.get_token(self.clients.audience)
        except CloudFailed as error:
            return _failed("credentials", error, _SIGN_IN)
        return Finding(CLOUD, "credentials", Severity.FINE, "a token was granted")

    def _registered(self, subscription: str) -> Finding:
        about = f"subscription {subscription}"
        try:
            state = self.inventory.regions.described(subscription).get("registrationState")
        except CloudFailed as error:
            return _failed(about, error, _READ)
        if state != "Registered":
            return Finding(
                CLOUD, about, Severity.FAILED, f"Microsoft.Compute is {state}",
                "az provider register --namespace Microsoft.Compute",
            )  # fmt: skip
        return Finding(CLOUD, about, Severity.FINE, "reached; its compute service is registered")

    def _permissions(self) -> Iterator[Finding]:
        """A look at the first region of every subscription."""
        try:
            scopes = self.inventory.scopes().found
        except CloudFailed as error:
            yield _failed("regions", error, _READ)
            return
        first = {scope.account: scope for scope in reversed(scopes) if scope.region}
        for scope in first.values():
            for what, rows in (
                ("machines", self.inventory.instances),
                ("scale sets", self.inventory.groups),
                ("quotas", self.inventory.quotas),
                ("reservations", self.inventory.commitments),
            ):
                about = f"permission to read {what} of {scope.account}"
                try:
                    list(islice(rows(scope), 1))
                except CloudFailed as error:
                    yield _failed(about, error, _READ)
                else:
                    yield Finding(CLOUD, about, Severity.FINE, f"read in {scope.region}")

    def _prices(self) -> Iterator[Finding]:
        try:
            with translated(Asked(CLOUD, "retailPrices")):
                answer = self.clients.prices().send_request(HttpRequest(
                    "GET", f"{self.clients.prices_address}{PATH}",
                    params={"api-version": VERSION, "$filter": "armSkuName eq 'Standard_D2s_v5'"},
                ))  # fmt: skip
                answer.raise_for_status()
                theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
        except CloudFailed as error:
            yield _failed("prices", error, _REACH)
            return
        yield Finding(CLOUD, "prices", Severity.FINE, "the retail price service answers")
        off_s = abs((self.price_list.clock() - theirs.astimezone(UTC)).total_seconds())
        if off_s > _CLOCK_OFF_S:
            yield Finding(
                CLOUD, "clock", Severity.FAILED, f"differs from Azure's by {off_s:.0f} s",
                "set the clock: let it be kept by NTP",
            )  # fmt: skip
        else:
            yield Finding(CLOUD, "clock", Severity.FINE, f"within {_CLOCK_OFF_S:.0f} s of Azure's")
        yield from self._newest()

    def _newest(self) -> Iterator[Finding]:
        try:
            market = next(iter(self.price_list.markets().found), None)
            if market is None:
                return
            prices = [row for row in self.price_list.prices(market) if isinstance(row, Price)]
        except CloudFailed as error:
            yield _failed("prices", error, _REACH)
            return
        if not prices:
            yield Finding(
                CLOUD, f"prices of {market.place}", Severity.FAILED, "none can be planned with",
                "check the region's name",
            )  # fmt: skip
            return
        newest: datetime = max(price.as_of for price in prices)
        yield Finding(
            CLOUD, f"prices of {market.place}", Severity.FINE,
            f"{len(prices)} prices, the newest in force since {newest:%Y-%m-%d}",
        )  # fmt: skip


def _failed(about: str, error: CloudFailed, remedy: str) -> Finding:
    return Finding(CLOUD, about, Severity.FAILED, f"{error.code}: {error.said}", remedy)
