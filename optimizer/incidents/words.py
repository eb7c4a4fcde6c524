"""Why anomalies are one incident, and why this one is its root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from models.foreseen import Anomaly
from optimizer.incidents.causes import Group, group_of
from optimizer.incidents.places import Calls

_NAMED: Final = 3


def why(root: Anomaly, anomalies: Sequence[Anomaly], calls: Calls) -> str:
    """In a sentence or two."""
    others = sorted({one.key.service for one in anomalies} - {root.key.service})
    reason = _reason(root, anomalies, calls)
    if not others:
        more = len(anomalies) - 1
        return f"{reason}; {more} more of it" if more else reason
    last = max(one.starts for one in anomalies if one.key.service in others)
    minutes = (last - root.starts).total_seconds() / 60
    within = f"within {minutes:.0f} min" if minutes >= 1 else "at once"
    verb = "follow" if len(others) > 1 else "follows"
    return f"{reason}; {_listed(others)} {verb} {within}"


def _reason(root: Anomaly, anomalies: Sequence[Anomaly], calls: Calls) -> str:
    of = root.key.in_words
    if len(anomalies) == 1:
        return f"nothing near {of} strays at that time"
    service = root.key.service
    group = group_of(root.key)
    if group is Group.LOAD:
        return f"{of} strays, and no caller of {service} strays in the same way"
    if root.key.callee:
        return f"{of} strays, and {root.key.callee} itself tells of nothing"
    straying = {one.key.service for one in anomalies if group_of(one.key) is not Group.LOAD}
    callees = calls.callees(service)
    if group is Group.RESOURCE:
        return f"{of} strays, which {service} runs on"
    if not callees:
        return f"{of} strays, and {service} calls nothing"
    if callees & straying:
        return f"{of} strays first of services that call each other"
    return f"{of} strays, and nothing that {service} calls does so before it"


def _listed(names: Sequence[str]) -> str:
    if len(names) <= _NAMED:
        return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
