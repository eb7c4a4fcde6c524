"""Whether Azure can be worked with, and what to do where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Final

from azure.core.rest import HttpRequest

from models.cloud_errors import Asked, CloudFailed, Denied, NotFound
from models.inventory import Price
from providers.azure.clients import Clients
from providers.azure.errors import CLOUD, translated
from providers.azure.inventory import AzureInventory
from providers.azure.prices import PATH, VERSION, AzurePriceList
from providers.seam import Finding, Scope, Severity

_CLOCK_OFF_S: Final = 300.0
"""Tokens are refused by clocks that differ by more."""
_LONGEST_QUIET: Final = timedelta(days=180)
"""A list of which nothing came into force for longer is hardly today's."""
_SIGN_IN: Final = (
    "sign in with `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and a secret or certificate, "
    "or run where a managed identity is; docs/clouds/azure.md says which roles it needs"
)
_READ: Final = "give it the role of docs/clouds/azure.md in this subscription"
_TENANT: Final = "give it the readers' roles of docs/clouds/azure.md in the tenant"
_REGION: Final = "name a region that is open to the subscription, or take it out of `regions`"
_CLOCK: Final = "set the clock: let it be kept by NTP"
_OLD: Final = "compare some with Azure's pages of prices; a copy at `prices_endpoint` must be kept"
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
            yield from self._subscriptions()
            yield from self._permissions()
        yield from self._prices()

    def _credentials(self) -> Finding:
        try:
            with translated(Asked(CLOUD, "credentials")):
                self.clients.credential.get_token(self.clients.audience)
        except CloudFailed as error:
            return _failed("credentials", error, _SIGN_IN)
        return Finding(CLOUD, "credentials", Severity.FINE, "a token was granted")

    def _subscriptions(self) -> Iterator[Finding]:
        """Every subscription, and every region of it that was asked for and cannot be looked at."""
        failed: set[str] = set()
        for subscription in self.clients.subscriptions:
            found = self._registered(subscription)
            if found.severity is not Severity.FINE:
                failed.add(subscription)
            yield found
        for one in self.inventory.scopes().unreached:
            if one.scope.region:
                about = f"region {one.scope.region} of subscription {one.scope.account}"
                yield _failed(about, one.failure, _REGION)
            elif one.scope.account not in failed:
                yield _failed(f"subscription {one.scope.account}", one.failure, _READ)

    def _registered(self, subscription: str) -> Finding:
        about = f"subscription {subscription}"
        try:
            state = self.inventory.regions.described(subscription).get("registrationState")
        except CloudFailed as error:
            return _failed(about, error, _READ)
        if state != "Registered":
            return Finding(
                CLOUD, about, Severity.FAILED, f"Microsoft.Compute is {state}",
                f"az provider register --namespace Microsoft.Compute --subscription {subscription}",
            )  # fmt: skip
        return Finding(CLOUD, about, Severity.FINE, "reached; its compute service is registered")

    def _permissions(self) -> Iterator[Finding]:
        """A look at the first region of every subscription, and at what is of no region."""
        found = self.inventory.scopes().found
        first = {scope.account: scope for scope in reversed(found) if scope.region}
        for scope in (scope for scope in found if not scope.region):
            yield _permission(scope, "savings plans", self.inventory.commitments, _TENANT)
        for scope in first.values():
            yield _permission(scope, "machines", self.inventory.instances, _READ)
            yield _permission(scope, "scale sets", self.inventory.groups, _READ)
            yield _permission(scope, "sizes", self.inventory.instance_types, _READ)
            yield _permission(scope, "quotas", self.inventory.quotas, _READ)
            yield _permission(scope, "reservations", self.inventory.commitments, _TENANT)

    def _prices(self) -> Iterator[Finding]:
        try:
            with translated(Asked(CLOUD, "retailPrices")):
                answer = self.clients.prices().send_request(HttpRequest(
                    "GET", f"{self.clients.prices_address}{PATH}",
                    params={"api-version": VERSION, "$filter": "armSkuName eq 'Standard_D2s_v5'"},
                ))  # fmt: skip
                answer.raise_for_status()
                stated = answer.headers.get("Date", "")
        except CloudFailed as error:
            yield _failed("prices", error, _REACH)
            yield self._clock("")
            return
        yield Finding(CLOUD, "prices", Severity.FINE, "the retail price service answers")
        yield self._clock(stated)
        yield from self._newest()

    def _clock(self, stated: str) -> Finding:
        """How far this machine's clock is from what the price service stated."""
        try:
            theirs = parsedate_to_datetime(stated).astimezone(UTC)
        except (TypeError, ValueError):
            said = "the retail price service, which is asked for the time, did not say it"
            return Finding(CLOUD, "clock", Severity.WARNING, said, _REACH)
        off_s = abs((self.price_list.clock() - theirs).total_seconds())
        if off_s > _CLOCK_OFF_S:
            said = f"differs from Azure's by {off_s:.0f} s"
            return Finding(CLOUD, "clock", Severity.FAILED, said, _CLOCK)
        return Finding(CLOUD, "clock", Severity.FINE, f"within {_CLOCK_OFF_S:.0f} s of Azure's")

    def _newest(self) -> Iterator[Finding]:
        """What is known of the list's age: Azure does not date it, only when prices came into
        force, and of those of a region some do in every month or two.
        """
        try:
            market = next(iter(self.price_list.markets().found), None)
        except CloudFailed as error:
            yield _failed("prices", error, _REACH)
            return
        if market is None:
            said = "no region is known to look at prices of"
            yield Finding(CLOUD, "prices", Severity.WARNING, said, _REGION)
            return
        about = f"prices of {market.place}"
        try:
            prices = [row for row in self.price_list.prices(market) if isinstance(row, Price)]
        except CloudFailed as error:
            yield _failed(about, error, _REGION if isinstance(error, NotFound) else _REACH)
            return
        if not prices:
            said = "none can be planned with"
            yield Finding(CLOUD, about, Severity.FAILED, said, _OLD)
            return
        newest = max(price.as_of for price in prices)
        quiet = self.price_list.clock() - newest
        said = f"{len(prices)} prices, the newest in force since {newest:%Y-%m-%d}"
        if quiet > _LONGEST_QUIET:
            said += f", {quiet.days} days: Azure does not date its list, and this may be an old one"
            yield Finding(CLOUD, about, Severity.WARNING, said, _OLD)
        else:
            yield Finding(CLOUD, about, Severity.FINE, f"{said}; Azure does not date its list")


def _permission(
    scope: Scope, what: str, rows: Callable[[Scope], Iterator[object]], remedy: str
) -> Finding:
    about = f"permission to read {what} of {scope.account}"
    try:
        list(islice(rows(scope), 1))
    except CloudFailed as error:
        return _failed(about, error, remedy)
    where = f" in {scope.region}" if scope.region else ""
    return Finding(CLOUD, about, Severity.FINE, f"read{where}")


def _failed(about: str, error: CloudFailed, remedy: str) -> Finding:
    """``remedy``: where it is a matter of credentials, permissions or configuration."""
    fits = isinstance(error, Denied | NotFound) or remedy in (_REACH, _SIGN_IN)
    said = f"{error.code}: {error.said}"
    return Finding(CLOUD, about, Severity.FAILED, said, remedy if fits else error.next_step)
