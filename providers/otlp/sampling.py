"""How many spans one that was kept stands for.

A consistent probability sampler writes its rejection threshold T (56 bits) into the member ``ot``
of ``tracestate``, as ``th`` and up to 14 hexadecimal digits, trailing zeros left out: a trace is
kept with probability 1 − T / 2⁵⁶ (OpenTelemetry specification, "TraceState: Probability Sampling").
Older samplers write ``p``: probability 2⁻ᵖ, and 63 for none at all.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

MOST: Final = 1e6
"""A span that claims to stand for more is taken for one."""
_WHOLE: Final = 1 << 56
_NEVER: Final = 63
_MEMBER: Final = re.compile(r"(?:^|,)\s*ot=([^,]*)")
_THRESHOLD: Final = re.compile(r"(?:^|;)th:([0-9a-f]{1,14})(?:;|\s*$)")
_EXPONENT: Final = re.compile(r"(?:^|;)p:([0-9]{1,2})(?:;|\s*$)")


@lru_cache(maxsize=4096)
def weight_of(tracestate: str) -> float:
    """The adjusted count of a span: 1 when its tracestate says nothing of sampling."""
    member = _MEMBER.search(tracestate)
    if member is None:
        return 1.0
    if threshold := _THRESHOLD.search(member[1]):
        weight = _WHOLE / (_WHOLE - int(threshold[1].ljust(14, "0"), 16))
    elif exponent := _EXPONENT.search(member[1]):
        power = int(exponent[1])
        if power == _NEVER:
            return 0.0
        weight = 2.0**power
    else:
        return 1.0
    return weight if weight <= MOST else 1.0
