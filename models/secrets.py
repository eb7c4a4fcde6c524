"""Text from outside, cleared of what must never be kept: credentials, tokens, signatures."""

from __future__ import annotations

import re
from typing import Final

from models.labels import UNSEEN

LONGEST: Final = 500
"""Characters of a foreign message that are kept."""
MASK: Final = "***"

_SECRETS: Final = re.compile(
    r"""
    \b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}                     # AWS key and role ids
    | \b(?:IQoJ|FwoG)[A-Za-z0-9/+=]{20,}                       # AWS session tokens
    | (?<![A-Za-z0-9/+])                                       # AWS secret keys: not hexadecimal
      (?=[A-Za-z0-9/+]{0,39}[A-Z]) (?=[A-Za-z0-9/+]{0,39}[a-z]) (?=[A-Za-z0-9/+]{0,39}[0-9/+])
      [A-Za-z0-9/+]{40} (?![A-Za-z0-9/+=])
    | (?<![A-Za-z0-9/+])[A-Za-z0-9/+]{86}==                    # Azure storage keys
    | (?<![\w.~-])[\w.~-]{3}\dQ~[\w.~-]{31,34}                 # secrets of Azure applications
    | \beyJ[\w-]{8,}(?:\.[\w-]+){0,2}                          # JSON web tokens
    | \bya29\.[\w.-]+                                          # Google access tokens
    | \b1//0[\w-]{10,}                                         # Google refresh tokens
    | \bGOCSPX-[\w-]{10,}                                      # Google client secrets
    | \bAIza[\w-]{30,}                                         # Google API keys
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
    | (?<=://)[^\s/@:]*:[^\s"'<>]+(?=@)                        # user:password in URLs
    | (?<=://)[^\s/@:"'<>]+(?=@)                               # a token instead of a user
    """,
    re.VERBOSE | re.DOTALL,
)
_NAMED: Final = re.compile(
    r"""(?isx)
    (?P<name> (?<![A-Za-z0-9])(?:                              # after x- or AWS_, too
        authorization | x-amz-credential | set-cookie | cookie
        | (?:(?:aws[-_]?)?secret[-_]?)?access[-_]?key(?:[-_]?id)? | secret[-_]?key
        | (?:client[-_]?)?secret | (?:client[-_]?)?assertion
        | (?:(?:aws[-_]?)?(?:access|refresh|id|security|session|sas)[-_]?)?token
        | private[-_]?key | [a-z]{0,20}password | passwd | passphrase | pwd | sig | signature
        | secret[-_]?string
        | (?:api|account|subscription|shared[-_]?access)[-_]?key
    )(?![A-Za-z0-9]) (?:\\*["'])? \s* (?:[:=]>?|>) \s* )    # > ends a tag of XML
    (?: \\+(?P<quote>["']) .*? (?:\\+(?P=quote)|\Z)            # in JSON that stands in JSON
        | "(?:[^"\\]|\\.)*(?:"|\Z) | '(?:[^'\\]|\\.)*(?:'|\Z)
        | (?:Bearer|Basic|AWS4-HMAC-SHA256|SharedKey)\s+ [^\s"'&;]+ (?:,\s*\w+=[^\s"'&;,]+)*
        | [^\s"'&;,]+ )
    """
)
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_CREDENTIALS_IN_URL: Final = re.compile(r"://\S*@")


def without_secrets(text: str) -> str:
    """``text`` on one line, cut to ``LONGEST``, with what looks like a secret masked.

    A second line of defence: adapters do not put secrets into messages in the first place.
    """
    masked = _NAMED.sub(rf"\g<name>{MASK}", text[: 20 * LONGEST])
    masked = _SECRETS.sub(MASK, masked)
    masked = _BEARER.sub(rf"\1 {MASK}", masked)
    line = UNSEEN.sub(" ", masked).strip()
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def holds_credentials(address: str) -> bool:
    """Whether a URL names a user, as in ``https://user:password@host``."""
    return _CREDENTIALS_IN_URL.search(address) is not None
