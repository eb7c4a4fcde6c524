"""A server in front of a real one, which misbehaves when it is told to."""

from __future__ import annotations

import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Front:
    """``script``: what to do with the next requests, one after the other; then forward them.

    A number: answer with that status. Bytes: answer that with status 200. ``drop``: break off.
    ``hang``: answer half and wait until the end. ``drip headers``, ``drip body``: a byte now and
    then, for ever.
    """

    url: str = ""
    script: list[int | bytes | str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, str] = field(default_factory=dict)
    seen: list[dict[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """Does what its front is told to. A subclass says which that is."""

    front: Front
    behind: str

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        front = self.front
        front.seen.append(dict(self.headers.items()))
        if any(self.headers.get(name) != value for name, value in front.wanted.items()):
            self._answer(401, b"who are you?")
        elif not front.script:
            self._forward(body)
        elif isinstance(what := front.script.pop(0), int):
            self._answer(what, b'{"status":"error","error":"as it was told"}')
        elif isinstance(what, bytes):
            self._answer(200, what)
        elif what == "drop":
            self.connection.close()
        elif what == "hang":
            self._hang()
        else:
            self._drip(of_headers=what == "drip headers")

    def _drip(self, *, of_headers: bool) -> None:
        start = b"HTTP/1.1 200 OK\r\n"
        if not of_headers:
            start += b"Content-Length: 1000000\r\n\r\n"
        with suppress(OSError):  # until the other side has had enough
            self.wfile.write(start)
            while not self.front.over.wait(0.02):
                self.wfile.write(b"x")

    def _hang(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"{")
        self.wfile.flush()
        self.front.over.wait()

    def _forward(self, body: bytes) -> None:
        try:
            with urllib.request.urlopen(f"{self.behind}{self.path}", body) as answer:
                self._answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            self._answer(error.code, error.read())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in self.front.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def fronting(
    behind: str, certificate: Path | None = None, key: Path | None = None
) -> Iterator[Front]:
    """Forwards to ``behind``; headers that are ``wanted`` must come, or the answer is 401.

    With a certificate and its key, by TLS.
    """
    front = Front()
    handler = type("Handler", (Handler,), {"front": front, "behind": behind})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    front.url = f"http{'' if certificate is None else 's'}://127.0.0.1:{server.server_address[1]}"
    try:
        yield front
    finally:
        front.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
