"""The permissions that docs/clouds/aws.md tells people to give."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "clouds" / "aws.md"
_PREFIXES: Final = {"monitoring": "cloudwatch"}
"""Where IAM calls a service otherwise than its signatures do."""
_NEEDS_NONE: Final = frozenset({"sts:GetCallerIdentity"})


def policies() -> list[dict[str, Any]]:
    """The IAM policies in the document, in its order."""
    blocks = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    return [found for block in blocks if "Statement" in (found := json.loads(block))]


def permissions(policy: dict[str, Any]) -> frozenset[str]:
    return frozenset(action for one in policy["Statement"] for action in one["Action"])


def needed(calls: Iterable[str]) -> frozenset[str]:
    """The permissions that calls need, by IAM's names."""
    named = set()
    for call in calls:
        service, _, operation = call.partition(":")
        named.add(f"{_PREFIXES.get(service, service)}:{operation}")
    return frozenset(named) - _NEEDS_NONE


READING: Final = permissions(policies()[0])
ACTING: Final = permissions(policies()[1])
BILLED: Final = permissions(policies()[2])
"""What `cost_explorer` needs besides."""
