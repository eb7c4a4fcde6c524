"""What can be done in AWS accounts, each action once for each token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Final

from models.actions import (
    Action,
    CreateGroup,
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
)
from models.cloud_errors import Conflicting
from providers.aws import dns, group_actions, instance_actions
from providers.aws.clients import CLOUD, Account
from providers.aws.regions import Regions
from providers.seam import Scope

Do = Callable[[Account, Any, str, bool], Receipt]

_DOING: Final[Mapping[type[Action], Do]] = {
    Resize: group_actions.resize,
    Remix: group_actions.remix,
    CreateGroup: group_actions.create,
    DeleteGroup: group_actions.delete,
    Start: instance_actions.start,
    Restart: instance_actions.restart,
    Replace: instance_actions.replace,
    Drain: instance_actions.drain,
    SetWeights: dns.set_weights,
}


@dataclass(eq=False)
class AwsHands:
    """``providers.seam.Hands`` of AWS.

    AWS takes no tokens for these actions. They look before they act, so that what is done already
    is not done again; a new group and a restarted instance carry their token as a tag. Within a
    process, receipts are remembered too.
    """

    regions: Regions
    _receipts: dict[str, tuple[Action, Receipt]] = field(default_factory=dict)
    _turns: dict[str, Lock] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def act(self, action: Action, token: str, *, rehearse: bool = False) -> Receipt:
        account = self.regions.account(Scope(CLOUD, account_of(action), ""))
        do = _DOING[type(action)]
        if rehearse:
            return replace(do(account, action, token, True), effect=Effect.WOULD)
        with self._turn(token):
            if token in self._receipts:
                before, receipt = self._receipts[token]
                if before != action:
                    asked = account.asked(type(action).__name__)
                    raise Conflicting(asked, "TokenReused", "the token stands for something else")
                return receipt
            receipt = do(account, action, token, False)
            self._receipts[token] = action, receipt
            return receipt

    @contextmanager
    def _turn(self, token: str) -> Iterator[None]:
        """One thread at a time for each token."""
        with self._lock:
            turn = self._turns.setdefault(token, Lock())
        with turn:
            yield


def account_of(action: Action) -> str:
    match action:
        case CreateGroup() | SetWeights():
            return action.account
        case Start() | Restart() | Replace() | Drain():
            return action.instance.account
        case _:
            return action.group.account
