"""A request that ends by a moment, however slowly its answer comes.

Time-outs of sockets count from one byte to the next: a server that sends one now and then holds
whoever reads for ever. Here a timer closes the connection under the one who waits, be it for
headers, for the body or at a proxy.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError


class Overdue(HTTPError):
    """The time for a request is over. No kind of error that urllib3 would try again."""


class _Watched:
    """What one request reads from, until ``due`` (of ``time.monotonic``)."""

    def __init__(self, due: float) -> None:
        self._due, self._lock = due, threading.Lock()
        self._from: socket.socket | None = None

    @property
    def over(self) -> bool:
        return time.monotonic() >= self._due

    def reads_from(self, connection: socket.socket) -> None:
        with self._lock:
            self._from = connection
        if self.over:
            self.shut()

    def shut(self) -> None:
        """Nothing more comes from there; who waits for it wakes up."""
        with self._lock, suppress(OSError):  # handed over to TLS, which has a deadline of its own
            if self._from is not None:
                socket.socket.shutdown(self._from, socket.SHUT_RDWR)


_REQUEST: ContextVar[_Watched | None] = ContextVar("request", default=None)


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    """Requests made in this context raise ``Overdue`` once the time is over."""
    watched = _Watched(time.monotonic() + seconds)
    timer = threading.Timer(seconds, watched.shut)
    timer.daemon = True
    before = _REQUEST.set(watched)
    timer.start()
    try:
        yield
        if watched.over:  # headers that break off pass for an answer without body
            raise Overdue
    except Exception:
        if watched.over:  # however it broke off, it is for this reason
            raise Overdue from None
        raise
    finally:
        timer.cancel()
        _REQUEST.reset(before)


class _Ending(HTTPConnection):
    """A connection that the deadline of the request under way knows of."""

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        if watched := _REQUEST.get():
            watched.reads_from(made)
        return made

    def request(self, *given: Any, **named: Any) -> None:
        watched = _REQUEST.get()
        if watched is not None and watched.over:
            raise Overdue
        if watched is not None and self.sock is not None:  # used before, or wrapped in TLS since
            watched.reads_from(self.sock)
        super().request(*given, **named)


class _EndingByTls(_Ending, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Ending


class _PoolByTls(HTTPSConnectionPool):
    ConnectionCls = _EndingByTls


class EndingAdapter(HTTPAdapter):
    """Requests over it end as ``ends_within`` says."""

    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, **named)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *given: Any, **named: Any) -> Any:
        manager = super().proxy_manager_for(*given, **named)
        manager.pool_classes_by_scheme = _POOLS
        return manager


_POOLS = {"http": _Pool, "https": _PoolByTls}
