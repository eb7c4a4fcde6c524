"""Taking one instance out of its group, once, and having another one started in its stead, once."""

from __future__ import annotations

from typing import Final

from google.cloud import compute_v1

from models.actions import Effect
from providers.gcp import groups
from providers.gcp.clients import Clients
from providers.gcp.mig import Manager
from providers.gcp.names import Named, in_address
from providers.gcp.operations import Operations

_LEAVES: Final = "ABANDONING"
_ABANDON: Final = "abandonInstances"
_RESIZE: Final = "resize"
_NOTE: Final = "it had left its group; if another was to start, look at the group's size"


def member(
    clients: Clients, project: str, group: Named, instance: Named, page_rows: int
) -> compute_v1.ManagedInstance | None:
    """What a group says of an instance by its zone and name; None where it is not in it."""
    for one in groups.managed(clients, project, group, page_rows):
        if in_address(one.instance) == instance:
            return one
    return None


def drain(
    manager: Manager,
    instance: Named,
    there: compute_v1.ManagedInstance | None,
    token: str,
    *,
    replace: bool,
    rehearse: bool,
) -> tuple[Effect, str]:
    """Abandon ``instance``; ``there``: what its group says of it. Returns what came of it, and what
    else to know.

    Leaving makes the group smaller by one, but only once Google has come to it: only then is the
    group asked for its size, and made larger by one. Google says which of the two it has taken on
    before, also from another process.
    """
    operations = Operations(manager.clients, manager.project)
    leaves = there is None or there.current_action == _LEAVES
    if rehearse:
        return Effect.DONE, ""
    scope = manager.group.scope
    if not leaves:
        left = manager.abandon(instance, token)
    elif not replace:
        return Effect.ALREADY, ""
    else:
        before = operations.known(scope, token, _ABANDON)
        if before is None:
            return Effect.ALREADY, _NOTE
        left = before
    if replace:
        operations.done(manager.asked(_ABANDON), left)
        if operations.known(scope, token, _RESIZE) is not None:
            return Effect.ALREADY, ""
        manager.resize(manager.get().target_size + 1, token)
    return Effect.DONE, ""
