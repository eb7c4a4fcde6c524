"""Ids of Azure's machines and scale sets. They are the same in any case, so ours are lower."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ID: Final = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)"
    r"/providers/microsoft\.compute/(?P<kind>virtualmachinescalesets|virtualmachines)"
    r"/(?P<name>[^/]+)(?:/virtualmachines/(?P<member>[^/]+))?"
)


@dataclass(frozen=True, slots=True)
class Resource:
    """A scale set, a machine, or (``member``) a machine of a uniform scale set."""

    subscription: str
    group: str
    name: str
    is_set: bool
    member: str = ""

    @property
    def id(self) -> str:
        kind = "virtualmachinescalesets" if self.is_set else "virtualmachines"
        member = f"/virtualmachines/{self.member}" if self.member else ""
        return (
            f"/subscriptions/{self.subscription}/resourcegroups/{self.group}"
            f"/providers/microsoft.compute/{kind}/{self.name}{member}"
        )

    @property
    def scale_set(self) -> Resource:
        """The scale set that a member is of."""
        return Resource(self.subscription, self.group, self.name, True)


def resource(name: str) -> Resource | None:
    """What an id stands for; None when it is no id of a machine or scale set."""
    match = _ID.fullmatch(name.lower())
    if match is None:
        return None
    is_set = match["kind"] == "virtualmachinescalesets"
    if match["member"] and not is_set:
        return None
    return Resource(
        match["subscription"], match["group"], match["name"], is_set, match["member"] or ""
    )


def region_of(location: str) -> str:
    """``westeurope`` of ``West Europe``: the resource manager knows both."""
    return re.sub(r"[^a-z0-9]", "", location.lower())
