"""What was measured of scale sets, and of the gateways before them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from acting import make_group, scope_of
from azure_sandbox import AzureSandbox
from azure_server import Answer, Call, refused
from azure_state import GROUP, SUBSCRIPTION

from models.cloud_errors import NotAccepted
from models.inventory import Sample, Signal
from providers.seam import Window

ENDS = datetime(2026, 3, 1, tzinfo=UTC)
GATEWAY = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network"
    "/applicationGateways/edge"
)


def _samples(box: AzureSandbox, step_s: int = 3600) -> list[Sample]:
    window = Window(ENDS - timedelta(hours=4), ENDS, step_s)
    return list(box.provider.metrics.samples(scope_of(box), window))


def _behind_gateway(box: AzureSandbox, name: str, behind: str = "web") -> None:
    pool = {"id": f"{GATEWAY}/backendAddressPools/{behind}"}
    address = {"name": "a", "properties": {"applicationGatewayBackendAddressPools": [pool]}}
    card = {"name": "c", "properties": {"ipConfigurations": [address]}}
    profile = box.stand.cloud.found(GROUP, name).properties["virtualMachineProfile"]
    profile["networkProfile"] = {"networkInterfaceConfigurations": [card]}


def test_cpu_and_network_of_every_group(box: AzureSandbox) -> None:
    groups = {make_group(box, name, desired=1).id for name in ("web", "api")}
    samples = [one for one in _samples(box) if one.subject in groups]
    cpu = [one for one in samples if one.signal is Signal.CPU_SHARE]
    out = [one for one in samples if one.signal is Signal.NETWORK_OUT_BYTES]
    assert len(cpu) == len(out) == 8
    assert {one.value for one in cpu} == {0.25}
    assert {one.value for one in out} == {2.0}
    assert {one.subject for one in cpu} == groups
    assert cpu[0].at == ENDS - timedelta(hours=4)


def test_requests_and_latency_of_a_group_alone_in_its_pool(box: AzureSandbox) -> None:
    group = make_group(box, "web", desired=1)
    _behind_gateway(box, "web")
    samples = [one for one in _samples(box) if one.subject == group.id]
    rps = [one.value for one in samples if one.signal is Signal.REQUESTS_RPS]
    latency = [one.value for one in samples if one.signal is Signal.LATENCY_MEAN_MS]
    assert rps == [2.0] * 4
    assert latency == [25.0] * 4


def test_hours_without_requests_are_zero_between_those_with(box: AzureSandbox) -> None:
    """A gateway that nobody asks says nothing."""
    group = make_group(box, "web", desired=1)
    _behind_gateway(box, "web")
    box.stand.cloud.quiet = {ENDS - timedelta(hours=3), ENDS - timedelta(hours=2)}
    samples = [one for one in _samples(box) if one.subject == group.id]
    rps = [one.value for one in samples if one.signal is Signal.REQUESTS_RPS]
    assert rps == [2.0, 0.0, 0.0, 2.0]
    assert len([one for one in samples if one.signal is Signal.LATENCY_MEAN_MS]) == 2


def test_a_gateway_of_more_pools_than_azure_gives_unasked(box: AzureSandbox) -> None:
    box.stand.cloud.pools = [f"pool-{i:02d}" for i in range(12)]
    group = make_group(box, "web", desired=1)
    _behind_gateway(box, "web", "pool-11")
    signals = {one.signal for one in _samples(box) if one.subject == group.id}
    assert {Signal.REQUESTS_RPS, Signal.LATENCY_MEAN_MS} <= signals


def test_groups_that_share_a_pool_are_not_told_apart(box: AzureSandbox) -> None:
    for name in ("web", "api"):
        make_group(box, name, desired=1)
        _behind_gateway(box, name)
    assert Signal.REQUESTS_RPS not in {one.signal for one in _samples(box)}


def test_steps_are_made_of_what_azure_keeps(box: AzureSandbox) -> None:
    make_group(box, "web", desired=1)
    samples = [one for one in _samples(box, 7200) if one.signal is Signal.NETWORK_OUT_BYTES]
    assert {one.value for one in samples} == {2.0}
    assert {one.step_s for one in samples} == {7200}
    assert {call.parameters["interval"] for call in box.stand.asked("metrics.getBatch")} == {"PT1H"}


def test_steps_of_broken_minutes_are_refused(box: AzureSandbox) -> None:
    with pytest.raises(NotAccepted):
        _samples(box, 90)


def test_a_group_that_went_away_spoils_no_other(box: AzureSandbox) -> None:
    groups = {name: make_group(box, name, desired=1).id for name in ("web", "api", "gone")}

    def lacks(call: Call) -> Answer | None:
        asked = (call.body or {}).get("resourceids", ())
        return refused(404, "ResourceNotFound") if groups["gone"] in asked else None

    box.stand.faults.append(lacks)
    subjects = {one.subject for one in _samples(box)}
    assert {groups["web"], groups["api"]} <= subjects
    assert groups["gone"] not in subjects


def test_many_groups_are_asked_for_together(box: AzureSandbox) -> None:
    for i in range(60):
        box.stand.cloud.template(f"web-{i}", "westeurope")
    _samples(box)
    sizes = [len((call.body or {})["resourceids"]) for call in box.stand.asked("metrics.getBatch")]
    assert sizes == [50, 11, 50, 11]
