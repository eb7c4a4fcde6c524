"""What runs and is not the world's, what is not offered, and what a world does not use."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from written_snapshots import AT, part_of, written

from models.errors import FaultyInput, UnusableData
from models.inventory import (
    Instance,
    InstanceGroup,
    InstanceState,
    InstanceType,
    Price,
    Quota,
    QuotaUnit,
)
from models.offerings import Architecture, Purchase
from models.rules import QuotaRule
from models.seen import Seen
from models.world import Catalogue, World
from optimizer.collect import Request, collect
from optimizer.gather import gather
from optimizer.watch import Silent
from providers.geography.egress import load_egress
from providers.geography.regions import load_regions
from providers.seam import Provider, Reading, Scope
from providers.simulated.cloud import SERVICE_LABEL
from providers.simulated.script import BrokenPage
from providers.snapshots.manifest import Status
from providers.snapshots.reading import Snapshot
from providers.snapshots.seeing import NO_ZONE, book_of, incomplete, seen_in
from providers.snapshots.tables import Row
from scenarios.collecting import read_collection
from scenarios.known import known_names
from scenarios.sighted import overlooked, seen_quotas

ROOT = Path(__file__).parents[2]
PLACE = "aws/us-east-1"


class _Heard(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "scenarios" / "shop", tmp_path / "world")
    path = tmp_path / "world" / "world.yaml"
    text = path.read_text(encoding="utf-8")
    text = text.replace("prices: {book: embedded}", "snapshot: {folder: ../snapshots}")
    path.write_text(text[: text.index("\nfleet:") + 1], encoding="utf-8")
    return tmp_path


def _label(row: Instance | InstanceGroup, group: InstanceGroup | None = None) -> str:
    del group
    return dict(row.labels).get(SERVICE_LABEL, "")


def _collected(folder: Path, providers: list[Provider], service_of: Any = _label) -> Snapshot:
    request = Request("x", folder / "snapshots", service_of=service_of)
    return collect(providers, request, clock=lambda: datetime.now(UTC))


def _gathered(folder: Path) -> tuple[World, list[str]]:
    heard = _Heard()
    return gather(folder / "world", heard)[0], heard.warnings


def _gpu_quota(world: World) -> float:
    (rule,) = (r for r in world.rules if r.name.startswith(f"quota:simulated:{PLACE}"))
    assert isinstance(rule, QuotaRule)
    assert rule.vcpus_at_most is not None
    return rule.vcpus_at_most


def test_services_that_a_world_does_not_know_are_told_and_counted_off(
    played: Callable[..., Any], folder: Path
) -> None:
    _, providers = played()
    _collected(folder, providers)
    world, said = _gathered(folder)
    assert said == []
    before = _gpu_quota(world)

    def renamed(row: Instance | InstanceGroup, group: InstanceGroup | None) -> str:
        service = _label(row, group)
        return "oracle" if service == "recommendations" else service

    snapshot = _collected(folder, providers, renamed)
    foreign = [one for one in snapshot.rows(Instance) if one.service == "oracle"]
    world, (said_now,) = _gathered(folder)
    assert f"{len(foreign):,} instances of services that the world does not know" in said_now
    assert f"oracle ({len(foreign):,})" in said_now
    there = [one for one in foreign if one.place == PLACE]
    assert there
    assert _gpu_quota(world) == max(before - 16.0 * len(there), 0.0)


def test_contracts_that_are_not_understood_are_told(shop: World) -> None:
    seen = Seen("s", AT, (), 0, (), shop.history.frame, unclear_commitments=("ri r-1 of 1",))
    (said,) = overlooked(seen, (), {"commitments"})
    assert said.endswith("contracts of which the rates are not known are left out: ri r-1 of 1")
    assert list(overlooked(seen, (), {"prices"})) == []


def test_names_forge_no_lines_of_warnings(shop: World) -> None:
    unclear = ("ri\nwarning: all is well",)
    seen = Seen("s", AT, (), 0, (), shop.history.frame, unclear_commitments=unclear,
                variants={"x\ny": 1})  # fmt: skip
    for said in overlooked(seen, (), {"commitments", "fleet"}):
        assert "\n" not in said


class _Windows:
    """An inventory in which instances of a service run Windows."""

    def __init__(self, provider: Provider, service: str) -> None:
        self.provider, self.service = provider, service

    def instances(self, scope: Scope) -> Iterator[Instance]:
        for one in self.provider.inventory.instances(scope):
            windows = _label(one) == self.service
            yield replace(one, variant="windows") if windows else one

    def __getattr__(self, name: str) -> Any:
        return getattr(self.provider.inventory, name)


def test_what_prices_are_not_of_is_told_and_counted_off(
    played: Callable[..., Any], folder: Path
) -> None:
    _, providers = played()
    _collected(folder, providers)
    before = _gpu_quota(_gathered(folder)[0])
    other = [replace(one, inventory=_Windows(one, "recommendations")) for one in providers]
    snapshot = _collected(folder, other)
    windows = [one for one in snapshot.rows(Instance) if one.variant]
    world, (said,) = _gathered(folder)
    assert f"windows ({len(windows):,})" in said
    assert "recommendations" not in {group.service for group in world.fleet.groups}
    there = sum(one.place == PLACE for one in windows)
    assert there
    assert _gpu_quota(world) == max(before - 16.0 * there, 0.0)


def test_instances_run_what_their_group_is_called_by(
    played: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(
        "trimtab: 1\ncollect: x\nsimulated: {world: shop}\n"
        "services: {rules: [{service: gpu, name: 'recommendations-*'}]}\n"
    )
    _, providers = played()
    snapshot = _collected(tmp_path, providers, read_collection(path).service_of)
    groups = {one.id for one in snapshot.rows(InstanceGroup) if one.service == "gpu"}
    assert groups
    for one in snapshot.rows(Instance):
        assert one.service == ("gpu" if one.group in groups else "")


def _type(name: str, account: str = "1", **changes: Any) -> InstanceType:
    made = InstanceType(PLACE, name, account, 2.0, None, 8.0, Architecture.X86_64, "m5",
                        zones=("us-east-1a", "us-east-1b"))  # fmt: skip
    return replace(made, **changes)


def _price(name: str, usd: float, zone: str = "", purchase: str = "on_demand") -> Price:
    return Price(PLACE, name, Purchase(purchase), zone, usd, AT, "test")


def test_what_is_not_offered_has_no_price(tmp_path: Path) -> None:
    closed: dict[str, Any] = {"restriction": "NotAvailableForSubscription", "zones": ()}
    snapshot = written(tmp_path, [
        _type("m5.large"), _type("m5.xlarge", **closed), _type("m5.2xlarge", **closed),
        _type("m5.2xlarge", "2"), _type("m5.4xlarge"),
        *(_price(name, 0.1) for name in ("m5.large", "m5.xlarge", "m5.2xlarge", "m5.4xlarge")),
        _price("m5.large", 0.04, "us-east-1a", "spot"),
        _price("m5.large", 0.01, "us-east-1c", "spot"),
        _price("m5.4xlarge", 0.02, "us-east-1c", "spot"),
    ])  # fmt: skip
    book = book_of(snapshot, load_regions())
    found = {
        (row.instance_type, row.purchase): row.price_usd_per_hour
        for row in book.offerings.itertuples()
    }
    assert found == {
        ("m5.large", "on_demand"): 0.1, ("m5.large", "spot"): 0.04,
        ("m5.2xlarge", "on_demand"): 0.1, ("m5.4xlarge", "on_demand"): 0.1,
    }  # fmt: skip
    why = {(row.instance_type, row.purchase): row.reason for row in book.unpriced.itertuples()}
    assert why == {
        ("m5.xlarge", "on_demand"): "it is not offered: NotAvailableForSubscription",
        ("m5.4xlarge", "spot"): NO_ZONE,
    }
    assert (book.notes["restricted"], book.notes["not_offered_in_zone"]) == (1, 2)


def test_nothing_lacks_a_price_where_all_is_offered(tmp_path: Path) -> None:
    book = book_of(written(tmp_path, [_type("m5.large"), _price("m5.large", 0.1)]), load_regions())
    assert book.unpriced.empty


def test_nothing_that_is_offered(tmp_path: Path) -> None:
    snapshot = written(tmp_path, [_type("m5.large", restriction="closed"), _price("m5.large", 1.0)])
    with pytest.raises(UnusableData, match="that are offered"):
        book_of(snapshot, load_regions())


def _quota(name: str, limit: float, unit: QuotaUnit = QuotaUnit.VCPUS) -> Quota:
    return Quota("1", PLACE, name, unit, limit)


def _seen(tmp_path: Path, rows: list[Row], shop: World) -> Seen:
    catalogue = Catalogue({one.place: one for one in shop.regions}, shop.book, load_egress())
    return seen_in(written(tmp_path, rows), catalogue)


def test_what_limits_nothing_is_no_quota(tmp_path: Path, shop: World) -> None:
    limits = {"none": -1.0, "endless": math.inf, "unknown": math.nan, "zero": 0.0, "some": 8.0}
    seen = _seen(tmp_path, [_quota(name, limit) for name, limit in limits.items()], shop)
    assert [quota.whole.name for quota in seen.quotas] == ["zero", "some"]


def test_instances_of_unknown_types_count_as_instances(tmp_path: Path, shop: World) -> None:
    one = Instance("i", "1", PLACE, "us-east-1a", "custom-16-32768", Purchase.ON_DEMAND,
                   InstanceState.RUNNING, AT)  # fmt: skip
    rows: list[Row] = [one, _type("m5.large"), _quota("all", 10.0, QuotaUnit.INSTANCES)]
    (quota,) = _seen(tmp_path, rows, shop).quotas
    assert quota.left_to(()).instances_at_most == 9.0


def _runs(name: str, account: str, service: str, kind: str = "m5.large") -> Instance:
    return Instance(name, account, PLACE, "us-east-1a", kind, Purchase.ON_DEMAND,
                    InstanceState.RUNNING, AT, service=service)  # fmt: skip


def _left(seen: Seen, shop: World) -> dict[str, float | None]:
    known = known_names(
        shop.services, (), shop.regions, Catalogue({}, shop.book, load_egress())
    )  # fmt: skip
    return {rule.name: rule.vcpus_at_most for rule in seen_quotas(seen, shop.regions, known)}


def test_accounts_that_run_nothing_of_a_world_do_not_bind_it(tmp_path: Path, shop: World) -> None:
    service = shop.services[0].name
    quotas = [replace(_quota("all", limit), account=name)
              for name, limit in (("a", 1000.0), ("b", 5.0), ("c", 40.0))]  # fmt: skip
    types = [_type("m5.large", account) for account in "abc"]
    nobody = [_runs("i3", "b", ""), _runs("i4", "a", "")]
    one = _seen(tmp_path / "1", [_runs("i1", "a", service), *nobody, *types, *quotas], shop)
    assert _left(one, shop) == {f"quota:a:{PLACE}:all": 998.0}
    ours = [_runs("i1", "a", service), _runs("i2", "c", service)]
    two = _seen(tmp_path / "2", [*ours, *nobody, *types, *quotas], shop)
    assert _left(two, shop) == {f"quota:a+c:{PLACE}:all": 1038.0}
    none = _seen(tmp_path / "3", [*nobody, *types, *quotas], shop)
    assert _left(none, shop) == {f"quota:a+b+c:{PLACE}:all": 1041.0}


def test_what_instances_of_unknown_types_use_is_what_the_cloud_says(
    tmp_path: Path, shop: World
) -> None:
    service = shop.services[0].name
    rows: list[Row] = [
        _runs("ours", "1", service), _runs("theirs", "1", "", "custom-16-32768"),
        _type("m5.large"), replace(_quota("all", 100.0), used=18.0), _quota("unsaid", 50.0),
    ]  # fmt: skip
    left = _left(_seen(tmp_path, rows, shop), shop)
    assert left == {f"quota:1:{PLACE}:all": 84.0, f"quota:1:{PLACE}:unsaid": 50.0}


def test_machines_that_nobody_knows_do_not_refuse_a_world(tmp_path: Path, shop: World) -> None:
    service = shop.services[0].name
    far = replace(_runs("far", "1", service), place="aws/mars-1")
    rows: list[Row] = [_runs("ours", "1", service), _runs("odd", "1", service, "m1.weird"), far]
    seen = _seen(tmp_path, rows, shop)
    assert [(group.instance_type, group.count) for group in seen.groups] == [("m5.large", 1)]
    (said,) = overlooked(seen, {service}, {"fleet"})
    assert f"m1.weird in {PLACE} (1)" in said
    assert "m5.large in aws/mars-1 (1)" in said


@pytest.mark.parametrize(
    ("reading", "uses"),
    [
        (Reading.SAMPLES, {"demand"}),
        (Reading.COMMITMENTS, {"commitments"}),
        (Reading.QUOTAS, {"quotas"}),
        (Reading.PRICES, {"prices", "commitments"}),
        (Reading.GROUPS, {"fleet", "quotas", "demand"}),
    ],
)
def test_only_what_is_used_must_be_there(tmp_path: Path, reading: Reading, uses: set[str]) -> None:
    snapshot = written(tmp_path, part=part_of(reading, Status.FAILED, "Outage"))
    for use in ("prices", "fleet", "quotas", "commitments", "demand"):
        missing = incomplete(snapshot, None, {use})
        assert bool(missing) == (use in uses)


def test_a_world_is_refused_for_what_it_uses_alone(
    played: Callable[..., Any], folder: Path
) -> None:
    _, providers = played(BrokenPage("quotas", 0))
    snapshot = _collected(folder, providers)
    assert {part.reading for part in snapshot.manifest.faulty} == {Reading.QUOTAS}
    with pytest.raises(FaultyInput, match=f"quotas of {PLACE}"):
        _gathered(folder)
    path = folder / "world" / "world.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("../snapshots}", "../snapshots, use: [prices, fleet]}"))
    assert _gathered(folder)[0].fleet.groups
