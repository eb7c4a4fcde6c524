"""What hands do in Google Cloud, and that they do it once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
from acting import act, create, group_called, groups_in, instances_in, make_group, new_token
from gcp_cloud import PROJECT
from gcp_sandbox import GcpSandbox, entry_at, template

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
from models.cloud_errors import Conflicting, NotAccepted, NotFound
from models.inventory import InstanceState
from models.offerings import Purchase

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
    with pytest.raises(NotFound):  # its number is gone, so that nothing else can be hit
        act(_again(sandbox), action, token)
    assert {one.id for one in instances_in(sandbox)} == ids


def test_draining_again_takes_no_second_one(sandbox: GcpSandbox) -> None:
    make_group(sandbox, "web", 3)
    sandbox.settle()
    action, token = Drain(_first(sandbox), replace=True), new_token()
    act(sandbox, action, token)
    receipt = act(_again(sandbox), action, token)
    assert receipt.effect is Effect.ALREADY
    assert "look at the group's size" in receipt.note
    assert group_called(sandbox, "web").desired == 3
    assert len(instances_in(sandbox)) == 4


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


def test_weights_are_not_googles(sandbox: GcpSandbox) -> None:
    with pytest.raises(NotAccepted, match="Cloud DNS"):
        act(sandbox, SetWeights(PROJECT, "zone", "shop.example", (("a", 1),)))
