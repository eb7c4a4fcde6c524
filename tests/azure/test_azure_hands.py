"""What is done in Azure, exactly once, also when answers get lost; and what is refused."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from acting import (
    act,
    create,
    group_called,
    groups_in,
    instances_in,
    make_group,
    new_token,
)
from azure_sandbox import AzureSandbox, made
from azure_server import Answer, Call, refused
from azure_state import GROUP, ScaleSet, sku
from sandboxes import Trouble

from models.actions import (
    Action,
    DeleteGroup,
    Drain,
    Effect,
    Receipt,
    Remix,
    Replace,
    Resize,
    Restart,
    SetWeights,
    Start,
    Target,
)
from models.cloud_errors import (
    CapacityLacking,
    CloudFailed,
    Conflicting,
    NotAccepted,
    NotFound,
    QuotaReached,
    Throttled,
    Unavailable,
)
from models.inventory import InstanceState
from models.offerings import Purchase
from providers.pace import Pace


def _target(box: AzureSandbox, name: str) -> Target:
    return Target(box.account, box.place, name)


def _uniform(box: AzureSandbox, capacity: int) -> ScaleSet:
    one = box.stand.cloud.template("uni", "westeurope", "Uniform")
    one.body["tags"] = {}
    one.capacity = capacity
    box.stand.cloud.grow(one)
    box.settle()
    return one


def _again(box: AzureSandbox, action: Action, token: str) -> Receipt:
    """By another process, which remembers nothing."""
    return made(box.stand).hands.act(action, token)


def test_resizing_is_exactly_once_when_its_answer_is_lost(box: AzureSandbox) -> None:
    action, token = Resize(make_group(box, "web", desired=2), 4), new_token()
    with box.trouble(Trouble.ANSWER_LOST), pytest.raises(Unavailable):
        act(box, action, token)
    assert _again(box, action, token).effect is Effect.ALREADY
    assert len(instances_in(box)) == 4


def test_creating_is_exactly_once_for_another_process(box: AzureSandbox) -> None:
    action, token = create(box, "web", 2), new_token()
    first = act(box, action, token)
    act(box, Resize(Target(box.account, box.place, first.ids[0]), 3))
    again = _again(box, action, token)
    assert (again.effect, again.ids) == (Effect.ALREADY, first.ids)
    assert group_called(box, "web").desired == 3


def test_a_name_that_is_taken_by_another_conflicts(box: AzureSandbox) -> None:
    make_group(box, "web", desired=2)
    with pytest.raises(Conflicting):
        act(box, create(box, "web", 5))


def test_a_token_stands_for_one_action(box: AzureSandbox) -> None:
    group, token = make_group(box, "web", desired=2), new_token()
    act(box, Resize(group, 3), token)
    with pytest.raises(Conflicting):
        act(box, Resize(group, 4), token)


def test_what_somebody_else_changed_meanwhile_is_left_alone(box: AzureSandbox) -> None:
    group = make_group(box, "web", desired=2)

    def meddles(call: Call) -> Answer | None:
        if call.operation == "virtualMachineScaleSets.update":
            box.stand.cloud.found(GROUP, "web").version += 1
        return None

    box.stand.faults.append(meddles)
    with pytest.raises(Conflicting):
        act(box, Resize(group, 5))
    assert group_called(box, "web").desired == 2


@pytest.mark.parametrize("uniform", [True, False])
def test_replacing_is_exactly_once_whichever_answer_is_lost(
    box: AzureSandbox, uniform: bool
) -> None:
    if uniform:
        _uniform(box, 2)
    else:
        make_group(box, "web", desired=2)
    box.settle()
    gone, *_ = instances_in(box)
    action, token = Replace(_target(box, gone.id)), new_token()
    for lost in ("virtualMachineScaleSets.update", "virtualMachineScaleSetVMs.delete"):
        done: list[str] = []

        def loses(call: Call, lost: str = lost, done: list[str] = done) -> Answer | None:
            if call.operation == lost and not done:
                done.append(lost)
                box.stand.lose_next = 1
            return None

        box.stand.faults[:] = [loses]
        try:
            _again(box, action, token)
        except CloudFailed:
            continue
    box.stand.faults.clear()
    assert _again(box, action, token).effect is Effect.DONE
    box.settle()
    now = {one.id for one in instances_in(box)}
    assert len(now) == 2
    assert gone.id not in now
    assert {group.desired for group in groups_in(box)} == {2}


def test_a_replaced_instance_is_not_replaced_under_another_token(box: AzureSandbox) -> None:
    make_group(box, "web", desired=2)
    action = Replace(_target(box, instances_in(box)[0].id))
    act(box, action)
    with pytest.raises(NotFound):
        act(box, action)
    assert len(instances_in(box)) == 2


def test_an_instance_stays_when_no_other_can_be_had(box: AzureSandbox) -> None:
    make_group(box, "web", desired=2, labels=(("service", "shop"),))
    box.settle()
    before = {one.id for one in instances_in(box)}
    action, token = Replace(_target(box, min(before))), new_token()
    with box.trouble(Trouble.NO_CAPACITY), pytest.raises(CapacityLacking):
        act(box, action, token)
    assert {one.id for one in instances_in(box)} == before
    assert group_called(box, "web").desired == 2
    assert act(box, action, token).effect is Effect.DONE  # later there is one
    assert len(instances_in(box)) == 2


def test_nothing_is_ended_while_the_new_machine_is_started(box: AzureSandbox) -> None:
    make_group(box, "web", desired=1)
    box.settle()
    (one,) = instances_in(box)
    hands = made(box.stand, surge_s=0.0, poll_s=3600.0).hands
    box.stand.cloud.slow = True
    with pytest.raises(Conflicting):
        hands.act(Replace(_target(box, one.id)), new_token())
    assert one.id in {now.id for now in instances_in(box)}


def test_draining_with_a_replacement_is_exactly_once(box: AzureSandbox) -> None:
    make_group(box, "web", desired=2)
    box.settle()
    one, *_ = instances_in(box)
    action, token = Drain(_target(box, one.id), replace=True), new_token()
    with box.trouble(Trouble.ANSWER_LOST), pytest.raises(Unavailable):
        act(box, action, token)
    _again(box, action, token)
    assert _again(box, action, token).effect is Effect.ALREADY
    assert group_called(box, "web").desired == 2
    assert len(instances_in(box)) == 3


def test_what_uniform_scale_sets_cannot_do_is_said(box: AzureSandbox) -> None:
    _uniform(box, 1)
    (group,), (one,) = groups_in(box), instances_in(box)
    for action in (
        Drain(_target(box, one.id)),
        Remix(_target(box, group.id), box.types),
        Remix(_target(box, group.id), box.types[:1], spot_share=0.5),
    ):
        with pytest.raises(NotAccepted, match="uniform"):
            act(box, action)


def test_a_uniform_scale_set_takes_one_other_type_unless_it_would_restart(
    box: AzureSandbox,
) -> None:
    one = _uniform(box, 1)
    (group,) = groups_in(box)
    action = Remix(_target(box, group.id), (box.types[1],))
    one.properties["upgradePolicy"]["mode"] = "Automatic"
    with pytest.raises(NotAccepted, match="restarted"):
        act(box, action)
    one.properties["upgradePolicy"]["mode"] = "Manual"
    assert act(box, action).effect is Effect.DONE
    assert groups_in(box)[0].instance_types == (box.types[1],)


def test_spot_is_mixed_in_by_share(box: AzureSandbox) -> None:
    group = make_group(box, "web", desired=0)
    act(box, Remix(group, box.types, on_demand_base=2, spot_share=0.5))
    act(box, Resize(group, 6))
    bought = [one.purchase for one in instances_in(box)]
    assert bought.count(Purchase.SPOT) == 2
    seen = group_called(box, "web")
    assert (seen.instance_types, seen.on_demand_base, seen.spot_share) == (box.types, 2, 0.5)


def test_shares_are_whole_percents_as_azure_keeps_them(box: AzureSandbox) -> None:
    group = make_group(box, "web", desired=0)
    action = Remix(group, box.types, spot_share=1 / 3)
    assert act(box, action).effect is Effect.DONE
    assert group_called(box, "web").spot_share == 0.33
    assert act(box, action).effect is Effect.ALREADY
    with box.trouble(Trouble.ANSWER_LOST), suppress(Unavailable):
        act(box, Remix(group, box.types, spot_share=2 / 3))
    assert _again(box, Remix(group, box.types, spot_share=2 / 3), "x").effect is Effect.ALREADY


def _mark(at: datetime) -> str:
    return f"{'0' * 32} {at:%Y-%m-%dT%H:%M:%SZ}"


def test_marks_are_few_and_go_when_they_are_old(box: AzureSandbox) -> None:
    group = make_group(box, "web", desired=2)
    now = datetime.now(UTC)
    tags = box.stand.cloud.found(GROUP, "web").body["tags"]
    foreign = {
        "trimtab-team": "shop 24x7", "trimtab-replaces-odd": "yesterday morning",
        "trimtab-replaces-bad": f"{'0' * 32} 2026-02-31T00:00:00Z", "owner": "platform",
    }  # fmt: skip
    tags |= foreign
    tags |= {f"trimtab-replaces-old{i}": _mark(now - timedelta(days=2)) for i in range(9)}
    tags |= {f"trimtab-replaces-new{i:02d}": _mark(now - timedelta(hours=i)) for i in range(20)}
    gone = instances_in(box)[0]
    token = new_token()
    act(box, Replace(_target(box, gone.id)), token)
    left = box.stand.cloud.found(GROUP, "web").body["tags"]
    marks = {key for key in left if key.startswith("trimtab-replaces-")} - set(foreign)
    name = gone.id.rpartition("/")[2]
    young = {f"trimtab-replaces-new{i:02d}" for i in range(14)}
    assert marks == {f"trimtab-replaces-{name}", *young}
    assert foreign.items() <= left.items()
    assert _again(box, Replace(_target(box, gone.id)), token).effect is Effect.DONE
    left["trimtab-replaces-old"] = _mark(now - timedelta(days=2))
    act(box, Resize(group, 3))  # any change takes old ones away
    assert "trimtab-replaces-old" not in box.stand.cloud.found(GROUP, "web").body["tags"]


def test_marks_of_restarts_make_room_first(box: AzureSandbox) -> None:
    make_group(box, "web", desired=1)
    now = datetime.now(UTC)
    tags = box.stand.cloud.found(GROUP, "web").body["tags"]
    replaced = {f"trimtab-replaces-{i}": _mark(now - timedelta(hours=9)) for i in range(10)}
    tags |= {f"trimtab-restarted-{i}": _mark(now - timedelta(hours=1)) for i in range(10)}
    tags |= replaced
    act(box, Restart(_target(box, instances_in(box)[0].id)))
    left = box.stand.cloud.found(GROUP, "web").body["tags"]
    assert replaced.items() <= left.items()
    assert sum(key.startswith("trimtab-restarted-") for key in left) == 5


def test_a_surge_that_fails_for_any_reason_is_taken_back(box: AzureSandbox) -> None:
    make_group(box, "web", desired=2)
    box.settle()
    before = {one.id for one in instances_in(box)}
    ended = {"name": "op", "status": "Failed", "error": {
        "code": "OSProvisioningClientError", "message": "no agent"}}  # fmt: skip
    left = [Answer(body=ended)]
    box.stand.faults.append(
        lambda call: left.pop() if call.operation == "operations.get" and left else None
    )
    with pytest.raises(NotAccepted, match="no agent"):
        act(box, Replace(_target(box, min(before))))
    assert {one.id for one in instances_in(box)} == before
    assert group_called(box, "web").desired == 2


def test_a_scale_set_full_of_tags_is_not_marked(box: AzureSandbox) -> None:
    make_group(box, "web", desired=2)
    box.stand.cloud.found(GROUP, "web").body["tags"] = {f"tag{i}": "" for i in range(50)}
    with pytest.raises(NotAccepted, match="no room"):
        act(box, Replace(_target(box, instances_in(box)[0].id)))
    assert len(instances_in(box)) == 2


def test_every_change_waits_for_its_turn_and_no_look_does(
    box: AzureSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = make_group(box, "web", desired=1)
    turns: list[str] = []
    monkeypatch.setattr(Pace, "wait", lambda self, subscription: turns.append(subscription))
    act(box, Resize(group, 2))
    groups_in(box)
    assert turns == [box.account]


def test_where_azure_asks_to_wait_for_long_the_action_has_failed(box: AzureSandbox) -> None:
    group = make_group(box, "web", desired=1)
    box.stand.faults.append(
        lambda call: refused(429, "TooManyRequests", "slow down", Retry_After="3600")
        if "if-match" in call.headers else None
    )  # fmt: skip
    with pytest.raises(Throttled, match="3600 s"):
        act(box, Resize(group, 2))
    assert len(box.stand.asked("virtualMachineScaleSets.update")) == 1


def test_regular_scale_sets_take_no_spot(box: AzureSandbox) -> None:
    one = box.stand.cloud.template("old", "westeurope")
    one.body["tags"] = {}
    (group,) = groups_in(box)
    with pytest.raises(NotAccepted, match="regular"):
        act(box, Remix(_target(box, group.id), box.types, spot_share=0.5))


def test_a_new_group_takes_after_its_template_but_not_its_own(box: AzureSandbox) -> None:
    make_group(box, "web", desired=1, labels=(("service", "shop"),))
    (put,) = box.stand.asked("virtualMachineScaleSets.createOrUpdate")
    body = put.body or {}
    assert body["properties"]["virtualMachineProfile"]["osProfile"]["adminUsername"] == "ops"
    assert "identity" not in body
    assert "owner" not in body["tags"]
    assert body["zones"] == ["1", "2", "3"]
    assert put.headers["if-none-match"] == "*"


def test_templates_elsewhere_are_refused(box: AzureSandbox) -> None:
    box.stand.cloud.template("template", "northeurope")
    with pytest.raises(NotAccepted, match="northeurope"):
        act(box, create(box, "web", 1))


def test_quotas_bind_in_rehearsals_and_for_real(box: AzureSandbox) -> None:
    group = make_group(box, "web", desired=2)
    box.stand.cloud.cores = 6
    for rehearse in (True, False):
        with pytest.raises(QuotaReached):
            box.provider.hands.act(Resize(group, 4), new_token(), rehearse=rehearse)
    assert len(instances_in(box)) == 2


def test_constrained_sizes_take_of_quotas_what_the_whole_machine_has(box: AzureSandbox) -> None:
    name = "Standard_E8-2s_v5"
    box.stand.cloud.skus.append(sku(name, 8, 64, "standardESv5Family", vCPUsAvailable="2"))
    action = replace(create(box, "web", 1), instance_types=(name,))
    box.stand.cloud.cores = 8
    assert box.provider.hands.act(action, new_token(), rehearse=True).effect is Effect.WOULD
    box.stand.cloud.cores = 6
    with pytest.raises(QuotaReached):
        box.provider.hands.act(action, new_token(), rehearse=True)


def test_types_that_are_closed_are_refused(box: AzureSandbox) -> None:
    group = make_group(box, "web", desired=1)
    for names in (("Standard_Z9_v9",), (), box.types * 3):
        with pytest.raises(NotAccepted):
            act(box, Remix(group, names))


def test_stopped_machines_start_and_running_ones_do_not(box: AzureSandbox) -> None:
    make_group(box, "web", desired=1)
    box.settle()
    (machine,) = box.stand.cloud.machines.values()
    (one,) = instances_in(box)
    assert act(box, Start(_target(box, one.id))).effect is Effect.ALREADY
    machine.power = "deallocated"
    assert act(box, Start(_target(box, one.id))).effect is Effect.DONE
    box.settle()
    assert instances_in(box)[0].state is InstanceState.RUNNING
    machine.power = "deallocated"
    with box.trouble(Trouble.NO_CAPACITY), pytest.raises(CapacityLacking):
        act(box, Start(_target(box, one.id)))


def test_a_restart_is_done_once_for_its_token(box: AzureSandbox) -> None:
    make_group(box, "web", desired=1)
    action, token = Restart(_target(box, instances_in(box)[0].id)), new_token()
    act(box, action, token)
    act(box, action, token)
    assert len(box.stand.cloud.restarts) == 1


@pytest.mark.parametrize("mode", ["Flexible", "Uniform", "alone"])
def test_a_restart_is_done_once_for_another_process(box: AzureSandbox, mode: str) -> None:
    if mode == "Uniform":
        _uniform(box, 1)
    else:
        make_group(box, "web", desired=1)
    box.settle()
    if mode == "alone":
        act(box, Drain(_target(box, instances_in(box)[0].id)))
    before = instances_in(box)
    action, token = Restart(_target(box, before[0].id)), new_token()
    assert act(box, action, token).effect is Effect.DONE
    assert _again(box, action, token).effect is Effect.ALREADY
    assert len(box.stand.cloud.restarts) == 1
    assert _again(box, action, new_token()).effect is Effect.DONE
    assert [one.labels for one in instances_in(box)] == [one.labels for one in before]


def test_a_restart_that_cannot_be_marked_is_done_and_says_so(box: AzureSandbox) -> None:
    make_group(box, "web", desired=1)
    box.stand.faults.append(
        lambda call: refused(403, "AuthorizationFailed") if "if-match" in call.headers else None
    )
    receipt = act(box, Restart(_target(box, instances_in(box)[0].id)))
    assert (receipt.effect, "not marked" in receipt.note) == (Effect.DONE, True)


def test_deleting_again_finds_nothing(box: AzureSandbox) -> None:
    group = make_group(box, "web", desired=1)
    act(box, DeleteGroup(group))
    with pytest.raises(NotFound):
        act(box, DeleteGroup(group))


def test_weights_are_not_spoken_of(box: AzureSandbox) -> None:
    with pytest.raises(NotAccepted, match="Traffic Manager"):
        act(box, SetWeights(box.account, "zone", "www", (("a", 1),)))
