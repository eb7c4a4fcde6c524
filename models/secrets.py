"""Text from outside, cleared of what must never be kept: credentials, tokens, signatures."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 500
"""Characters of a foreign message that are kept."""
MASK: Final = "***"

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
_SECRETS: Final = re.compile(
    r"""
    \b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}                     # AWS key and role ids
    | \beyJ[\w-]{8,}(?:\.[\w-]+){0,2}                          # JSON web tokens
    | \bya29\.[\w.-]+                                          # Google access tokens
    | \bAIza[\w-]{30,}                                         # Google API keys
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
    | (?<=://)[^\s/@:]+:[^\s/@]+(?=@)                          # user:password in URLs
    """,
    re.VERBOSE | re.DOTALL,
)
_NAMED: Final = re.compile(
    r"""(?ix)
    (?P<name> \b(?:
        authorization | x-amz-security-token | x-amz-signature | x-amz-credential
        | (?:aws_?)?secret_?access_?key | (?:aws_?)?session_?token | (?:aws_?)?access_?key_?id
        | client_?secret | (?:(?:access|refresh|id|security)_?)?token | private_?key
        | password | passwd | sig | signature | sas_?token | api_?key | account_?key
        | shared_?access_?key
    )\b ["']? \s* [:=] \s* )
    (?: ["'] [^"']* ["'] | (?:Bearer|Basic|AWS4-HMAC-SHA256|SharedKey)\s+ [^\s"'&;]+
        (?:,\s*\w+=[^\s"'&;,]+)* | [^\s"'&;,]+ )
    """
)
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")


def without_secrets(text: str) -> str:
    """``text`` on one line, cut to ``LONGEST``, with what looks like a secret masked.

    A second line of defence: adapters do not put secrets into messages in the first place.
    """
    masked = _SECRETS.sub(MASK, text[: 20 * LONGEST])
    masked = _NAMED.sub(rf"\g<name>{MASK}", masked)
    masked = _BEARER.sub(rf"\1 {MASK}", masked)
    line = _CONTROLS.sub(" ", masked).strip()
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
