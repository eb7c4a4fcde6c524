"""AWS on this machine: moto's server, mended where AWS behaves otherwise, and answers of our own
for what moto lacks, each of which must fit botocore's own model of the service.

Everything is behind one address. What the product called is noted, as ``service:Operation``.
"""

from __future__ import annotations

import io
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

import botocore.session
from botocore.validate import ParamValidator
from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup
from moto.cloudwatch.models import Statistics
from moto.core.responses import ActionResult
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.reserved_instances import ReservedInstances
from moto.ec2.responses.spot_instances import SpotInstances
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

Facts = dict[str, Any]
_MODELS: Final = botocore.session.Session()
_VALIDATOR: Final = ParamValidator()
PRODUCT: Final = "trimtab"
"""How the product calls itself in its requests; what tests ask for themselves is not noted."""


def checked(service: str, operation: str, answer: Facts) -> Facts:
    """``answer``, if botocore's model of the operation lets it be one."""
    shape = _MODELS.get_service_model(service).operation_model(operation).output_shape
    assert shape is not None
    report = _VALIDATOR.validate(answer, shape)
    assert not report.has_errors(), report.generate_report()
    return answer


@dataclass
class Sold:
    """What our own services answer: rows as AWS's APIs give them. Tests change it at will."""

    products: list[Facts] = field(default_factory=list)
    spot: list[Facts] = field(default_factory=list)
    plans: list[Facts] = field(default_factory=list)
    rates: list[Facts] = field(default_factory=list)
    reservations: list[Facts] = field(default_factory=list)
    quotas: list[Facts] = field(default_factory=list)
    families: frozenset[str] = frozenset()
    """Of instance types that there are; none: all that there are in AWS."""
    lacking: set[str] = field(default_factory=set)
    """Instance types of which there are no more."""
    page: int = 100
    """Rows in a page of our own answers, at most."""
    break_at: dict[str, int] = field(default_factory=dict)
    """Operation: the page, from 0, at which it fails."""

    def paged(self, operation: str, rows: list[Facts], token: str | None) -> tuple[Any, str]:
        """Rows of a page, and the token of the next; tokens are offsets."""
        start = int(token or 0)
        if self.break_at.get(operation) == start // self.page:
            raise Broken
        end = start + self.page
        return rows[start:end], str(end) if end < len(rows) else ""


class Broken(Exception):
    """The service fails here."""


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
        _mend(self.sold)
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
}


def _mend(sold: Sold) -> None:
    """Let moto do as AWS does where the product would notice: pages, types and purchase of mixed
    groups, policies that updates leave alone, percentiles, spot prices, reservations.
    """
    ec2: Any = InstanceResponse
    if not hasattr(ec2, "unpaged_types"):
        ec2.unpaged_types = ec2.describe_instance_types
        ec2.unpaged_offerings = ec2.describe_instance_type_offerings
        group: Any = FakeAutoScalingGroup
        group.plain_update = group.update
        group.plain_replace = group.replace_autoscaling_group_instances
        statistics: Any = Statistics
        statistics.plain_value = statistics.get_statistics_for_type
    ec2.describe_instance_types = _pages_of(sold, "InstanceTypes", "unpaged_types")
    ec2.describe_instance_type_offerings = _pages_of(
        sold, "InstanceTypeOfferings", "unpaged_offerings"
    )
    _mend_groups(sold)
    _mend_scaling()
    _mend_statistics()
    spot: Any = SpotInstances
    spot.describe_spot_price_history = lambda response: _spot_history(sold, response)
    reserved: Any = ReservedInstances
    reserved.describe_reserved_instances = lambda response: ActionResult(
        checked("ec2", "DescribeReservedInstances", {
            "ReservedInstances": [one for one in sold.reservations if one["State"] == "active"]
        })
    )  # fmt: skip


def _pages_of(sold: Sold, key: str, unpaged: str) -> Callable[[Any], ActionResult]:
    def page(response: Any) -> ActionResult:
        rows = [
            one
            for one in _all_rows(response, key, unpaged)
            if not sold.families or one["InstanceType"].partition(".")[0] in sold.families
        ]
        start = int(response._get_param("NextToken") or 0)
        most = int(response._get_param("MaxResults") or len(rows) or 1)
        more = {"NextToken": str(start + most)} if start + most < len(rows) else {}
        return ActionResult({key: rows[start : start + most], **more})

    return page


def _all_rows(response: Any, key: str, unpaged: str) -> list[Facts]:
    """Without filters, found once: moto goes through megabytes each time."""
    of = key, response.region, response._get_param("LocationType")
    if response._filters_from_querystring() or response._get_param("InstanceTypes", []):
        return list(getattr(response, unpaged)().result[key])
    if of not in _KNOWN_ROWS:
        _KNOWN_ROWS[of] = list(getattr(response, unpaged)().result[key])
    return _KNOWN_ROWS[of]


_KNOWN_ROWS: Final[dict[Any, list[Facts]]] = {}


def _spot_history(sold: Sold, response: Any) -> ActionResult:
    """The newest first, as AWS does; ``StartTime`` lets through what holds then."""
    zones = [one for one in sold.spot if one["AvailabilityZone"].startswith(response.region)]
    rows = sorted(zones, key=lambda one: one["Timestamp"], reverse=True)
    rows, token = sold.paged(
        "DescribeSpotPriceHistory", rows, response._get_param("NextToken") or None
    )
    answer = {"SpotPriceHistory": rows, "NextToken": token}
    return ActionResult(checked("ec2", "DescribeSpotPriceHistory", answer))


class GroupThere(AutoscalingClientError):
    """moto would make a second group of the name."""

    code = "AlreadyExists"


def _mend_groups(sold: Sold) -> None:
    group: Any = FakeAutoScalingGroup
    of_template = group.instance_type.fget
    if hasattr(group, "template_type"):
        of_template = group.template_type
    group.template_type = of_template

    def instance_type(self: Any) -> str:
        """The first type with capacity: what strategy "prioritized" takes."""
        launch = (self.mixed_instances_policy or {}).get("LaunchTemplate", {})
        names = [one["InstanceType"] for one in launch.get("Overrides", [])]
        had = [name for name in names if name not in sold.lacking]
        return str((had or names or [of_template(self)])[0])

    def update(self: Any, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("mixed_instances_policy") is None and self.mixed_instances_policy:
            policy = deepcopy(self.mixed_instances_policy)
            del policy["LaunchTemplate"]["LaunchTemplateSpecification"]["LaunchTemplateName"]
            kwargs["mixed_instances_policy"] = policy
        self.plain_update(*args, **kwargs)

    def replace(self: Any, count: int, tags: dict[str, str]) -> None:
        before = len(self.instance_states)
        self.plain_replace(count, tags)
        policy = (self.mixed_instances_policy or {}).get("InstancesDistribution", {})
        base = int(policy.get("OnDemandBaseCapacity", 0))
        percent = int(policy.get("OnDemandPercentageAboveBaseCapacity", 100))
        for number, state in enumerate(self.instance_states[before:], before):
            beyond = number - base
            if beyond >= 0 and (beyond * (100 - percent)) % 100 + (100 - percent) >= 100:
                state.instance.lifecycle = "spot"

    group.instance_type = property(instance_type)
    group.update = update
    group.replace_autoscaling_group_instances = replace


def _mend_scaling() -> None:
    backend: Any = AutoScalingBackend
    if not hasattr(backend, "careless_create"):
        backend.careless_create = backend.create_auto_scaling_group
        backend.careless_detach = backend.detach_instances
        backend.careless_terminate = backend.terminate_instance

    def create(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        if name in self.autoscaling_groups:
            raise GroupThere(f"{name} is there already")
        return self.careless_create(name, *args, **kwargs)

    def detach(self: Any, name: str, ids: list[str], *args: Any, **kwargs: Any) -> Any:
        members = [one.instance.id for one in self.autoscaling_groups[name].instance_states]
        if not set(ids) <= set(members):
            raise ValidationError(f"{ids} is not part of Auto Scaling group {name}")
        return self.careless_detach(name, ids, *args, **kwargs)

    def terminate(self: Any, one: str, *args: Any, **kwargs: Any) -> Any:
        groups = self.autoscaling_groups.values()
        if not any(one == state.instance.id for group in groups for state in group.instance_states):
            raise ValidationError(f"Instance Id not found - {one}")
        return self.careless_terminate(one, *args, **kwargs)

    backend.create_auto_scaling_group = create
    backend.detach_instances = detach
    backend.terminate_instance = terminate


def _mend_statistics() -> None:
    statistics: Any = Statistics

    def value(self: Any, stat: str) -> Any:
        if not stat.startswith("p"):
            return self.plain_value(stat)
        values = sorted(self.metric_single_values_list)
        return values[min(int(len(values) * float(stat[1:]) / 100), len(values) - 1)]

    statistics.get_statistics_for_type = value


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
