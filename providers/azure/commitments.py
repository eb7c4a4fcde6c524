"""Reservations of machines that subscriptions hold.

Savings plans are another service, which the SDK's reservation client does not speak to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from math import nan
from typing import Final

from azure.mgmt.reservations.models import ReservationResponse, ReservationsProperties

from models.cloud_errors import Asked
from models.commitments import CommitmentKind
from models.inventory import OwnedCommitment
from providers.azure.clients import Clients
from providers.azure.errors import CLOUD, needed, read
from providers.azure.machines import word
from providers.azure.prices import AzurePriceList
from providers.azure.resources import region_of
from providers.azure.sizes import Sizes
from providers.seam import Scope

PRODUCT: Final = "reservation"
_TERMS: Final = {"p1y": 1, "p3y": 3, "p5y": 5}


@dataclass(frozen=True, slots=True)
class Reservations:
    """What is reserved, by the subscription that pays for it or that alone it applies to."""

    clients: Clients
    sizes: Sizes
    prices: AzurePriceList

    def of(self, scope: Scope) -> Iterator[OwnedCommitment]:
        """Reservations of a region.

        What was paid for them is not said; ``usd_per_hour`` is today's list price, NaN where they
        are sold no more.
        """
        asked = Asked(CLOUD, "reservation.listAll", scope.account, scope.place)
        return read(asked, lambda: self._of(scope))

    def _of(self, scope: Scope) -> Iterator[OwnedCommitment]:
        rates: dict[tuple[str, int], float] | None = None
        for one in self._held(scope):
            properties = needed(one.properties, "a reservation's properties")
            name = needed(one.sku.name if one.sku is not None else None, "what is reserved")
            if rates is None:
                rates = self.prices.reserved(Scope(CLOUD, "", scope.region))
            size = self.sizes.of(scope).get(name.lower())
            term_years = needed(_TERMS.get(word(properties.term)), "a known term")
            if size is None:
                continue  # the region has it no more: it covers nothing that could be planned
            rate = rates.get((name, term_years), nan)
            quantity = float(needed(properties.quantity, "how many are reserved"))
            yield OwnedCommitment(
                needed(one.id, "a reservation's id").lower(), scope.account, scope.place, PRODUCT,
                CommitmentKind.RESOURCE, term_years, quantity * size.kind.vcpus, quantity * rate,
                _starts(properties), _ends(properties), (size.kind.family,), _used(properties),
            )  # fmt: skip

    def _held(self, scope: Scope) -> Iterator[ReservationResponse]:
        asked = Asked(CLOUD, "reservation.listAll", scope.account, scope.place)
        reservations = self.clients.reservations().reservation

        def rows() -> Iterator[ReservationResponse]:
            for one in read(asked, lambda: reservations.list_all(selected_state="Succeeded")):
                properties = one.properties
                if (
                    properties is not None
                    and word(properties.reserved_resource_type) == "virtualmachines"
                    and word(properties.provisioning_state) == "succeeded"
                    and region_of(one.location or "") == scope.region
                    and self._holder(properties) == scope.account
                ):
                    yield one

        return read(asked, rows)

    def _holder(self, properties: ReservationsProperties) -> str:
        """The subscription under which it is shown, so that it is shown once.

        The one that alone it applies to; else the one that pays; else the first that is looked at,
        which shares in it.
        """
        ours = self.clients.subscriptions
        applied = [_subscription(one) for one in properties.applied_scopes or ()]
        if word(properties.applied_scope_type) == "single":
            return next((one for one in applied if one in ours), "")
        payer = _subscription(properties.billing_scope_id or "")
        return payer if payer in ours else ours[0]


def _subscription(scope: str) -> str:
    parts = scope.lower().strip("/").split("/")
    return parts[1] if len(parts) > 1 and parts[0] == "subscriptions" else ""


def _starts(properties: ReservationsProperties) -> datetime:
    return needed(
        properties.benefit_start_time or properties.effective_date_time, "a reservation's start"
    )


def _ends(properties: ReservationsProperties) -> datetime:
    if properties.expiry_date_time is not None:
        return properties.expiry_date_time
    return datetime.combine(needed(properties.expiry_date, "a reservation's end"), time(), UTC)


def _used(properties: ReservationsProperties) -> float | None:
    """Of the longest stretch of days that it is said for."""
    utilization = properties.utilization
    stated = [
        (one.grain or 0.0, one.value)
        for one in (utilization.aggregates if utilization is not None else None) or ()
        if one.value is not None
    ]
    return min(max(stated)[1] / 100.0, 1.0) if stated else None
