"""Where Azure can be asked: what cannot be is named, and spoils no other."""

from __future__ import annotations

from pathlib import Path
from threading import Barrier

import pytest
from azure_sandbox import AzureSandbox, access, entry
from azure_server import refused
from azure_state import SUBSCRIPTION, retail
from reached import reached

from models.cloud_errors import CloudFailed, Denied, NotFound
from models.inventory import Price
from optimizer.collect import Request, collect
from providers.azure.clients import Clients
from providers.azure.provider import provider
from providers.azure.regions import Regions
from providers.seam import Provider, Scope, Scopes

OTHER = "99999999-2222-3333-4444-555555555555"


def _made(box: AzureSandbox, **other: object) -> Provider:
    return provider(entry(box.stand, **other), Path(), access(box.stand))


def _regions(scopes: Scopes) -> list[str]:
    return [scope.region for scope in scopes.found]


def test_regions_are_those_where_machines_may_be(box: AzureSandbox) -> None:
    scopes = box.provider.inventory.scopes()
    assert [scope.region for scope in reached(scopes)] == [
        "", "northeurope", "westeurope", "westus",
    ]  # fmt: skip
    assert _regions(box.provider.price_list.markets()) == ["northeurope", "westeurope", "westus"]


def test_a_region_that_is_not_open_is_named_with_its_nearest(box: AzureSandbox) -> None:
    cloud = _made(box, regions=("West Europe", "westeuropa"))
    scopes, markets = cloud.inventory.scopes(), cloud.price_list.markets()
    assert _regions(scopes) == ["", "westeurope"]
    assert _regions(markets) == ["westeurope"]
    for account, seen in ((SUBSCRIPTION, scopes), ("", markets)):
        (one,) = seen.unreached
        assert one.scope == Scope("azure", account, "westeuropa")
        assert isinstance(one.failure, NotFound)
        assert "did you mean 'westeurope'" in one.failure.said


def test_prices_are_read_for_a_subscription_that_is_denied(
    box: AzureSandbox, tmp_path: Path
) -> None:
    cloud = _made(box, subscriptions=(OTHER,), regions=("westeurope",))
    snapshot = collect([cloud], Request("azure", tmp_path))
    assert {part.scope for part in snapshot.manifest.faulty} == {Scope("azure", OTHER, "")}
    assert {row.place for row in snapshot.rows(Price)} == {"azure/westeurope"}


def test_prices_of_all_regions_need_no_subscription(box: AzureSandbox) -> None:
    box.stand.cloud.retail.append(retail("Standard_D2s_v5", 0.1, armRegionName="usgovvirginia"))
    cloud = _made(box, subscriptions=(OTHER,))
    (one,) = cloud.inventory.scopes().unreached
    assert isinstance(one.failure, Denied)
    assert _regions(cloud.price_list.markets()) == ["northeurope", "westeurope", "westus"]


def test_a_region_without_any_price_is_named(box: AzureSandbox) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        list(box.provider.price_list.prices(Scope("azure", "", "nowhere")))


def test_a_subscription_that_does_not_answer_spoils_no_other(box: AzureSandbox) -> None:
    scopes = _made(box, subscriptions=(OTHER, SUBSCRIPTION)).inventory.scopes()
    assert {scope.account for scope in scopes.found} == {SUBSCRIPTION}
    assert [one.scope for one in scopes.unreached] == [Scope("azure", OTHER, "")]


def test_subscriptions_are_asked_at_once(box: AzureSandbox) -> None:
    names = tuple(f"{i:08d}-2222-3333-4444-555555555555" for i in range(5))
    together = Barrier(len(names), timeout=30.0)  # one by one, the first waits in vain

    class Slow(Regions):
        def open_to(self, subscription: str) -> tuple[str, ...]:
            together.wait()
            return ("westeurope",)

    clients = Clients(entry(box.stand, subscriptions=names), Path(), access(box.stand))
    assert len(Slow(clients).scopes().found) == 2 * len(names)


def test_a_description_that_is_none_is_no_crash(box: AzureSandbox) -> None:
    box.stand.faults.append(lambda call: refused(200, "none"))
    (one,) = box.provider.inventory.scopes().unreached
    assert isinstance(one.failure, CloudFailed)
