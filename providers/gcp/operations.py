"""Operations: what became of changes that Google has taken on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from google.cloud import compute_v1

from models.cloud_errors import Asked, Conflicting
from providers.gcp.clients import Clients, asked
from providers.gcp.errors import check_operation
from providers.gcp.names import Named, last

_FIRST_S: Final = 0.25
_LONGEST_S: Final = 5.0


def request_id(token: str, step: str) -> str:
    """The same for the same step of the same token: Google does it once."""
    return str(uuid5(NAMESPACE_URL, f"trimtab:{token}:{step}"))


@dataclass(frozen=True, slots=True)
class Operations:
    """The operations of a project."""

    clients: Clients
    project: str

    def known(self, where: str, token: str, step: str) -> compute_v1.Operation | None:
        """What Google took on for a step of a token in a region or zone, whoever sent it; None
        where it knows of none.

        Google keeps operations for some days, and ignores repeated requests for less.
        """
        wanted, place = request_id(token, step), Named(where, "")
        request: Any
        if place.is_zonal:
            what = asked("compute.zoneOperations.list", self.project, place.region)
            method: Any = self.clients.compute(compute_v1.ZoneOperationsClient).list
            request = compute_v1.ListZoneOperationsRequest(project=self.project, zone=where)
        else:
            what = asked("compute.regionOperations.list", self.project, where)
            method = self.clients.compute(compute_v1.RegionOperationsClient).list
            request = compute_v1.ListRegionOperationsRequest(project=self.project, region=where)
        request.filter = f'clientOperationId = "{wanted}"'
        for page in self.clients.pages(what, method, request):
            for one in page.items:
                if one.client_operation_id == wanted and not _failed(one):
                    found: compute_v1.Operation = one
                    return found
        return None

    def done(self, what: Asked, operation: compute_v1.Operation) -> None:
        """Return when an operation has ended well.

        Raises its error, or ``Conflicting`` when it goes on for longer than anyone waits.
        """
        ends, pause_s = monotonic() + self.clients.patience.operation_s, _FIRST_S
        while True:
            check_operation(what, operation)
            if operation.status == compute_v1.Operation.Status.DONE:
                return
            if monotonic() >= ends:
                raise Conflicting(what, "StillUnderWay", f"{operation.name} has not ended yet")
            time.sleep(min(pause_s, self.clients.patience.longest_s))
            pause_s = min(2.0 * pause_s, _LONGEST_S)
            operation = self._now(operation)

    def _now(self, operation: compute_v1.Operation) -> compute_v1.Operation:
        request = {"project": self.project, "operation": operation.name}
        method: Any
        if operation.zone:
            zone = last(operation.zone)
            what = asked("compute.zoneOperations.get", self.project, Named(zone, "").region)
            method = self.clients.compute(compute_v1.ZoneOperationsClient).get
            request["zone"] = zone
        elif operation.region:
            region = last(operation.region)
            what = asked("compute.regionOperations.get", self.project, region)
            method = self.clients.compute(compute_v1.RegionOperationsClient).get
            request["region"] = region
        else:
            what = asked("compute.globalOperations.get", self.project)
            method = self.clients.compute(compute_v1.GlobalOperationsClient).get
        found: compute_v1.Operation = self.clients.call(what, method, request)
        return found


def _failed(operation: compute_v1.Operation) -> bool:
    return bool(operation.error.errors) or operation.http_error_status_code >= 400
