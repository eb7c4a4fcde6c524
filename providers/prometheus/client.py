"""Prometheus' HTTP API: range queries and raw samples, with retries and limits."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import requests
from numpy.typing import NDArray
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from models.secrets import MASK
from providers.prometheus.deadline import EndingAdapter, ends_within
from providers.prometheus.errors import TooMuch, garbled, refused, unanswered

LARGEST_ANSWER: Final = 64 * 2**20
MOST_VALUES: Final = 8_000_000
"""JSON values of an answer: two and a half million samples. Small ones take forty times the
memory of their text, so that bytes alone bound nothing."""
_LAST_S: Final = 4_102_444_800  # 2100
_NO_MOMENT_S: Final = -1.0
_RETRIED: Final = (429, 500, 502, 503, 504)
_RETRIES: Final = 4
_LONGEST_WAIT_S: Final = 20
_PIECE: Final = 2**16
_LEAST_SECRET: Final = 4
"""Characters: what is shorter, such as the number of a tenant, stands in any text."""


@dataclass(frozen=True, eq=False)
class Series:
    """``labels`` and samples: moments in milliseconds since 1970 UTC, and values."""

    labels: Mapping[str, str]
    at_ms: NDArray[np.int64]
    value: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answer:
    """``warned``: what the server added, in its words. ``unread``: series of native histograms,
    which hold no plain values.
    """

    series: tuple[Series, ...]
    warned: tuple[str, ...] = ()
    unread: int = 0


@dataclass(frozen=True, eq=False)
class Server:
    """``headers`` and ``user`` with a password are asked for anew for every question: secrets may
    change. ``trust``: True, or a file of certificates. ``retry_s``: seconds before the first
    retry; each next one waits twice as long. ``timeout_s``: of silence; a question with all its
    retries takes ``patience_s`` at most.
    """

    name: str
    url: str
    headers: Callable[[], Mapping[str, str]] = dict
    user: Callable[[], tuple[str, str] | None] = lambda: None
    trust: bool | str = True
    timeout_s: float = 30.0
    retry_s: float = 0.5
    largest: int = LARGEST_ANSWER
    most_values: int = MOST_VALUES
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        retry = Retry(
            total=_RETRIES, backoff_factor=self.retry_s, backoff_max=self._longest_wait_s,
            status_forcelist=_RETRIED, allowed_methods=None, raise_on_status=False,
            redirect=0, retry_after_max=self._longest_wait_s,  # type: ignore[arg-type] # a float will do
        )  # fmt: skip
        self._session.mount("http://", EndingAdapter(max_retries=retry))
        self._session.mount("https://", EndingAdapter(max_retries=retry))

    @property
    def patience_s(self) -> float:
        """What all tries and the pauses between them may take."""
        return self.timeout_s * (_RETRIES + 1) + self._longest_wait_s * _RETRIES

    @property
    def _longest_wait_s(self) -> float:
        return min(_LONGEST_WAIT_S, self.timeout_s)

    def over(self, query: str, first_s: int, last_s: int, step_s: int) -> Answer:
        """The query evaluated at every step from ``first_s`` to ``last_s``, both included, in
        seconds since 1970 UTC. Raises ``SourceFailed``; ``TooMuch`` when less may be fine.
        """
        return self._asked(
            "query_range", {"query": query, "start": first_s, "end": last_s, "step": step_s}
        )

    def raw(self, selector: str, first_s: int, last_s: int) -> Answer:
        """The samples of a selector as they were scraped between two moments."""
        query = f"{selector}[{max(last_s - first_s, 1)}s]"
        return self._asked("query", {"query": query, "time": last_s})

    def _asked(self, what: str, form: dict[str, str | int]) -> Answer:
        sent = _Credentials(self.headers(), self.user())
        try:
            with ends_within(self.patience_s), self._session.post(
                f"{self.url.rstrip('/')}/api/v1/{what}",
                data={**form, "timeout": f"{self.timeout_s:g}s"},
                headers={"Accept": "application/json"},
                auth=sent,
                timeout=self.timeout_s, verify=self.trust, allow_redirects=False, stream=True,
            ) as response:  # fmt: skip
                body = b"".join(self._pieces(response))
                status = response.status_code
        except (requests.RequestException, HTTPError, OSError) as error:
            if not isinstance(error, requests.RequestException | HTTPError):  # ca_file is missing
                error = requests.exceptions.SSLError(str(error))
            failure = unanswered(self.name, error)
        else:
            return self._read(status, body, sent)
        raise failure  # without the error: it may repeat what was sent

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        size = 0
        for piece in response.iter_content(_PIECE):
            size += len(piece)
            if size > self.largest:
                message = f"an answer of more than {self.largest // 2**20} MiB"
                raise TooMuch(self.name, message, "ask for fewer series, or a longer step")
            yield piece

    def _read(self, status: int, body: bytes, sent: _Credentials) -> Answer:
        if sum(body.count(mark) for mark in (b"[", b"{", b",", b":")) > self.most_values:
            message = f"an answer of more than {self.most_values:,} values"
            raise TooMuch(self.name, message, "ask for fewer series, or a longer step")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if status != 200:
            said = document.get("error", "") if isinstance(document, dict) else ""
            raise refused(self.name, status, sent.masked(str(said)))
        if not isinstance(document, dict) or document.get("status") != "success":
            raise garbled(self.name, "no status of success")
        data = document.get("data")
        if not isinstance(data, dict) or data.get("resultType") != "matrix":
            kind = data.get("resultType") if isinstance(data, dict) else "nothing"
            raise garbled(self.name, f"a matrix was asked for, {str(kind)[:40]!r} came")
        try:
            found = [_series(one) for one in data["result"]]
            said = [*document.get("warnings", ()), *document.get("infos", ())]
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise garbled(self.name, type(error).__name__) from None
        plain = tuple(one for one in found if one is not None)
        if any((one.at_ms < 0).any() for one in plain):
            raise garbled(self.name, "a sample of no moment between 1970 and 2100")
        warned = tuple(sent.masked(str(one)) for one in said)
        return Answer(plain, warned, len(found) - len(plain))


def _series(one: Mapping[str, Any]) -> Series | None:
    """A series of an answer; None when it has native histograms only."""
    if "values" not in one:
        if "histograms" in one:
            return None
        raise KeyError("values")
    values = one["values"]
    labels = {str(name): str(value) for name, value in one["metric"].items()}
    at = np.array([pair[0] for pair in values], np.float64)
    at = np.where((at >= 0) & (at < _LAST_S), at, _NO_MOMENT_S)
    number = np.array([float(pair[1]) for pair in values], np.float64)
    return Series(labels, np.rint(at * 1000).astype(np.int64), number)


@dataclass(frozen=True, slots=True)
class _Credentials(requests.auth.AuthBase):
    """Sets what was given and nothing else: no ``.netrc`` speaks for us."""

    headers: Mapping[str, str]
    user: tuple[str, str] | None

    def masked(self, text: str) -> str:
        """What a server said, without the secrets that it was sent."""
        secrets = [value.rpartition(" ")[2] for value in self.headers.values()]
        if self.user is not None:
            secrets += [self.user[1], b64encode(":".join(self.user).encode()).decode()]
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _LEAST_SECRET:
                text = text.replace(secret, MASK)
        return text

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.user is not None:
            request = requests.auth.HTTPBasicAuth(*self.user)(request)
        request.headers.update(self.headers)
        return request
