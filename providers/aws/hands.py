"""What can be done in AWS accounts, each action once for each token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

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
)
from providers.aws import dns, group_actions, group_creation, instance_actions
from providers.aws.clients import CLOUD, Account
from providers.aws.errors import translated
from providers.aws.regions import Regions
from providers.ledger import Ledger
from providers.seam import Scope

Do = Callable[[Account, Any, str, bool], Receipt]

_DOING: Final[Mapping[type[Action], Do]] = {
    Resize: group_actions.resize,
    Remix: group_actions.remix,
    CreateGroup: group_creation.create,
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
    _ledger: Ledger = field(default_factory=Ledger)

    def act(self, action: Action, token: str, *, rehearse: bool = False) -> Receipt:
        account = self.regions.account(Scope(CLOUD, account_of(action), ""))

        asked = account.asked(type(action).__name__)

        def do(rehearsing: bool) -> Receipt:
            with translated(asked):  # answers that lack what actions look for
                return _DOING[type(action)](account, action, token, rehearsing)

        return self._ledger.act(asked, action, token, do, rehearse=rehearse)
