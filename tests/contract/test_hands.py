"""What every cloud does when it is asked to, exactly once."""

from __future__ import annotations

from contextlib import suppress

import pytest
from acting import act, create, group_called, groups_in, instances_in, make_group, new_token
from sandboxes import Sandbox, Trouble

from models.actions import (
    DeleteGroup,
    Drain,
    Effect,
    Remix,
    Replace,
    Resize,
    Restart,
    Target,
)
from models.cloud_errors import CapacityLacking, NotFound, Throttled, Unavailable
from models.inventory import InstanceState


def _instance(sandbox: Sandbox, index: int = 0) -> Target:
    one = instances_in(sandbox)[index]
    return Target(one.account, one.place, one.id)


def test_groups_grow_and_shrink(sandbox: Sandbox) -> None:
    group = make_group(sandbox, "web", desired=2)
    for desired in (5, 1):
        assert act(sandbox, Resize(group, desired)).effect is Effect.DONE
        sandbox.settle()
        assert group_called(sandbox, "web").desired == desired
        assert len(instances_in(sandbox)) == desired


def test_bounds_move_along(sandbox: Sandbox) -> None:
    group = make_group(sandbox, "web", desired=2, maximum=3)
    act(sandbox, Resize(group, 6))
    sandbox.settle()
    assert len(instances_in(sandbox)) == 6
    maximum = group_called(sandbox, "web").maximum
    assert maximum is None or maximum >= 6


def test_what_is_so_already_is_left_alone(sandbox: Sandbox) -> None:
    group = make_group(sandbox, "web", desired=2)
    sandbox.settle()
    before = {one.id for one in instances_in(sandbox)}
    assert act(sandbox, Resize(group, 2)).effect is Effect.ALREADY
    assert {one.id for one in instances_in(sandbox)} == before


def test_a_token_counts_once(sandbox: Sandbox) -> None:
    action, token = create(sandbox, "web", 2), new_token()
    first = act(sandbox, action, token)
    again = act(sandbox, action, token)
    assert again.ids == first.ids
    assert len(groups_in(sandbox)) == 1
    sandbox.settle()
    assert len(instances_in(sandbox)) == 2


def test_an_answer_that_was_lost(sandbox: Sandbox) -> None:
    if Trouble.ANSWER_LOST not in sandbox.troubles:
        pytest.xfail(f"answers of {type(sandbox).__name__} cannot be lost here")
    action, token = create(sandbox, "web", 2), new_token()
    with sandbox.trouble(Trouble.ANSWER_LOST):
        try:
            act(sandbox, action, token)
        except Unavailable:
            act(sandbox, action, token)
    sandbox.settle()
    assert len(groups_in(sandbox)) == 1
    assert len(instances_in(sandbox)) == 2


def test_a_rehearsal_changes_nothing(sandbox: Sandbox) -> None:
    group = make_group(sandbox, "web", desired=2)
    sandbox.settle()
    before = groups_in(sandbox), instances_in(sandbox)
    hands = sandbox.provider.hands
    for action in (
        Resize(group, 4),
        Remix(group, sandbox.types[::-1], spot_share=0.5),
        Restart(_instance(sandbox)),
        Replace(_instance(sandbox)),
        Drain(_instance(sandbox)),
        create(sandbox, "other", 1),
        DeleteGroup(group),
    ):
        assert hands.act(action, new_token(), rehearse=True).effect is Effect.WOULD
    assert (groups_in(sandbox), instances_in(sandbox)) == before


def test_a_group_takes_other_types(sandbox: Sandbox) -> None:
    group = make_group(sandbox, "web", desired=1)
    act(sandbox, Remix(group, (sandbox.types[1],)))
    act(sandbox, Resize(group, 2))
    sandbox.settle()
    assert group_called(sandbox, "web").instance_types[0] == sandbox.types[1]
    assert sandbox.types[1] in {one.instance_type for one in instances_in(sandbox)}


def test_replaced_instances_are_others(sandbox: Sandbox) -> None:
    make_group(sandbox, "web", desired=2)
    sandbox.settle()
    gone = _instance(sandbox)
    act(sandbox, Replace(gone))
    sandbox.settle()
    now = {one.id for one in instances_in(sandbox)}
    assert len(now) == 2
    assert gone.id not in now


def test_restarted_instances_stay(sandbox: Sandbox) -> None:
    make_group(sandbox, "web", desired=1)
    sandbox.settle()
    one = _instance(sandbox)
    act(sandbox, Restart(one))
    sandbox.settle()
    (now,) = instances_in(sandbox)
    assert now.id == one.id
    assert now.state is InstanceState.RUNNING


@pytest.mark.parametrize("replace", [True, False])
def test_drained_instances_leave_their_group(sandbox: Sandbox, replace: bool) -> None:
    make_group(sandbox, "web", desired=2)
    sandbox.settle()
    one = _instance(sandbox)
    act(sandbox, Drain(one, replace))
    sandbox.settle()
    now = {instance.id: instance.group for instance in instances_in(sandbox)}
    assert now[one.id] == ""
    assert sum(group != "" for group in now.values()) == (2 if replace else 1)


def test_deleted_groups_are_gone(sandbox: Sandbox) -> None:
    group = make_group(sandbox, "web", desired=2)
    sandbox.settle()
    act(sandbox, DeleteGroup(group))
    sandbox.settle()
    assert groups_in(sandbox) == []
    assert instances_in(sandbox) == []


def test_what_is_not_there_is_not_found(sandbox: Sandbox) -> None:
    made = make_group(sandbox, "web", desired=1)
    sandbox.settle()
    nowhere = Target(made.account, made.place, made.id.replace("web", "nothing") + "0")
    one = _instance(sandbox)
    nobody = Target(one.account, one.place, _other_id(one.id))
    for action in (Resize(nowhere, 2), DeleteGroup(nowhere), Restart(nobody), Replace(nobody)):
        with pytest.raises(NotFound):
            act(sandbox, action)


def _other_id(name: str) -> str:
    """An id of the same form that stands for nothing."""
    return name[:-3] + ("000" if name[-3:] != "000" else "111")


def test_throttled_hands_say_so(sandbox: Sandbox) -> None:
    if Trouble.THROTTLED not in sandbox.troubles:
        pytest.xfail(f"{type(sandbox).__name__} cannot be throttled here")
    group = make_group(sandbox, "web", desired=1)
    with sandbox.trouble(Trouble.THROTTLED), pytest.raises(Throttled):
        act(sandbox, Resize(group, 2))
    assert group_called(sandbox, "web").desired == 1


def test_the_second_choice_is_taken_when_the_first_lacks(sandbox: Sandbox) -> None:
    if Trouble.NO_CAPACITY not in sandbox.troubles:
        pytest.xfail(f"{type(sandbox).__name__} cannot lack capacity here")
    group = make_group(sandbox, "web", desired=1)
    sandbox.settle()
    act(sandbox, Remix(group, sandbox.types))
    with sandbox.trouble(Trouble.NO_CAPACITY):
        with suppress(CapacityLacking):  # some clouds say so at once, others try the next type
            act(sandbox, Resize(group, 2))
        sandbox.settle()
    assert sandbox.types[1] in {one.instance_type for one in instances_in(sandbox)}
