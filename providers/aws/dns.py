"""Weights of Route 53 records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from models.actions import Effect, Receipt, SetWeights
from models.cloud_errors import NotAccepted, NotFound
from providers.aws.clients import Account
from providers.aws.errors import translated

MOST_WEIGHT: Final = 255
_ANY: Final = "\\052"  # how Route 53 writes an asterisk


def set_weights(account: Account, action: SetWeights, token: str, rehearse: bool) -> Receipt:
    """Change weights, and nothing else of the records, all at once or not at all."""
    del token
    asked = account.asked("ChangeResourceRecordSets")
    wanted = dict(action.weights)
    if bad := [f"{name}: {weight}" for name, weight in action.weights
               if not 0 <= weight <= MOST_WEIGHT]:  # fmt: skip
        said = f"weights are 0 to {MOST_WEIGHT}, not {', '.join(bad)}"
        raise NotAccepted(asked, "BadWeight", said)
    records = [one for one in _records(account, action) if one.get("SetIdentifier") in wanted]
    lacking = set(wanted) - {one["SetIdentifier"] for one in records}
    if lacking:
        names = ", ".join(sorted(lacking))
        raise NotFound(asked, "NoSuchRecord", f"{action.name} has no record called {names}")
    if plain := [one["SetIdentifier"] for one in records if "Weight" not in one]:
        raise NotAccepted(asked, "NotWeighted", f"{', '.join(plain)} is not routed by weight")
    changes: Any = [
        {"Action": "UPSERT", "ResourceRecordSet": {**one, "Weight": wanted[one["SetIdentifier"]]}}
        for one in records
        if one["Weight"] != wanted[one["SetIdentifier"]]
    ]
    if not changes:
        return Receipt(Effect.ALREADY, (action.name,))
    if rehearse:
        return Receipt(Effect.DONE, (action.name,))
    account.pause()
    with translated(asked):
        answer = account.route53().change_resource_record_sets(
            HostedZoneId=action.zone, ChangeBatch={"Changes": changes}
        )
        return Receipt(Effect.DONE, (action.name, answer["ChangeInfo"]["Id"]))


def _records(account: Account, action: SetWeights) -> list[Mapping[str, Any]]:
    """All records of the name: Route 53 lists from a name on, and those of one name together."""
    found: list[Mapping[str, Any]] = []
    with translated(account.asked("ListResourceRecordSets")):
        paginator: Any = account.route53().get_paginator("list_resource_record_sets")
        for page in paginator.paginate(HostedZoneId=action.zone, StartRecordName=action.name):
            records = page["ResourceRecordSets"]
            found += [one for one in records if _plain(one["Name"]) == _plain(action.name)]
            if records and _plain(records[-1]["Name"]) != _plain(action.name):
                break
    return found


def _plain(name: str) -> str:
    return name.replace(_ANY, "*").rstrip(".").lower()
