"""Savings plans that are held. They are of no region, and their service is spoken to without a
client of its own: through the resource manager, as the SDK's clients do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from azure.core.rest import HttpRequest

from models.cloud_errors import Asked, NotAccepted
from models.commitments import CommitmentKind
from models.inventory import OwnedCommitment
from providers.azure.clients import Clients
from providers.azure.errors import CLOUD, check_new, read
from providers.azure.holders import TERMS, holder_of, subscription_in, used_share
from providers.azure.machines import word
from providers.seam import Scope

PATH: Final = "/providers/Microsoft.BillingBenefits/savingsPlans"
VERSION: Final = "2022-11-01"
PRODUCT: Final = "savings plan"


@dataclass(frozen=True, slots=True)
class SavingsPlans:
    """What is committed by the hour, by the subscription that pays or that alone it applies to."""

    clients: Clients

    def of(self, scope: Scope) -> Iterator[OwnedCommitment]:
        """Savings plans in force; at the end, ``NotAccepted`` when some are not in USD."""
        asked = Asked(CLOUD, "savingsPlans.listAll", scope.account, scope.place)
        return read(asked, lambda: self._of(asked, scope))

    def _of(self, asked: Asked, scope: Scope) -> Iterator[OwnedCommitment]:
        foreign: list[str] = []
        for one in self._listed(scope.account):
            properties = one["properties"]
            if word(properties["provisioningState"]) != "succeeded":
                continue
            if self._holder(properties) != scope.account:
                continue
            promised = properties["commitment"]
            if promised["currencyCode"] != "USD" or word(promised["grain"]) != "hourly":
                foreign.append(f"{promised['currencyCode']} {word(promised['grain'])}")
                continue
            usd = float(promised["amount"])
            yield OwnedCommitment(
                str(one["id"]).lower(), scope.account, scope.place, PRODUCT, CommitmentKind.SPEND,
                TERMS[word(properties["term"])], usd, usd,
                _time(properties.get("benefitStartTime") or properties["effectiveDateTime"]),
                _time(properties["expiryDateTime"]), (), _used(properties),
            )  # fmt: skip
        if foreign:
            said = f"{len(foreign)} are not in USD by the hour ({', '.join(sorted(set(foreign)))})"
            raise NotAccepted(asked, "Currency", said)

    def _listed(self, subscription: str) -> Iterator[Mapping[str, Any]]:
        links: set[str] = set()
        params: dict[str, str] | None = {"api-version": VERSION, "selectedState": "Succeeded"}
        client = self.clients.compute(subscription)  # signs what it sends, whatever it is about
        while params is not None:
            address = f"{self.clients.management}{PATH}"
            answer = client.send_request(HttpRequest("GET", address, params=params))
            answer.raise_for_status()
            page = answer.json()
            yield from page["value"]
            link = page.get("nextLink")
            if link:
                check_new(link, links)
            # Only the link's question is used: tokens go nowhere else.
            params = dict(parse_qsl(urlsplit(link).query)) if link else None

    def _holder(self, properties: Mapping[str, Any]) -> str:
        applied = properties.get("appliedScopeProperties") or {}
        named = applied.get("subscriptionId") or applied.get("resourceGroupId") or ""
        single = word(properties["appliedScopeType"]) == "single"
        payer = subscription_in(properties.get("billingScopeId") or "")
        return holder_of(self.clients.subscriptions, single, [subscription_in(named)], payer)


def _used(properties: Mapping[str, Any]) -> float | None:
    stated = (properties.get("utilization") or {}).get("aggregates") or ()
    return used_share((one.get("grain"), one.get("value")) for one in stated)


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return at
