"""The server that exporters of OpenTelemetry send to.

Answers are those of the OTLP specification: 200 with what was rejected, 400 for what no retry
mends, 503 with ``Retry-After`` when there is no room. Nothing of a body is ever logged.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from providers.otlp.bodies import (
    LARGEST,
    Form,
    Malformed,
    TooLarge,
    form_of,
    read,
    status,
    unpacked,
    written,
)
from providers.otlp.exposure import Exposure
from providers.otlp.intake import Full, Intake
from providers.otlp.items import MOST

MOST_WAITING: Final = 64 * 2**20
"""Bytes of bodies that may wait to be read."""
SLOWEST_S: Final = 30.0
"""How long a body may take to arrive."""
_TICK_S: Final = 1.0
_INVALID, _BUSY, _NOBODY, _TOO_LARGE = 3, 14, 16, 8  # of gRPC's codes


class _Refused(Exception):
    def __init__(self, code: HTTPStatus, grpc: int, said: str, retry_after_s: float = 0) -> None:
        self.code, self.grpc, self.said, self.retry_after_s = code, grpc, said, retry_after_s
        super().__init__(said)


@dataclass(frozen=True, slots=True)
class _Signal:
    """One kind of telemetry: its messages, and who takes it."""

    request: type[Message]
    response: type[Message]
    rejected: str  # the field of a partial success that counts what was left out
    take: Callable[[Any, float], Counter[str]]


class Server:
    """Serves one ``intake``; ``clock`` gives seconds since 1970.

    The intake works in one thread of its own, so that requests are read one by one while others
    arrive. ``failure`` is what went wrong while a step was handed over: whoever runs the server
    stops then, and asks.
    """

    def __init__(
        self,
        intake: Intake,
        token: str | None = None,
        clock: Callable[[], float] = time.time,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        self._intake = intake
        self._token = token
        self._clock = clock
        self._failed = failed
        self._waiting = 0  # bytes of bodies
        self._hands = ThreadPoolExecutor(1, thread_name_prefix="otlp")
        self.answers: Counter[tuple[str, int]] = Counter()
        self._registry = CollectorRegistry()
        self._registry.register(Exposure(intake, lambda: dict(self.answers)))
        self._signals = {
            "/v1/traces": _Signal(
                ExportTraceServiceRequest,
                ExportTraceServiceResponse,
                "rejected_spans",
                intake.take_spans,
            ),
            "/v1/metrics": _Signal(
                ExportMetricsServiceRequest,
                ExportMetricsServiceResponse,
                "rejected_data_points",
                intake.take_metrics,
            ),
            "/v1/logs": _Signal(
                ExportLogsServiceRequest,
                ExportLogsServiceResponse,
                "rejected_log_records",
                intake.take_logs,
            ),
        }

    def app(self) -> Starlette:
        """The application; it closes steps as long as it runs, and all whole ones at its end."""
        routes = [Route(path, self._export, methods=["POST"]) for path in self._signals]
        routes.append(Route("/metrics", self._metrics, methods=["GET"]))
        return Starlette(routes=routes, lifespan=self._living)

    @asynccontextmanager
    async def _living(self, _: Starlette) -> AsyncIterator[None]:
        ticking = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking
            await self._alone(self._guarded, self._intake.finish)
            self._hands.shutdown()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            await self._alone(self._guarded, self._intake.close)

    def _guarded(self, close: Callable[[float], None]) -> None:
        try:
            close(self._clock())
        except Exception as error:
            if self._failed is None:
                raise
            self._failed(error)

    async def _alone(self, work: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._hands, work, *given)

    async def _metrics(self, _: Request) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    async def _export(self, request: Request) -> Response:
        path = request.url.path
        form = form_of(request.headers.get("content-type", ""))
        try:
            answer = await self._answer(request, form)
        except _Refused as refused:
            answer = _refusal(refused, form or Form.PROTOBUF)
        except ClientDisconnect:
            answer = Response(status_code=HTTPStatus.BAD_REQUEST)  # which nobody reads
        self.answers[path, answer.status_code] += 1
        return answer

    async def _answer(self, request: Request, form: Form | None) -> Response:
        self._check_token(request)
        packing = request.headers.get("content-encoding", "identity").strip().lower()
        if form is None:
            said = f"send {Form.PROTOBUF} or {Form.JSON}"
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _INVALID, said)
        if packing not in ("identity", "gzip"):
            said = "send it plain or as gzip"
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _INVALID, said)
        signal = self._signals[request.url.path]
        parts: list[bytes] = []
        try:
            await asyncio.wait_for(self._receive(request, parts), SLOWEST_S)
            body = b"".join(parts)
            rejected = await self._alone(self._take, signal, body, form, packing == "gzip")
        except TimeoutError:
            raise _Refused(HTTPStatus.REQUEST_TIMEOUT, _INVALID, "the body is too slow") from None
        finally:
            self._waiting -= sum(map(len, parts))
        answer = signal.response()
        if rejected:
            partial = answer.partial_success
            setattr(partial, signal.rejected, rejected.total())
            partial.error_message = "; ".join(f"{n}: {why}" for why, n in rejected.items())
        return Response(written(answer, form), media_type=form)

    def _check_token(self, request: Request) -> None:
        if self._token is None:
            return
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            raise _Refused(HTTPStatus.UNAUTHORIZED, _NOBODY, "no token, or a wrong one")

    async def _receive(self, request: Request, parts: list[bytes]) -> None:
        """Add the body to ``parts``, and what it takes to all that waits."""
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > LARGEST:
                raise _too_large()
            if self._waiting + len(part) > MOST_WAITING:
                raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, _BUSY, "too much at once", 1)
            self._waiting += len(part)
            parts.append(part)

    def _take(self, signal: _Signal, body: bytes, form: Form, packed: bool) -> Counter[str]:
        try:
            message = read(unpacked(body) if packed else body, form, signal.request)
            return signal.take(message, self._clock())
        except TooLarge:
            raise _too_large() from None
        except Malformed as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, _INVALID, str(error)) from None
        except Full as full:
            said = "no room before the open step is closed"
            wait_s = full.retry_after_s
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, _BUSY, said, wait_s) from None


def _too_large() -> _Refused:
    said = f"a body may have {LARGEST:,} bytes once it is unpacked, and {MOST:,} items"
    return _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE, said)


def _refusal(refused: _Refused, form: Form) -> Response:
    headers = {}
    if refused.retry_after_s:
        headers["Retry-After"] = str(math.ceil(refused.retry_after_s))
    if refused.code is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    body = written(status(refused.grpc, refused.said), form)
    return Response(body, refused.code, headers, media_type=form)
