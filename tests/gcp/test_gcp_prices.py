"""Google sells parts: prices of machine types are sums, and variants are told apart."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from gcp_cloud import PROJECT
from gcp_contract import Call
from gcp_sandbox import GcpSandbox, entry_at
from gcp_server import Broken
from gcp_skus import EFFECTIVE, family, others, sku
from google.cloud import billing_v1

from models.cloud_errors import Denied, NotFound
from models.inventory import CommittedRate, Price, RejectedPrice
from models.offerings import Purchase
from providers.gcp.rates import part_of
from providers.seam import Scope

MARKET = Scope("gcp", "", "europe-west1")
Rows = list[Price | RejectedPrice | CommittedRate]


def prices(sandbox: GcpSandbox, skus: list[dict[str, Any]] | None = None) -> Rows:
    if skus is not None:
        sandbox.server.cloud.skus = skus
    return list(sandbox.provider.price_list.prices(MARKET))


def usd(rows: Rows, instance_type: str, purchase: Purchase = Purchase.ON_DEMAND) -> float:
    (price,) = (
        row for row in rows
        if isinstance(row, Price) and (row.instance_type, row.purchase) == (instance_type, purchase)
    )  # fmt: skip
    return price.price_usd_per_hour


def rejected(rows: Rows, instance_type: str, purchase: Purchase = Purchase.ON_DEMAND) -> str:
    (row,) = (
        row for row in rows
        if isinstance(row, RejectedPrice)
        and (row.instance_type, row.purchase) == (instance_type, purchase)
    )  # fmt: skip
    return row.reason


@pytest.mark.parametrize(
    ("instance_type", "expected"),
    [
        ("e2-standard-2", 2 * 0.022 + 8 * 0.003),
        ("n1-standard-2", 2 * 0.0316 + 7.5 * 0.00424),
        ("n2-standard-4", 4 * 0.032 + 16 * 0.0042),
        ("c2-standard-4", 4 * 0.034 + 16 * 0.0045),
        ("t2a-standard-2", 2 * 0.025 + 8 * 0.0033),
        ("g2-standard-4", 4 * 0.025 + 16 * 0.0029 + 0.56),
        ("e2-medium", 1 * 0.022 + 4 * 0.003),  # shared cores pay for the one that they sustain
        ("f1-micro", 0.0076),  # sold whole
    ],
)
def test_a_machine_type_costs_its_parts(
    sandbox: GcpSandbox, instance_type: str, expected: float
) -> None:
    assert usd(prices(sandbox), instance_type) == pytest.approx(expected)


def test_spot_has_rates_of_its_own(sandbox: GcpSandbox) -> None:
    rows = prices(sandbox)
    expected = 4 * 0.010667 + 16 * 0.0014
    assert usd(rows, "n2-standard-4", Purchase.SPOT) == pytest.approx(expected)
    gpu = usd(rows, "g2-standard-4") - usd(rows, "g2-standard-4", Purchase.SPOT)
    assert gpu > 0.56 - 0.22


def test_commitments_have_terms(sandbox: GcpSandbox) -> None:
    found = {
        (row.instance_type, row.term_years): row
        for row in prices(sandbox)
        if isinstance(row, CommittedRate)
    }
    one = found["n1-standard-2", 1].price_usd_per_hour
    assert one == pytest.approx(0.63 * (2 * 0.0316 + 7.5 * 0.00424), rel=1e-4)
    assert found["n1-standard-2", 3].price_usd_per_hour < one
    assert ("f1-micro", 1) not in found


def test_prices_say_when_and_whence(sandbox: GcpSandbox) -> None:
    rows = [row for row in prices(sandbox) if isinstance(row, Price)]
    assert {row.as_of for row in rows} == {datetime.fromisoformat(EFFECTIVE)}
    assert {row.source for row in rows} == {"Google Cloud Billing Catalog API"}


def test_a_sum_is_as_old_as_its_oldest_part(sandbox: GcpSandbox) -> None:
    older = datetime.fromisoformat(EFFECTIVE) - timedelta(days=6)
    skus = [
        sku("E2 Instance Core running in X", "OnDemand", 0.02, effective=older.isoformat()),
        sku("E2 Instance Ram running in Belgium", "OnDemand", 0.003, "GiBy.h"),
    ]  # fmt: skip
    (price,) = (
        row for row in prices(sandbox, skus)
        if isinstance(row, Price) and row.instance_type == "e2-standard-2"
    )  # fmt: skip
    assert price.as_of == older


@pytest.mark.parametrize(
    ("words", "usage", "family_name"),
    [
        ("N2D AMD Instance Core running in Zurich", "OnDemand", "n2d"),
        ("Compute optimized Core running in Americas", "OnDemand", "c2"),
        ("Memory-optimized Instance Core running in Americas", "OnDemand", "m1"),
        ("M3 Memory-optimized Instance Core running in Americas", "OnDemand", "m3"),
        ("C4A Arm Instance Core running in Americas", "OnDemand", "c4a"),
        ("Preemptible N1 Predefined Instance Core running in Americas", "Preemptible", "n1"),
        ("Commitment v1: Cpu in Americas for 1 Year", "Commit1Yr", "n1"),
        ("Commitment v1: N2D AMD Cpu in Americas for 3 Years", "Commit3Yr", "n2d"),
        ("Commitment: Compute optimized Core running in Americas for 1 Year", "Commit1Yr", "c2"),
        ("Commitment: Compute optimized Ram running in Americas for 3 Year", "Commit3Yr", "c2"),
        ("Commitment v1: Nvidia Tesla T4 GPU running in Americas for 1 Year", "Commit1Yr", "t4"),
        ("Nvidia Tesla A100 80GB GPU running in Americas", "OnDemand", "80gb a100"),
        ("Memory Optimized Upgrade Premium for Memory-optimized Instance Core running in Americas",
         "OnDemand", None),
        ("M4Ultramem224 Instance Core running in Americas", "OnDemand", "m4ultramem224"),
        ("M4NUltramem224Instance Ram running in Iowa", "OnDemand", "m4nultramem224"),
        ("A3Plus Instance Core running in Americas", "OnDemand", "a3plus"),
        ("Commitment v1: M4Ultramem224 Cpu in Americas for 1 Year", "Commit1Yr", "m4ultramem224"),
        ("N2 Custom Instance Core running in Americas", "OnDemand", None),
    ],
)  # fmt: skip
def test_what_descriptions_are_about(words: str, usage: str, family_name: str | None) -> None:
    message = billing_v1.Sku.from_json(json.dumps(sku(words, usage, 1.0)))
    found = part_of(message)
    assert (found[0] if found else None) == family_name


@pytest.mark.parametrize(
    "words",
    [
        "Spot Preemptible N2 Instance Core running in Americas",
        "Nvidia L4 GPU attached to Spot Preemptible VMs running in Americas",
    ],
)
def test_spot_is_spot_whatever_its_usage_type(words: str) -> None:
    message = billing_v1.Sku.from_json(json.dumps(sku(words, "OnDemand", 1.0)))
    found = part_of(message)
    assert found is not None
    assert found[2] is Purchase.SPOT


def test_only_variants_is_no_price(sandbox: GcpSandbox) -> None:
    rows = prices(sandbox, others())
    assert [row for row in rows if not isinstance(row, RejectedPrice)] == []
    assert "no vCPU of e2" in rejected(rows, "e2-standard-2")


def test_variants_do_not_spoil_prices(sandbox: GcpSandbox) -> None:
    rows = prices(sandbox, [*others(), *family("E2 Instance", 0.022, 0.003), *others()])
    assert usd(rows, "e2-standard-2") == pytest.approx(2 * 0.022 + 8 * 0.003)


def test_memory_by_decimal_gigabytes(sandbox: GcpSandbox) -> None:
    sandbox.server.cloud.machine_types["c4d-standard-2"] = (2, 7 * 1024, "X86_64", ())
    core = sku("C4D Instance Core running in Americas", "OnDemand", 0.04)
    ram = sku("C4D Instance Ram running in Americas", "OnDemand", 0.0035, "GBy.h")
    paid = usd(prices(sandbox, [core, ram]), "c4d-standard-2")
    assert paid == pytest.approx(2 * 0.04 + 7 * 1.073741824 * 0.0035)


@pytest.mark.parametrize(
    ("name", "words"),
    [("m4-ultramem-224", "M4Ultramem224 Instance"), ("n1-megamem-96", "Memory-optimized Instance")],
)
def test_types_that_are_not_sold_at_the_rates_of_their_family(
    sandbox: GcpSandbox, name: str, words: str
) -> None:
    sandbox.server.cloud.machine_types[name] = (100, 1000 * 1024, "X86_64", ())
    skus = [
        *family("M4 Instance", 0.01, 0.001), *family("N1 Predefined Instance", 0.01, 0.001),
        *family(words, 0.02, 0.005),
    ]  # fmt: skip
    assert usd(prices(sandbox, skus), name) == pytest.approx(100 * 0.02 + 1000 * 0.005)


def test_what_has_no_rates_is_rejected_with_the_reason(sandbox: GcpSandbox) -> None:
    rows = prices(sandbox)
    assert rejected(rows, "m2-ultramem-208") == "the catalogue has no vCPU of m2 sold so"
    assert rejected(rows, "m2-ultramem-208", Purchase.SPOT)


@pytest.mark.parametrize(
    ("core", "reason"),
    [
        (sku("E2 Instance Core running in X", "OnDemand", 0.0), "no price above zero"),
        (sku("E2 Instance Core running in X", "OnDemand", 250_000.0), "no believable price"),
        (sku("E2 Instance Core running in X", "OnDemand", 1e-7), "no believable price"),
        (sku("E2 Instance Core running in X", "OnDemand", 0.02, "mo"), "counts in 'mo'"),
        (sku("E2 Instance Core running in X", "OnDemand", 0.02, currency="EUR"), "stated in EUR"),
        (
            sku("E2 Instance Core running in X", "OnDemand", 0.02, tiers=((0, 0.02), (100, 0.01))),
            "several rates by usage",
        ),
        (
            sku("E2 Instance Core running in X", "OnDemand", 1.0, effective="2999-01-01T00:00:00Z"),
            "no price in force",
        ),
        (
            sku("E2 Instance Core running in X", "OnDemand", 0.02,
                effective="2025-02-03T00:00:00Z"),
            "is stale",
        ),
    ],
)  # fmt: skip
def test_unsound_rates(sandbox: GcpSandbox, core: dict[str, Any], reason: str) -> None:
    ram = sku("E2 Instance Ram running in X", "OnDemand", 0.003, "GiBy.h")
    rows = prices(sandbox, [core, ram])
    assert reason in rejected(rows, "e2-standard-2")
    assert not any(isinstance(row, Price) for row in rows)


def test_a_free_allowance_is_no_price(sandbox: GcpSandbox) -> None:
    tiers = ((0.0, 0.0), (744.0, 0.02))
    core = sku("E2 Instance Core running in X", "OnDemand", 0.02, tiers=tiers)
    ram = sku("E2 Instance Ram running in X", "OnDemand", 0.003, "GiBy.h")
    assert usd(prices(sandbox, [core, ram]), "e2-standard-2") == pytest.approx(0.04 + 0.024)


def test_contradictions_are_rejected(sandbox: GcpSandbox) -> None:
    again = sku("E2 Instance Core running in Belgium", "OnDemand", 0.05)
    rows = prices(sandbox, [*family("E2 Instance", 0.022, 0.003), again])
    assert rejected(rows, "e2-standard-2") == "two SKUs contradict each other"
    assert usd(rows, "e2-standard-2", Purchase.SPOT) > 0


def test_the_newest_price_in_force_holds(sandbox: GcpSandbox) -> None:
    old = sku("E2 Instance Core running in X", "OnDemand", 0.05, effective="2024-01-01T00:00:00Z")
    new = sku("E2 Instance Core running in X", "OnDemand", 0.02)
    old["pricingInfo"] += new["pricingInfo"]
    ram = sku("E2 Instance Ram running in X", "OnDemand", 0.003, "GiBy.h")
    assert usd(prices(sandbox, [old, ram]), "e2-standard-2") == pytest.approx(0.064)


def test_local_disks_are_priced_apart(sandbox: GcpSandbox) -> None:
    sandbox.server.cloud.machine_types["n2-standard-4-lssd"] = (4, 16384, "X86_64", ())
    assert "local SSDs" in rejected(prices(sandbox), "n2-standard-4-lssd")


def test_the_catalogue_is_read_once_for_all_regions(sandbox: GcpSandbox) -> None:
    for market in sandbox.provider.price_list.markets().found:
        assert list(sandbox.provider.price_list.prices(market))
    assert sandbox.server.asked["cloudbilling.services.skus.list"] == 1


class _Denying:
    """Denies a project's machine types."""

    def __init__(self, project: str) -> None:
        self.project = project

    def __call__(self, call: Call) -> Broken | None:
        lacks = call.verb == "compute.machineTypes.list" and call.path["project"] == self.project
        return Broken(403, "forbidden") if lacks else None


def _two_projects(sandbox: GcpSandbox, *projects: str, **more: Any) -> GcpSandbox:
    entry = entry_at(sandbox.server, **more).model_copy(update={"projects": projects})
    return GcpSandbox(sandbox.server, entry)


def test_a_project_that_does_not_answer_hides_no_price(sandbox: GcpSandbox) -> None:
    both = _two_projects(sandbox, "nobodys", PROJECT)
    markets = both.provider.price_list.markets()
    assert [one.region for one in markets.found] == ["europe-west1", "us-central1"]
    assert markets.unreached == ()
    assert usd(prices(both), "e2-standard-2") > 0


def test_prices_of_a_project_that_may_read_types(sandbox: GcpSandbox) -> None:
    sandbox.server.cloud.projects.add("shop-other")
    both = _two_projects(sandbox, "shop-other", PROJECT)
    sandbox.server.faults.append(_Denying("shop-other"))
    assert usd(prices(both), "e2-standard-2") > 0
    sandbox.server.faults.append(_Denying(PROJECT))
    with pytest.raises(Denied):
        prices(both)


def test_markets_say_why_there_are_none(sandbox: GcpSandbox) -> None:
    none = _two_projects(sandbox, "nobodys")
    (why,) = none.provider.price_list.markets().unreached
    assert why.scope == Scope("gcp", "nobodys", "")
    assert isinstance(why.failure, NotFound)
    some = _two_projects(sandbox, "nobodys", PROJECT, regions=("us-central1", "us-centra1"))
    markets = some.provider.price_list.markets()
    assert [one.region for one in markets.found] == ["us-central1"]
    assert [one.scope for one in markets.unreached] == [Scope("gcp", "", "us-centra1")]
