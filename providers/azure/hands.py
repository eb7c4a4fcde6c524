"""What can be done in Azure's subscriptions."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.actions import (
    Action,
    CreateGroup,
    DeleteGroup,
    Drain,
    Receipt,
    Remix,
    Replace,
    Resize,
    Restart,
    SetWeights,
    Start,
    account_of,
    place_of,
)
from models.cloud_errors import Asked, NotAccepted
from providers.azure.errors import CLOUD, translated
from providers.azure.groups import GroupHands
from providers.azure.members import MemberHands
from providers.ledger import Ledger


@dataclass(frozen=True, slots=True)
class AzureHands:
    """``providers.seam.Hands`` of Azure."""

    groups: GroupHands
    members: MemberHands
    ledger: Ledger = field(default_factory=Ledger)

    def act(self, action: Action, token: str, *, rehearse: bool = False) -> Receipt:
        asked = _asked(action)

        def do(rehearsing: bool) -> Receipt:
            return self._do(asked, action, token, rehearsing)

        return self.ledger.act(asked, action, token, do, rehearse=rehearse)

    def _do(self, asked: Asked, action: Action, token: str, rehearse: bool) -> Receipt:
        with translated(asked):
            return self._done(asked, action, token, rehearse)

    def _done(self, asked: Asked, action: Action, token: str, rehearse: bool) -> Receipt:
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
                return self.members.restart(asked, action, token, rehearse)
            case Replace():
                return self.members.replace(asked, action, token, rehearse)
            case Drain():
                return self.members.drain(asked, action, token, rehearse)
            case SetWeights():
                said = "weights of Azure are Traffic Manager's, which is not spoken to"
                raise NotAccepted(asked, "NotSupported", said)


def _asked(action: Action) -> Asked:
    return Asked(CLOUD, type(action).__name__, account_of(action), place_of(action))
