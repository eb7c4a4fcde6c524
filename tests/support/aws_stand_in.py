"""AWS on this machine: moto's server, mended where AWS behaves otherwise, and answers of our own
for what moto lacks, each of which must fit botocore's own model of the service.

Everything is behind one address. What the product called is noted, as ``service:Operation``.
"""

from __future__ import annotations

import io
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from aws_moto import mend
from aws_offers import OFFERS, offered
from aws_sold import Broken, Facts, Sold, checked
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

PRODUCT: Final = "trimtab"
"""How the product calls itself in its requests; what tests ask for themselves is not noted."""


@dataclass
class StandIn:
    """The server: start it once, ``reset`` it between tests."""

    sold: Sold = field(default_factory=Sold)
    calls: list[str] = field(default_factory=list)
    url: str = ""
    delay_s: float = 0.0
    """How much longer every answer takes, as from afar; 0 in tests."""

    def reset(self) -> None:
        moto_api_backend.reset()
        fresh = Sold()
        self.sold.__dict__.update(fresh.__dict__)
        self.calls.clear()

    def application(self, moto: Any) -> Callable[[Facts, Any], Iterable[bytes]]:
        def answer(environ: Facts, start: Any) -> Iterable[bytes]:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            body = environ["wsgi.input"].read(length)
            environ["wsgi.input"] = _again(body)
            if environ["PATH_INFO"].startswith("/moto-api"):
                return moto(environ, start)  # type: ignore[no-any-return]
            if environ["PATH_INFO"] == "/stand-in/calls":
                told, self.calls[:] = json.dumps(self.calls).encode(), []
                start("200 OK", [("Content-Length", str(len(told)))])
                return [told]
            if environ["PATH_INFO"].startswith(OFFERS):
                return offered(self.sold, environ["PATH_INFO"], start)
            if self.delay_s:
                time.sleep(self.delay_s)
            service, operation = called(environ, body)
            if PRODUCT in environ.get("HTTP_USER_AGENT", ""):
                self.calls.append(f"{service}:{operation}")
            own = _OWN.get(operation)
            if own is None:
                return moto(environ, start)  # type: ignore[no-any-return]
            try:
                answered = own(self.sold, json.loads(body or b"{}"), environ)
            except Broken:
                start("500 Internal Server Error", [("Content-Type", "application/json")])
                return [b'{"__type":"InternalServerException","message":"broken"}']
            text = json.dumps(answered).encode()
            size = str(len(text))
            start("200 OK", [("Content-Type", "application/x-amz-json-1.1"),
                             ("Content-Length", size)])  # fmt: skip
            return [text]

        return answer

    @contextmanager
    def running(self, port: int = 0) -> Iterator[StandIn]:
        mend(self.sold)
        application = self.application(DomainDispatcherApplication(create_backend_app))
        server = make_server(
            "127.0.0.1", port, application, threaded=True, request_handler=QuietHandler
        )
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


class QuietHandler(MotoRequestHandler):
    """Keeps connections, and says nothing of requests."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object) -> None:
        pass


def _again(body: bytes) -> Any:
    return io.BytesIO(body)


def called(environ: Facts, body: bytes) -> tuple[str, str]:
    """Service and operation of a request, from its signature and its protocol."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    service = scope[1] if scope else "?"
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return service, target.rpartition(".")[2]
    if "/operation/" in path:
        return service, path.rpartition("/")[2]
    if service == "route53":
        return service, {"GET": "List", "POST": "Change"}[method] + "ResourceRecordSets"
    if service == "savingsplans":
        return service, path.strip("/")
    return service, dict(parse_qsl(body.decode())).get("Action", "?")


def region_of(environ: Facts) -> str:
    scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/", environ["HTTP_AUTHORIZATION"])
    assert scope is not None
    return scope[1]


def _get_products(sold: Sold, asked: Facts, _: Facts) -> Facts:
    """Like AWS: products whose attributes have the values of all filters; others are not told."""
    wanted = {one["Field"]: one["Value"] for one in asked["Filters"]}
    assert asked["ServiceCode"] == "AmazonEC2"
    assert {one["Type"] for one in asked["Filters"]} == {"TERM_MATCH"}
    found = [
        one
        for one in sold.products
        if "garbled" in one
        or all(one["product"]["attributes"].get(k) == v for k, v in wanted.items())
    ]
    rows, token = sold.paged("GetProducts", found, asked.get("NextToken"))
    texts = [one["garbled"] if "garbled" in one else json.dumps(one) for one in rows]
    more = {"NextToken": token} if token else {}
    return checked(
        "pricing", "GetProducts", {"FormatVersion": "aws_v1", "PriceList": texts, **more}
    )


def _list_service_quotas(sold: Sold, asked: Facts, _: Facts) -> Facts:
    rows, token = sold.paged("ListServiceQuotas", sold.quotas, asked.get("NextToken"))
    more = {"NextToken": token} if token else {}
    return checked("service-quotas", "ListServiceQuotas", {"Quotas": rows, **more})


def _describe_savings_plans(sold: Sold, asked: Facts, _: Facts) -> Facts:
    found = [one for one in sold.plans if one["state"] in asked.get("states", [one["state"]])]
    rows, token = sold.paged("DescribeSavingsPlans", found, asked.get("nextToken"))
    answer = {"savingsPlans": rows, "nextToken": token}
    return checked("savingsplans", "DescribeSavingsPlans", answer)


def _used_plans(sold: Sold, asked: Facts, _: Facts) -> Facts:
    assert set(asked["TimePeriod"]) == {"Start", "End"}
    operation = "GetSavingsPlansUtilizationDetails"
    rows = [
        {"SavingsPlanArn": arn, "Utilization": {"UtilizationPercentage": percent}}
        for arn, percent in sold.uses.items()
    ]
    rows, token = sold.paged(operation, rows, asked.get("NextToken"))
    total = {"Utilization": {"UtilizationPercentage": "50"}}
    more = {"NextToken": token} if token else {}
    return checked("ce", operation, {
        "SavingsPlansUtilizationDetails": rows, "TimePeriod": asked["TimePeriod"], "Total": total,
        **more,
    })  # fmt: skip


def _describe_rates(sold: Sold, asked: Facts, _: Facts) -> Facts:
    wanted = {one["name"]: one["values"] for one in asked.get("filters", [])}
    found = [
        one
        for one in sold.rates
        if all(
            told["value"] in wanted.get(told["name"], [told["value"]]) for told in one["properties"]
        )
    ]
    operation = "DescribeSavingsPlansOfferingRates"
    rows, token = sold.paged(operation, found, asked.get("nextToken"))
    more = {"nextToken": token} if token else {}
    return checked("savingsplans", operation, {"searchResults": rows, **more})


_OWN: Final[dict[str, Callable[[Sold, Facts, Facts], Facts]]] = {
    "GetProducts": _get_products,
    "ListServiceQuotas": _list_service_quotas,
    "DescribeSavingsPlans": _describe_savings_plans,
    "DescribeSavingsPlansOfferingRates": _describe_rates,
    "GetSavingsPlansUtilizationDetails": _used_plans,
}
