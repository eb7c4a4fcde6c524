"""Things that tests do in a sandbox."""

from __future__ import annotations

from itertools import count

from sandboxes import Sandbox

from models.actions import Action, CreateGroup, Receipt, Target
from models.inventory import Instance, InstanceGroup, Labels
from providers.seam import Scope

_TOKENS = count()


def new_token() -> str:
    """A token that no action had before."""
    return f"token-{next(_TOKENS):06d}"


def act(sandbox: Sandbox, action: Action, token: str | None = None) -> Receipt:
    return sandbox.provider.hands.act(action, token or new_token())


def scope_of(sandbox: Sandbox, place: str | None = None) -> Scope:
    cloud, _, region = (place or sandbox.place).partition("/")
    return Scope(cloud, sandbox.account, region)


def groups_in(sandbox: Sandbox, place: str | None = None) -> list[InstanceGroup]:
    return list(sandbox.provider.inventory.groups(scope_of(sandbox, place)))


def instances_in(sandbox: Sandbox, place: str | None = None) -> list[Instance]:
    return list(sandbox.provider.inventory.instances(scope_of(sandbox, place)))


def group_called(sandbox: Sandbox, name: str) -> InstanceGroup:
    (found,) = (group for group in groups_in(sandbox) if group.name == name)
    return found


def make_group(
    sandbox: Sandbox, name: str, desired: int, labels: Labels = (), maximum: int = 0
) -> Target:
    """A new group of the sandbox's first type."""
    act(sandbox, create(sandbox, name, desired, labels, maximum))
    return Target(sandbox.account, sandbox.place, group_called(sandbox, name).id)


def create(
    sandbox: Sandbox, name: str, desired: int, labels: Labels = (), maximum: int = 0
) -> CreateGroup:
    return CreateGroup(
        sandbox.account, sandbox.place, name, sandbox.template, (sandbox.types[0],), desired,
        maximum or max(desired, 10), labels=labels,
    )  # fmt: skip
