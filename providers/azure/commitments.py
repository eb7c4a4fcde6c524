"""Reservations of machines that subscriptions hold."""

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
from providers.azure.holders import TERMS, holder_of, subscription_in, used_share
from providers.azure.machines import word
from providers.azure.prices import AzurePriceList
from providers.azure.resources import region_of
from providers.azure.sizes import Sizes
from providers.seam import Scope

PRODUCT: Final = "reservation"


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
            term_years = needed(TERMS.get(word(properties.term)), "a known term")
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
        applied = [subscription_in(one) for one in properties.applied_scopes or ()]
        single = word(properties.applied_scope_type) == "single"
        payer = subscription_in(properties.billing_scope_id or "")
        return holder_of(self.clients.subscriptions, single, applied, payer)


def _starts(properties: ReservationsProperties) -> datetime:
    return needed(
        properties.benefit_start_time or properties.effective_date_time, "a reservation's start"
    )


def _ends(properties: ReservationsProperties) -> datetime:
    if properties.expiry_date_time is not None:
        return properties.expiry_date_time
    return datetime.combine(needed(properties.expiry_date, "a reservation's end"), time(), UTC)


def _used(properties: ReservationsProperties) -> float | None:
    utilization = properties.utilization
    stated = utilization.aggregates if utilization is not None else None
    return used_share((one.grain, one.value) for one in stated or ())
