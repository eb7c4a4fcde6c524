"""What hands do in Google Cloud, and that they do it once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from acting import act, create, group_called, groups_in, instances_in, make_group, new_token
from gcp_cloud import PROJECT
from gcp_contract import Call
from gcp_sandbox import PATIENCE, GcpSandbox, PlantedCredentials, entry_at, template
from gcp_server import Broken

from models.actions import (
    Action,
    CreateGroup,
    DeleteGroup,
    Drain,
    Effect,
    Remix,
    Replace,
    Resize,
    Restart,
    SetWeights,
    Start,
    Target,
)
from models.cloud_errors import Conflicting, NotAccepted, NotFound, Unavailable
from models.inventory import InstanceState
from models.offerings import Purchase
from providers.gcp.clients import Clients
from providers.gcp.hands import GcpHands

KEY = ("europe-west1", "web")
ZONE = "europe-west1-b"


def _first(sandbox: GcpSandbox) -> Target:
    one = instances_in(sandbox)[0]
    return Target(one.account, one.place, one.id)


def _again(sandbox: GcpSandbox) -> GcpSandbox:
    """The same cloud, with hands that remember nothing."""
    return GcpSandbox(sandbox.server, entry_at(sandbox.server))


@pytest.mark.parametrize(
    ("verb", "made"),
    [
        ("compute.instances.reset", lambda one, group: Restart(one)),
        ("compute.regionInstanceGroupManagers.resize", lambda one, group: Resize(group, 5)),
        (
            "compute.regionInstanceGroupManagers.patch",
            lambda one, group: Remix(group, ("e2-standard-4", "e2-standard-2")),
        ),
    ],
)
def test_another_process_with_the_same_token(
    sandbox: GcpSandbox, verb: str, made: Callable[[Target, Target], Action]
) -> None:
    group = make_group(sandbox, "web", 2)
    sandbox.settle()
    action, token = made(_first(sandbox), group), new_token()
    act(sandbox, action, token)
    state = str(sandbox.server.cloud.managers), str(sandbox.server.cloud.instances)
    act(_again(sandbox), action, token)
    assert (str(sandbox.server.cloud.managers), str(sandbox.server.cloud.instances)) == state
    done = [before for before, _ in sandbox.server.cloud.requests.values() if before == verb]
    assert len(done) == 1


def test_what_is_still_under_way_is_not_begun_again(sandbox: GcpSandbox) -> None:
    group = make_group(sandbox, "web", 2)
    sandbox.settle()
    cloud = sandbox.server.cloud
    before = copy.deepcopy(cloud.managers[KEY]), copy.deepcopy(cloud.instances)
    actions: list[Action] = [
        Resize(group, 5), Remix(group, sandbox.types[::-1]), Replace(_first(sandbox)),
        DeleteGroup(group),
    ]  # fmt: skip
    for action in actions:
        token = new_token()
        act(sandbox, action, token)
        # Google has taken it on, and shows things as they were.
        cloud.managers[KEY], cloud.instances = copy.deepcopy(before[0]), copy.deepcopy(before[1])
        cloud.members = dict.fromkeys(cloud.instances, KEY)
        act(_again(sandbox), action, token)
        assert (cloud.managers[KEY], cloud.instances) == before


def test_replacing_again_is_not_replacing_twice(sandbox: GcpSandbox) -> None:
    make_group(sandbox, "web", 2)
    sandbox.settle()
    action, token = Replace(_first(sandbox)), new_token()
    act(sandbox, action, token)
    assert act(sandbox, action, token).ids == (action.instance.id,)
    ids = {one.id for one in instances_in(sandbox)}
    assert act(_again(sandbox), action, token).effect is Effect.ALREADY
    with pytest.raises(NotFound):  # its number is gone, so that nothing else can be hit
        act(_again(sandbox), action)
    assert {one.id for one in instances_in(sandbox)} == ids


def test_deleting_again_finds_it_gone(sandbox: GcpSandbox) -> None:
    action, token = DeleteGroup(make_group(sandbox, "web", 2)), new_token()
    act(sandbox, action, token)
    assert act(_again(sandbox), action, token).effect is Effect.ALREADY
    with pytest.raises(NotFound):
        act(_again(sandbox), action)


def test_a_group_goes_whose_template_cannot_be_read(sandbox: GcpSandbox) -> None:
    group = make_group(sandbox, "web", 2)
    sandbox.server.faults.append(
        lambda call: Broken(403, "forbidden") if call.verb.endswith("Templates.get") else None
    )
    assert "templates were left: forbidden" in act(sandbox, DeleteGroup(group)).note
    assert groups_in(sandbox) == []


def test_restarting_again_after_google_has_forgotten_the_request(sandbox: GcpSandbox) -> None:
    make_group(sandbox, "web", 1)
    sandbox.settle()
    action, token = Restart(_first(sandbox)), new_token()
    act(sandbox, action, token)
    cloud = sandbox.server.cloud
    cloud.requests = {f"{key} forgotten": value for key, value in cloud.requests.items()}
    before = cloud.calls["compute.instances.reset"]
    assert act(_again(sandbox), action, token).effect is Effect.ALREADY
    assert cloud.calls["compute.instances.reset"] == before


def _lose(sandbox: GcpSandbox, verb: str) -> None:
    """The next call is done, and neither its answer nor that to its repetitions arrives."""
    left = iter(range(PATIENCE.attempts))

    def fault(call: Call) -> Broken | None:
        lost = call.verb == verb and next(left, None) is not None
        return Broken(late=True) if lost else None

    sandbox.server.faults.append(fault)


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("lost", ["", "abandonInstances", "resize"])
def test_draining_again_takes_no_second_one(sandbox: GcpSandbox, lost: str, slow: bool) -> None:
    make_group(sandbox, "web", 3)
    sandbox.settle()
    sandbox.server.cloud.slow = slow
    action, token = Drain(_first(sandbox), replace=True), new_token()
    if lost:
        _lose(sandbox, f"compute.regionInstanceGroupManagers.{lost}")
        with pytest.raises(Unavailable):
            act(sandbox, action, token)
        assert act(_again(sandbox), action, token).note == ""
    else:
        act(sandbox, action, token)
    for _ in range(2):
        assert act(_again(sandbox), action, token).effect is Effect.ALREADY
        assert group_called(sandbox, "web").desired == 3
        sandbox.settle()
    assert len(instances_in(sandbox)) == 4
    assert "look at the group's size" in act(_again(sandbox), action).note


@pytest.mark.parametrize("slow", [False, True])
def test_draining_again_shrinks_once(sandbox: GcpSandbox, slow: bool) -> None:
    make_group(sandbox, "web", 3)
    sandbox.settle()
    sandbox.server.cloud.slow = slow
    action = Drain(_first(sandbox))
    act(sandbox, action)
    assert act(_again(sandbox), action).effect is Effect.ALREADY
    verb = "compute.regionInstanceGroupManagers.abandonInstances"
    assert sandbox.server.asked[verb] == 1


def test_a_token_stands_for_one_thing(sandbox: GcpSandbox) -> None:
    group, token = make_group(sandbox, "web", 1), new_token()
    act(sandbox, Resize(group, 2), token)
    with pytest.raises(Conflicting):
        act(sandbox, Resize(group, 3), token)


def test_autoscalers_make_room(sandbox: GcpSandbox) -> None:
    group = make_group(sandbox, "web", 2)
    sandbox.server.cloud.add_autoscaler(KEY, 1, 3)
    receipt = act(sandbox, Resize(group, 8))
    assert "autoscaler web" in receipt.note
    found = group_called(sandbox, "web")
    assert (found.minimum, found.desired, found.maximum) == (1, 8, 8)
    act(sandbox, Resize(group, 0))
    assert sandbox.server.cloud.autoscalers[KEY]["autoscalingPolicy"]["minNumReplicas"] == 0


def test_choices_are_ranked_and_old_ones_go(sandbox: GcpSandbox) -> None:
    group = make_group(sandbox, "web", 1)
    for types in (
        ("n2-standard-4", "e2-standard-4", "e2-standard-2"),
        ("e2-standard-2", "n2-standard-4"),
        ("e2-standard-4",),
    ):
        act(sandbox, Remix(group, types))
        assert group_called(sandbox, "web").instance_types == types
        chosen = sandbox.server.cloud.managers[KEY]["instanceFlexibilityPolicy"]
        assert len(chosen["instanceSelections"]) == len(types)
    policy = sandbox.server.cloud.managers[KEY]["updatePolicy"]
    assert policy["type"] == "OPPORTUNISTIC"  # what runs stays
    assert act(sandbox, Remix(group, ("e2-standard-4",))).effect is Effect.ALREADY


def test_a_new_spot_share_leaves_shape_and_types(sandbox: GcpSandbox) -> None:
    group = make_group(sandbox, "web", 1)
    act(sandbox, Remix(group, (sandbox.types[0],), spot_share=1.0))
    made = sandbox.server.cloud.managers[KEY]
    assert made["distributionPolicy"]["targetShape"] == "EVEN"
    assert "instanceFlexibilityPolicy" not in made
    assert made["updatePolicy"]["type"] == "OPPORTUNISTIC"


@pytest.mark.parametrize(
    ("base", "share", "spot_of_ten"),
    [(0, 1.0, 10), (0, 0.3, 3), (4, 1.0, 6), (0, 0.0, 0), (3, 0.0, 0)],
)
def test_spot_mixes(sandbox: GcpSandbox, base: int, share: float, spot_of_ten: int) -> None:
    types = (sandbox.types[0],)
    action = replace(create(sandbox, "web", 10), on_demand_base=base, spot_share=share)
    act(sandbox, action)
    sandbox.settle()
    bought = [one.purchase for one in instances_in(sandbox)]
    assert bought.count(Purchase.SPOT) == spot_of_ten
    group = group_called(sandbox, "web")
    assert group.spot_share == pytest.approx(share)
    target = Target(sandbox.account, sandbox.place, group.id)
    assert act(sandbox, Remix(target, types, base, share)).effect is Effect.ALREADY
    assert act(_again(sandbox), action).effect is Effect.ALREADY


def test_templates_for_spot_are_made_once(sandbox: GcpSandbox) -> None:
    group = make_group(sandbox, "web", 1)
    for share in (1.0, 0.0, 0.5, 1.0):
        act(sandbox, Remix(group, (sandbox.types[0],), spot_share=share))
    made = sandbox.server.cloud.templates
    assert len(made) == 3  # the one that was there, one for spot, and one back from spot
    assert all(len(name) <= 63 for _, name in made)
    spot = next(one for (_, name), one in made.items() if one["properties"]["scheduling"].get(
        "provisioningModel") == "SPOT")  # fmt: skip
    assert spot["properties"]["scheduling"]["onHostMaintenance"] == "TERMINATE"


def _old(sandbox: GcpSandbox) -> None:
    for one in sandbox.server.cloud.templates.values():
        one["creationTimestamp"] = "2020-02-02T08:00:00.000-08:00"


def _templates(sandbox: GcpSandbox) -> set[str]:
    return {name for _, name in sandbox.server.cloud.templates}


def test_templates_that_no_group_uses_are_removed(sandbox: GcpSandbox) -> None:
    own = {**template(sandbox.types[0]), "name": "web-template-tt-0123abcd"}
    cloud = sandbox.server.cloud
    cloud.templates["global", own["name"]] = own  # named alike, and somebody else's
    group, other = make_group(sandbox, "web", 1), make_group(sandbox, "other", 1)
    for each in (group, other):
        act(sandbox, Remix(each, (sandbox.types[0],), spot_share=1.0))
    (spot,) = _templates(sandbox) - {own["name"], "web-template"}
    _old(sandbox)
    act(sandbox, Remix(group, (sandbox.types[0],)))
    assert spot in _templates(sandbox)  # the other one still uses it
    act(sandbox, Remix(other, (sandbox.types[0],)))
    assert spot not in _templates(sandbox)
    _old(sandbox)
    for each in (group, other):
        act(sandbox, DeleteGroup(each))
    assert _templates(sandbox) == {own["name"], "web-template"}


def test_templates_that_cannot_be_removed_fail_nothing(sandbox: GcpSandbox) -> None:
    group = make_group(sandbox, "web", 1)
    sandbox.server.faults.append(
        lambda call: Broken(403, "forbidden") if call.verb.endswith("Templates.list") else None
    )
    receipt = act(sandbox, Remix(group, (sandbox.types[0],), spot_share=1.0))
    assert "templates that no group uses were left: forbidden" in receipt.note


@pytest.mark.parametrize(
    ("machine_type", "more", "maintenance"),
    [
        ("e2-standard-2", {}, "MIGRATE"),
        ("g2-standard-4", {}, "TERMINATE"),
        (
            "n1-standard-2",
            {"guestAccelerators": [{"acceleratorType": "nvidia-tesla-t4", "acceleratorCount": 1}]},
            "TERMINATE",
        ),
    ],
)
def test_back_from_spot(
    sandbox: GcpSandbox, machine_type: str, more: dict[str, Any], maintenance: str
) -> None:
    one = template(machine_type, spot=True)
    one["properties"]["scheduling"] |= {
        "automaticRestart": False, "onHostMaintenance": "TERMINATE",
        "instanceTerminationAction": "STOP",
    }  # fmt: skip
    one["properties"] |= more
    sandbox.server.cloud.templates["global", "web-template"] = one
    act(sandbox, replace(create(sandbox, "web", 1), instance_types=(machine_type,)))
    (made,) = (
        found["properties"]["scheduling"]
        for (_, name), found in sandbox.server.cloud.templates.items() if "-tt-" in name
    )  # fmt: skip
    assert made["provisioningModel"] == "STANDARD"
    assert made["automaticRestart"] is True
    assert made["onHostMaintenance"] == maintenance
    assert "instanceTerminationAction" not in made


def test_an_update_under_way_is_not_ended(sandbox: GcpSandbox) -> None:
    group, cloud = make_group(sandbox, "web", 4), sandbox.server.cloud
    cloud.templates["global", "newer"] = {**template("e2-standard-2"), "name": "newer"}
    cloud.managers[KEY]["versions"] = [
        {"name": name, "instanceTemplate": f"projects/{PROJECT}/global/instanceTemplates/{name}"}
        for name in ("web-template", "newer")
    ]
    cloud.managers[KEY]["versions"][1]["targetSize"] = {"percent": 20}
    before = copy.deepcopy(cloud.managers[KEY]["versions"])
    with pytest.raises(NotAccepted, match="end the update"):
        act(sandbox, Remix(group, (sandbox.types[0],), spot_share=1.0))
    act(sandbox, Remix(group, sandbox.types[::-1]))  # its types stand elsewhere
    assert cloud.managers[KEY]["versions"] == before


def test_a_template_that_never_comes(sandbox: GcpSandbox) -> None:
    group = make_group(sandbox, "web", 1)
    sandbox.server.cloud.never_done = True
    hands = GcpHands(Clients(
        sandbox.server.address, patience=replace(PATIENCE, operation_s=0.01),
        credentials=PlantedCredentials(),
    ))  # fmt: skip
    with pytest.raises(Conflicting, match="has not ended"):
        hands.act(Remix(group, (sandbox.types[0],), spot_share=1.0), new_token())


@pytest.mark.parametrize(
    ("base", "share", "said"),
    [
        (2, 0.5, "base on demand"),
        (0, 0.333, "whole per cent"),
        (0, 1.5, "no mix"),
        (-1, 0.0, "no mix"),
    ],
)
def test_mixes_that_groups_cannot_be(
    sandbox: GcpSandbox, base: int, share: float, said: str
) -> None:
    group = make_group(sandbox, "web", 1)
    with pytest.raises(NotAccepted, match=said):
        act(sandbox, Remix(group, (sandbox.types[0],), base, share))


def test_unknown_machine_types(sandbox: GcpSandbox) -> None:
    group = make_group(sandbox, "web", 1)
    for action in (
        Remix(group, ("e9-standard-2",)),
        Remix(group, ()),
        replace(create(sandbox, "x", 1), instance_types=("e9-standard-2",)),
    ):
        with pytest.raises(NotAccepted):
            act(sandbox, action)
    assert len(groups_in(sandbox)) == 1


def test_new_groups_of_several_types_are_not_spread_evenly(sandbox: GcpSandbox) -> None:
    action = replace(create(sandbox, "web", 2), instance_types=sandbox.types[::-1], zones=(ZONE,))
    act(sandbox, action)
    made = sandbox.server.cloud.managers[KEY]
    assert made["distributionPolicy"]["targetShape"] == "BALANCED"
    group = group_called(sandbox, "web")
    assert group.instance_types == sandbox.types[::-1]
    assert group.zones == (ZONE,)


def test_a_name_that_is_taken(sandbox: GcpSandbox) -> None:
    action = create(sandbox, "web", 2, labels=(("service", "shop"),))
    act(sandbox, action)
    assert act(sandbox, action).effect is Effect.ALREADY
    for other in (replace(action, desired=3), replace(action, labels=())):
        with pytest.raises(Conflicting):
            act(sandbox, other)


def test_a_group_of_another_template_is_another(sandbox: GcpSandbox) -> None:
    action = create(sandbox, "web", 2)
    act(sandbox, action)
    sandbox.server.cloud.templates["global", "like"] = {
        **template(sandbox.types[0]), "name": "like"
    }  # fmt: skip
    with pytest.raises(Conflicting):
        act(sandbox, replace(action, template="like"))


def test_a_group_made_and_changed_since_was_made(sandbox: GcpSandbox) -> None:
    action, token = create(sandbox, "web", 2), new_token()
    _lose(sandbox, "compute.regionInstanceGroupManagers.insert")
    with pytest.raises(Unavailable):
        act(sandbox, action, token)
    sandbox.server.cloud.managers[KEY]["targetSize"] = 5  # as an autoscaler may do
    assert act(_again(sandbox), action, token).effect is Effect.ALREADY
    with pytest.raises(Conflicting):
        act(sandbox, action)


def test_a_template_that_is_not_there(sandbox: GcpSandbox) -> None:
    action: CreateGroup = replace(create(sandbox, "web", 2), template="nothing")
    with pytest.raises(NotFound):
        act(sandbox, action)


def _zonal(sandbox: GcpSandbox) -> Target:
    address = f"projects/{PROJECT}/global/instanceTemplates/web-template"
    sandbox.server.cloud.managers[ZONE, "zonal"] = {
        "name": "zonal", "baseInstanceName": "zonal", "targetSize": 1,
        "versions": [{"instanceTemplate": address}],
    }  # fmt: skip
    sandbox.settle()
    return Target(PROJECT, sandbox.place, f"{ZONE}/zonal")


def test_zonal_groups_take_one_type(sandbox: GcpSandbox) -> None:
    group = _zonal(sandbox)
    with pytest.raises(NotAccepted, match="one machine type"):
        act(sandbox, Remix(group, sandbox.types))
    act(sandbox, Remix(group, ("e2-standard-4",), spot_share=1.0))
    (found,) = groups_in(sandbox)
    assert (found.instance_types, found.spot_share) == (("e2-standard-4",), 1.0)
    act(sandbox, Resize(group, 2))
    sandbox.settle()
    assert {one.instance_type for one in instances_in(sandbox)} == set(sandbox.types)
    act(sandbox, Replace(_first(sandbox)))
    act(sandbox, Drain(_first(sandbox)))
    (found,) = groups_in(sandbox)
    assert found.desired == 1


def test_regional_templates(sandbox: GcpSandbox) -> None:
    own = {**template(sandbox.types[0]), "name": "own"}
    sandbox.server.cloud.templates["europe-west1", "own"] = own
    name = "regions/europe-west1/instanceTemplates/own"
    act(sandbox, replace(create(sandbox, "web", 1), template=name))
    assert group_called(sandbox, "web").template == name
    group = Target(PROJECT, sandbox.place, "europe-west1/web")
    act(sandbox, Remix(group, (sandbox.types[0],), spot_share=1.0))
    made = group_called(sandbox, "web")
    assert made.template.startswith("regions/europe-west1/instanceTemplates/own-tt-")
    assert made.spot_share == 1.0


def test_stopped_instances_start(sandbox: GcpSandbox) -> None:
    number = sandbox.server.cloud.add_instance(ZONE, "one", "e2-medium", status="TERMINATED")
    one = Target(PROJECT, sandbox.place, f"{ZONE}/{number}")
    assert act(sandbox, Start(one)).effect is Effect.DONE
    sandbox.settle()
    assert instances_in(sandbox)[0].state is InstanceState.RUNNING
    assert act(sandbox, Start(one)).effect is Effect.ALREADY
    for action in (Replace(one), Drain(one)):
        with pytest.raises(NotAccepted, match="in no group"):
            act(sandbox, action)


def test_ids_of_elsewhere(sandbox: GcpSandbox) -> None:
    make_group(sandbox, "web", 1)
    for name in ("us-central1/web", "web", "europe-west1/../x", ""):
        with pytest.raises(NotFound):
            act(sandbox, Resize(Target(PROJECT, sandbox.place, name), 2))
        with pytest.raises(NotFound, match="is no id"):
            act(sandbox, Replace(Target(PROJECT, sandbox.place, name)))


def test_weights_are_not_googles(sandbox: GcpSandbox) -> None:
    with pytest.raises(NotAccepted, match="Cloud DNS"):
        act(sandbox, SetWeights(PROJECT, "zone", "shop.example", (("a", 1),)))
