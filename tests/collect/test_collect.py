"""Collections: whole or marked, deterministic, bounded by their deadline."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.cloud_errors import Asked, Denied, Unavailable
from models.errors import OutputFailed
from models.inventory import Instance, InstanceGroup, Price, Quota, RejectedPrice, Sample
from models.offerings import Purchase
from models.world import World
from optimizer.collect import Limits, Request, collect
from providers.seam import Provider, Reading, Scope, Scopes, Window
from providers.simulated.script import BrokenPage, Outage, Throttling
from providers.snapshots.manifest import Status

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def _clock() -> datetime:
    return NOW


def test_all_that_runs_is_in_the_snapshot(
    played: Callable[..., Any], shop: World, tmp_path: Path
) -> None:
    clouds, providers = played()
    window = Window(shop.starts - timedelta(hours=48), shop.starts)
    snapshot = collect(providers, Request("all", tmp_path, window=window), clock=_clock)
    snapshot.check()
    assert snapshot.manifest.faulty == ()
    assert snapshot.manifest.taken_at == NOW
    running = {machine.id for cloud in clouds for machine in cloud.machines.machines.values()}
    assert {one.id for one in snapshot.rows(Instance)} == running
    assert len(snapshot.rows(Instance)) == sum(group.count for group in shop.fleet.groups)
    assert len(snapshot.rows(InstanceGroup)) == len(shop.fleet.groups)
    assert len(snapshot.rows(Price)) == len(shop.book)
    assert snapshot.rows(Quota)
    samples = snapshot.rows(Sample)
    assert {sample.at for sample in samples} == {
        window.starts + timedelta(hours=hour) for hour in range(48)
    }
    # What was read is what was there, value by value.
    (web,) = (cloud for cloud in clouds if cloud.name == "aws")
    inventory = providers[clouds.index(web)].inventory
    scope = Scope("aws", "simulated", "us-east-1")
    there = [one for one in snapshot.rows(Instance) if one.place == scope.place]
    assert there == list(inventory.instances(scope))


def test_the_same_answers_make_the_same_files(played: Callable[..., Any], tmp_path: Path) -> None:
    digests = []
    for folder, at_once in (("one", 1), ("other", 32)):
        _, providers = played()
        request = Request("same", tmp_path / folder, Limits(at_once=at_once))
        digests.append(collect(providers, request, clock=_clock).manifest.files)
    assert digests[0] == digests[1]
    assert len(digests[0]) >= 5


def test_a_region_that_is_down_is_marked_and_spoils_nothing(
    played: Callable[..., Any], tmp_path: Path
) -> None:
    _, providers = played(Outage("aws/eu-central-1"))
    snapshot = collect(providers, Request("part", tmp_path), clock=_clock)
    faulty = snapshot.manifest.faulty
    assert {part.scope.place for part in faulty} == {"aws/eu-central-1"}
    assert {part.status for part in faulty} == {Status.FAILED}
    assert all("is down" in part.why for part in faulty)
    places = {one.place for one in snapshot.rows(Instance)}
    assert "aws/us-east-1" in places
    assert "aws/eu-central-1" not in places


def test_what_came_before_a_broken_page_is_kept(played: Callable[..., Any], tmp_path: Path) -> None:
    _, providers = played(BrokenPage("prices", 150, "gcp/us-central1"))
    snapshot = collect(providers, Request("part", tmp_path), clock=_clock)
    (part,) = snapshot.manifest.faulty
    assert (part.scope.place, part.reading, part.status) == (
        "gcp/us-central1", Reading.PRICES, Status.PARTIAL,
    )  # fmt: skip
    assert part.rows == 150
    assert sum(price.place == "gcp/us-central1" for price in snapshot.rows(Price)) == 150


def test_a_cloud_that_does_not_say_where_it_is(played: Callable[..., Any], tmp_path: Path) -> None:
    _, providers = played(Throttling(0))
    snapshot = collect(providers, Request("none", tmp_path), clock=_clock)
    assert {part.status for part in snapshot.manifest.parts} == {Status.FAILED}
    assert {part.cloud for part in snapshot.manifest.parts} == {"aws", "azure", "gcp"}
    assert snapshot.rows(Instance) == []


class _Stuck:
    """Never answers, until it is told to."""

    def __init__(self, provider: Provider, place: str) -> None:
        self.provider, self.place, self.free = provider, place, threading.Event()

    def scopes(self) -> Scopes:
        return self.provider.inventory.scopes()

    def instances(self, scope: Scope) -> Iterator[Instance]:
        if scope.place == self.place:
            self.free.wait()
        yield from self.provider.inventory.instances(scope)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.provider.inventory, name)


def test_the_deadline_ends_what_never_answers(played: Callable[..., Any], tmp_path: Path) -> None:
    _, providers = played()
    stuck = _Stuck(providers[0], "aws/us-east-1")
    slow = [replace(providers[0], inventory=stuck), *providers[1:]]
    try:
        snapshot = collect(slow, Request("late", tmp_path, Limits(deadline_s=1.5)), clock=_clock)
    finally:
        stuck.free.set()
    (part,) = snapshot.manifest.faulty
    assert (part.scope.place, part.reading) == ("aws/us-east-1", Reading.INSTANCES)
    assert "deadline" in part.why
    snapshot.check()
    assert "aws/eu-central-1" in {one.place for one in snapshot.rows(Instance)}


def test_what_came_before_the_deadline_is_kept(played: Callable[..., Any], tmp_path: Path) -> None:
    _, providers = played()

    class Endless(_Stuck):
        def instances(self, scope: Scope) -> Iterator[Instance]:
            (one, *_) = self.provider.inventory.instances(Scope("aws", "simulated", "us-east-1"))
            while not self.free.is_set():
                yield one

    endless = Endless(providers[0], "")
    slow = [replace(providers[0], inventory=endless), *providers[1:]]
    try:
        snapshot = collect(slow, Request("late", tmp_path, Limits(deadline_s=1.0)), clock=_clock)
    finally:
        endless.free.set()
    cut = [
        part for part in snapshot.manifest.parts
        if part.cloud == "aws" and part.reading is Reading.INSTANCES
    ]  # fmt: skip
    assert {part.status for part in cut} == {Status.PARTIAL}
    assert all(part.rows > 0 and "deadline" in part.why for part in cut)
    assert len(snapshot.rows(Instance)) >= sum(part.rows for part in cut)


def test_what_rarely_changes_is_not_asked_again(played: Callable[..., Any], tmp_path: Path) -> None:
    clouds, providers = played()
    request = Request("again", tmp_path)
    first = collect(providers, request, clock=_clock)
    asked = [cloud.calls.copy() for cloud in clouds]
    second = collect(providers, request, first, clock=lambda: NOW + timedelta(hours=2))
    for cloud, before in zip(clouds, asked, strict=True):
        more = cloud.calls - before
        assert more["prices"] == more["instance_types"] == 0
        assert more["instances"] > 0
    assert second.frame("prices").equals(first.frame("prices"))
    reused = {part.reading for part in second.manifest.parts if part.reused}
    assert reused == {Reading.PRICES, Reading.INSTANCE_TYPES}
    # Age counts from when the cloud was asked, not from the snapshot that it was taken over by.
    third = collect(providers, request, second, clock=lambda: NOW + timedelta(hours=7))
    assert not any(p.reused for p in third.manifest.parts if p.reading is Reading.PRICES)


def test_what_was_not_whole_is_asked_again(played: Callable[..., Any], tmp_path: Path) -> None:
    _, broken = played(BrokenPage("prices", 150, "gcp/us-central1"))
    first = collect(broken, Request("again", tmp_path), clock=_clock)
    _, healed = played()
    later = NOW + timedelta(minutes=1)
    second = collect(healed, Request("again", tmp_path), first, clock=lambda: later)
    assert second.manifest.faulty == ()
    assert sum(p.place == "gcp/us-central1" for p in second.rows(Price)) > 150


def test_a_fault_of_our_own_spoils_no_other_part(
    played: Callable[..., Any], tmp_path: Path
) -> None:
    _, providers = played()

    class Buggy(_Stuck):
        def instances(self, scope: Scope) -> Iterator[Instance]:
            rows = self.provider.inventory.instances(scope)
            yield next(rows)
            raise ZeroDivisionError("password=hunter2 of it")

    bad = [replace(providers[0], inventory=Buggy(providers[0], "")), *providers[1:]]
    snapshot = collect(bad, Request("bug", tmp_path), clock=_clock)
    faulty = snapshot.manifest.faulty
    assert {(part.cloud, part.reading) for part in faulty} == {("aws", Reading.INSTANCES)}
    assert Status.PARTIAL in {part.status for part in faulty}
    for part in faulty:
        assert part.why.startswith("a fault of trimtab's own: ")
    assert "ZeroDivisionError: password=*** of it" in {
        part.why.partition(": ")[2] for part in faulty
    }
    assert {one.place.partition("/")[0] for one in snapshot.rows(Instance)} == {"aws", "azure"}


def test_rows_that_cannot_be_kept_spoil_no_other_part(
    played: Callable[..., Any], tmp_path: Path
) -> None:
    _, providers = played()

    class Buggy(_Stuck):
        def instances(self, scope: Scope) -> Iterator[Instance]:
            for row in self.provider.inventory.instances(scope):
                yield replace(row, launched="yesterday")  # type: ignore[arg-type]

    bad = [replace(providers[0], inventory=Buggy(providers[0], "")), *providers[1:]]
    snapshot = collect(bad, Request("bug", tmp_path), clock=_clock)
    assert {part.cloud for part in snapshot.manifest.faulty} == {"aws"}
    assert len(snapshot.rows(Price)) > 0


@pytest.mark.parametrize("usd", [0.0, -1.0, math.nan, math.inf])
def test_what_can_be_no_price_is_rejected(
    played: Callable[..., Any], tmp_path: Path, usd: float
) -> None:
    _, providers = played()

    class Spoilt:
        markets = providers[0].price_list.markets

        def prices(self, market: Scope) -> Iterator[Price]:
            yield Price(market.place, "m5.large", Purchase.SPOT, "a", usd, NOW, "test")

    bad = [replace(providers[0], price_list=Spoilt()), *providers[1:]]
    snapshot = collect(bad, Request("bad", tmp_path), clock=_clock)
    assert snapshot.manifest.faulty == ()
    assert not any(one.place.startswith("aws/") for one in snapshot.rows(Price))
    rejected = {one.stated for one in snapshot.rows(RejectedPrice)}
    assert rejected == {f"{usd:g}"}


def test_a_fault_of_our_own_before_the_first_part(
    played: Callable[..., Any], tmp_path: Path
) -> None:
    _, providers = played()

    class Buggy(_Stuck):
        def scopes(self) -> Scopes:
            raise ZeroDivisionError

    bad = [replace(providers[0], inventory=Buggy(providers[0], "")), *providers[1:]]
    snapshot = collect(bad, Request("bug", tmp_path), clock=_clock)
    assert {part.cloud for part in snapshot.manifest.faulty} == {"aws"}
    assert any(one.place.startswith("azure/") for one in snapshot.rows(Instance))


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_process_ends_a_collection_at_once(
    played: Callable[..., Any], tmp_path: Path, end: type[BaseException]
) -> None:
    _, providers = played()

    class Ended(_Stuck):
        def scopes(self) -> Scopes:
            if self.place:
                raise end
            return self.provider.inventory.scopes()

        def instances(self, scope: Scope) -> Iterator[Instance]:
            raise end
            yield

    for place in ("", "everywhere"):
        ended = replace(providers[0], inventory=Ended(providers[0], place))
        with pytest.raises(end):
            collect([ended, *providers[1:]], Request("end", tmp_path), clock=_clock)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputFailed, match="cannot write"):
        collect([], Request("no", tmp_path / "file"), clock=_clock)


def test_errors_keep_no_secrets() -> None:
    planted = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
    error = Denied(
        Asked("aws", "DescribeInstances", "prod", "aws/eu-west-1"),
        "AuthFailure",
        f"Authorization: Bearer {planted} token={planted}&x "
        f"aws_secret_access_key={planted}\x1b[31m\n{'x' * 9000}",
    )
    assert planted not in str(error)
    assert planted not in repr(error)
    assert "\x1b" not in str(error)
    assert len(error.said) <= 500
    assert "trimtab doctor" in str(error)
    again = Unavailable.__reduce__(error)
    assert planted not in repr(again)
