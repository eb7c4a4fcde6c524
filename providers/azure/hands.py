"""What can be done in Azure's subscriptions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final

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
from models.cloud_errors import Asked, Conflicting, NotAccepted
from providers.azure.errors import CLOUD
from providers.azure.groups import GroupHands
from providers.azure.members import MemberHands

_REMEMBERED: Final = 10_000
"""Tokens whose receipts are kept in memory."""


@dataclass(eq=False)
class _Turn:
    action: Action
    lock: Lock = field(default_factory=Lock)
    receipt: Receipt | None = None


@dataclass(eq=False)
class Ledger:
    """Receipts by token, for as long as the process lives. Beyond that, looks before acts do."""

    _turns: OrderedDict[str, _Turn] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def once(self, asked: Asked, action: Action, token: str, do: Callable[[], Receipt]) -> Receipt:
        """``do`` it unless it was done under ``token``; one at a time for each token."""
        with self._lock:
            turn = self._turns.setdefault(token, _Turn(action))
            while len(self._turns) > _REMEMBERED:
                self._turns.popitem(last=False)
        if turn.action != action:
            raise Conflicting(asked, "TokenReused", "the token stands for something else")
        with turn.lock:
            if turn.receipt is None:
                turn.receipt = do()
            return turn.receipt


@dataclass(frozen=True, slots=True)
class AzureHands:
    """``providers.seam.Hands`` of Azure."""

    groups: GroupHands
    members: MemberHands
    ledger: Ledger = field(default_factory=Ledger)

    def act(self, action: Action, token: str, *, rehearse: bool = False) -> Receipt:
        asked = _asked(action)
        if rehearse:
            return replace(self._do(asked, action, token, True), effect=Effect.WOULD)
        return self.ledger.once(asked, action, token, lambda: self._do(asked, action, token, False))

    def _do(self, asked: Asked, action: Action, token: str, rehearse: bool) -> Receipt:
        match action:
            case Resize():
                return self.groups.resize(asked, action, rehearse)
            case Remix():
                return self.groups.remix(asked, action, rehearse)
            case CreateGroup():
                return self.groups.create(asked, action, token, rehearse)
            case DeleteGroup():
                return self.groups.delete(asked, action, rehearse)
            case Start():
                return self.members.start(asked, action, rehearse)
            case Restart():
                return self.members.restart(asked, action, rehearse)
            case Replace():
                return self.members.replace(asked, action, token, rehearse)
            case Drain():
                return self.members.drain(asked, action, token, rehearse)
            case SetWeights():
                said = "weights of Azure are Traffic Manager's, which is not spoken to"
                raise NotAccepted(asked, "NotSupported", said)


def _asked(action: Action) -> Asked:
    operation = type(action).__name__
    match action:
        case CreateGroup():
            return Asked(CLOUD, operation, action.account, action.place)
        case SetWeights():
            return Asked(CLOUD, operation, action.account)
        case Resize() | Remix() | DeleteGroup():
            target = action.group
        case _:
            target = action.instance
    return Asked(CLOUD, operation, target.account, target.place)
