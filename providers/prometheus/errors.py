"""What goes wrong between us and a server, in our words; the one place that translates it."""

from __future__ import annotations

from typing import Final

import requests
from urllib3.exceptions import HTTPError

from models.errors import SourceFailed
from models.secrets import without_secrets
from providers.prometheus.deadline import Overdue


class TooMuch(SourceFailed):
    """The answer would be too large; a shorter stretch of time may be fine."""


_NEXT_STEPS: Final = {
    400: "mend the query: trimtab sends it as it stands in the telemetry file",
    401: "check where the token or password is found (bearer_from, basic)",
    403: "check what the credentials permit, and headers_from if the server has tenants",
    404: "check url: the address under which /api/v1/query_range answers",
    405: "check url: something answers there that takes no POST",
    422: "mend the query, or ask for less at once",
    429: "ask less often (--every), or for a longer step",
}
_TOO_MUCH: Final = (
    "too many samples",
    "maximum resolution",
    "response too large",
    "exceeds the limit",
)

_BROKEN: Final = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, HTTPError)


def unanswered(source: str, error: requests.RequestException | HTTPError) -> SourceFailed:
    """No answer at all, or one that broke off."""
    altogether = False
    if isinstance(error, requests.exceptions.SSLError):
        why, step = "its certificate is not trusted", "check ca_file, and the server's name in url"
        altogether = True
    elif isinstance(error, requests.Timeout):
        why, step = "no answer in time", "check the network, or raise timeout_s"
        altogether = isinstance(error, requests.ConnectTimeout)
    elif isinstance(error, Overdue):
        why, step = "its answer does not come to an end", "look at the server, or raise timeout_s"
        altogether = True
    elif isinstance(error, requests.exceptions.RetryError):
        why, step = "refused again and again", "ask less at once, or later"
    elif isinstance(error, requests.exceptions.InvalidHeader):
        why, step = "a header cannot be sent", "see where its value is kept"
        altogether = True
    elif isinstance(error, _BROKEN):
        why, step = "cannot be reached, or breaks off", "check url, the network and the server"
        altogether = isinstance(error, requests.ConnectionError)
    else:
        why = f"cannot be asked ({type(error).__name__})"
        step = "check url and the network"
    return SourceFailed(source, why, step, altogether=altogether)


def refused(source: str, status: int, said: str) -> SourceFailed:
    """An answer that is an error: ``said`` are the server's own words."""
    clean = without_secrets(said)
    why = f"HTTP {status}" + (f": {clean}" if clean else "")
    if any(words in said for words in _TOO_MUCH):
        return TooMuch(source, why, "ask for fewer series, or a longer step")
    step = _NEXT_STEPS.get(status, "look at the server, then try again")
    if 300 <= status < 400:
        step = "give the address that it redirects to: credentials are not carried elsewhere"
    return SourceFailed(source, why, step, altogether=status in (401, 403))


def garbled(source: str, what: str) -> SourceFailed:
    """An answer that is none of Prometheus' API."""
    return SourceFailed(source, f"its answer is not Prometheus': {what}", "check url")
