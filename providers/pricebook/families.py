"""Families: what a quota counts together, by the name of an instance type."""

from __future__ import annotations

import re


def family_of(instance_type: str) -> str:
    """m5 of m5.large, m7i-flex of m7i-flex.large, n2 of n2-standard-4, Dsv3 of Standard_D16s_v3."""
    azure = re.fullmatch(r"[A-Za-z]+_([A-Z]+)[\d-]*(\w*)", instance_type)
    if azure:
        return azure[1] + azure[2].replace("_", "")
    return instance_type.partition("." if "." in instance_type else "-")[0]
