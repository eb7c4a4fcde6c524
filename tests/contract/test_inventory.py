"""What every cloud says of itself, by the same words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from acting import group_called, groups_in, instances_in, make_group, scope_of
from sandboxes import Sandbox, Trouble

from models.cloud_errors import CloudFailed, Denied, Throttled, Unavailable
from models.inventory import InstanceState, Price, Signal
from models.offerings import Purchase
from providers.seam import Window


def test_scopes_are_sorted_and_hold_both_places(sandbox: Sandbox) -> None:
    scopes = sandbox.provider.inventory.scopes().found
    assert list(scopes) == sorted(set(scopes))
    assert {sandbox.place, sandbox.other_place} <= {scope.place for scope in scopes}
    assert {scope.account for scope in scopes} == {sandbox.account}


def test_an_empty_account_has_nothing(sandbox: Sandbox) -> None:
    assert groups_in(sandbox) == []
    assert instances_in(sandbox) == []


def test_groups_and_their_instances(sandbox: Sandbox) -> None:
    made = make_group(sandbox, "web", desired=3, labels=(("service", "shop"), ("tier", "1")))
    sandbox.settle()
    group = group_called(sandbox, "web")
    assert group.id == made.id
    assert group.minimum <= group.desired == 3
    assert group.healthy == 3
    assert group.place == sandbox.place
    assert group.account == sandbox.account
    assert group.instance_types == (sandbox.types[0],)
    assert dict(group.labels)["service"] == "shop"
    assert list(group.labels) == sorted(group.labels)
    instances = instances_in(sandbox)
    assert len(instances) == len({one.id for one in instances}) == 3
    for one in instances:
        assert one.group == group.id
        assert one.instance_type == sandbox.types[0]
        assert one.place == sandbox.place
        assert one.state is InstanceState.RUNNING
        assert one.purchase is Purchase.ON_DEMAND
        assert one.zone
        assert one.launched.tzinfo is not None
        assert dict(one.labels)["service"] == "shop"
    assert instances_in(sandbox, sandbox.other_place) == []


def test_more_than_a_page(sandbox: Sandbox) -> None:
    make_group(sandbox, "many", desired=130)
    sandbox.settle()
    assert len({one.id for one in instances_in(sandbox)}) == 130


def test_types_know_their_size(sandbox: Sandbox) -> None:
    scope = scope_of(sandbox)
    known = {one.instance_type: one for one in sandbox.provider.inventory.instance_types(scope)}
    for name in sandbox.types:
        kind = known[name]
        assert kind.vcpus > 0
        assert kind.memory_gib > 0
        assert kind.place == sandbox.place
        assert kind.family
        assert kind.zones
    assert known[sandbox.types[0]].architecture is known[sandbox.types[1]].architecture


def test_quotas_say_limits(sandbox: Sandbox) -> None:
    quotas = list(sandbox.provider.inventory.quotas(scope_of(sandbox)))
    assert quotas
    for quota in quotas:
        assert quota.limit >= 0
        assert quota.used is None or quota.used >= 0
        assert quota.account == sandbox.account


def test_prices_are_positive_and_dated(sandbox: Sandbox) -> None:
    (market,) = (
        one for one in sandbox.provider.price_list.markets().found if one.place == sandbox.place
    )
    rows = [one for one in sandbox.provider.price_list.prices(market) if isinstance(one, Price)]
    on_demand = {one.instance_type for one in rows if one.purchase is Purchase.ON_DEMAND}
    assert set(sandbox.types) <= on_demand
    for price in rows:
        assert 0 < price.price_usd_per_hour < 1000
        assert price.as_of.tzinfo is not None
        assert price.source
        assert price.place == sandbox.place


def test_samples_lie_in_their_window(sandbox: Sandbox) -> None:
    make_group(sandbox, "web", desired=2)
    sandbox.settle()
    ends = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    window = Window(ends - timedelta(hours=6), ends)
    for hours in (-1.5, 0.5, 7.5):
        sandbox.measure(group_called(sandbox, "web"), window.starts + timedelta(hours=hours))
    samples = list(sandbox.provider.metrics.samples(scope_of(sandbox), window))
    assert Signal.CPU_SHARE in {sample.signal for sample in samples}
    for sample in samples:
        assert window.starts <= sample.at < window.ends
        assert sample.value >= 0
        assert sample.signal in Signal
        assert sample.step_s == window.step_s


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Trouble.THROTTLED, Throttled),
        (Trouble.DOWN, Unavailable),
        (Trouble.GARBLED, Unavailable),
        (Trouble.DENIED, Denied),
    ],
)
def test_troubles_have_names(sandbox: Sandbox, kind: Trouble, error: type[CloudFailed]) -> None:
    if kind not in sandbox.troubles:
        pytest.xfail(f"{type(sandbox).__name__} cannot be made to be {kind} here")
    make_group(sandbox, "web", desired=1)
    with sandbox.trouble(kind), pytest.raises(error) as caught:
        instances_in(sandbox)
    assert caught.value.asked.cloud == sandbox.provider.cloud
    assert caught.value.next_step
    # What the SDK raised holds the request, and with it credentials.
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert len(instances_in(sandbox)) == 1
