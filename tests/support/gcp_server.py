"""The small Google Cloud over HTTP on loopback, and what can be made to go wrong with it."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gcp_cloud import Failed
from gcp_contract import Call, Refused, call_of, contracts
from gcp_groups import GroupedCloud

Fault = Callable[[Call], "Broken | None"]


class Broken:
    """An answer that is none: a status with a reason, or bytes, or a line that goes dead."""

    def __init__(self, status: int = 0, reason: str = "", raw: bytes = b"", late: bool = False):
        self.status, self.reason, self.raw, self.late = status, reason, raw, late


class Server(ThreadingHTTPServer):
    """Serves ``cloud``. ``asked`` counts all that came in, ``seen`` what came with it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self.cloud = GroupedCloud()
        self.faults: list[Fault] = []
        self.asked: Counter[str] = Counter()
        self.refused: list[str] = []
        self.tokens: set[str] = set()
        self.recorded: set[str] = getattr(self, "recorded", set())
        """Every verb ever asked for, also before the last reset."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def respond(self, verb: str, target: str, body: bytes) -> tuple[int, bytes] | None:
        """Status and body; None: the line goes dead."""
        with self.lock:
            try:
                contract, call = call_of(verb, target, body)
            except Refused as error:
                self.refused.append(str(error))
                return _failure(400, "invalid", str(error))
            self.asked[call.verb] += 1
            self.recorded.add(call.verb)
            broken = next((found for fault in self.faults if (found := fault(call))), None)
            if broken is not None and not broken.late:
                return _broken(broken)
            try:
                answer = self.cloud.answer(call)
            except Failed as error:
                return _failure(error.status, error.reason, error.said)
            answer = {key: value for key, value in answer.items() if key != "template"}
            shown = _without_own(answer)
            contract.check({"$ref": call.answers}, shown, call.answers)
            if broken is not None:
                return _broken(broken)
            return 200, json.dumps(shown).encode()


def _without_own(answer: Any) -> Any:
    """Without what the small cloud keeps for itself."""
    if isinstance(answer, dict) and "items" in answer:
        rows = [
            {key: value for key, value in row.items() if key != "template"}
            for row in answer["items"]
        ]
        return {**answer, "items": rows}
    return answer


def _broken(broken: Broken) -> tuple[int, bytes] | None:
    if broken.raw:
        return broken.status or 200, broken.raw
    if broken.status:
        return _failure(broken.status, broken.reason, f"{broken.reason}: try again")
    return None


def _failure(status: int, reason: str, said: str) -> tuple[int, bytes]:
    error = {
        "code": status, "message": said,
        "errors": [{"message": said, "domain": "global", "reason": reason}],
    }  # fmt: skip
    return status, json.dumps({"error": error}).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # one write for each answer
    server: Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.tokens.add(self.headers.get("Authorization", ""))
        answer = self.server.respond(self.command, self.path, body)
        if answer is None:
            self.close_connection = True
            self.connection.close()
            return
        status, content = answer
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@cache
def server() -> Server:
    """One for each process of tests."""
    contracts()
    made = Server()
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return made
