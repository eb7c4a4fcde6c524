"""AWS as a sandbox: moto, what it lacks, and microburst in front of both for faults."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import boto3
from aiohttp import web
from aws_goods import product, quota, spot_price
from aws_stand_in import StandIn
from microburst.app import make_app
from microburst.core.pipeline import Microburst
from sandboxes import Trouble

from models.inventory import InstanceGroup
from providers.aws.clients import Manners
from providers.aws.provider import provider
from providers.seam import Provider
from scenarios.collect_entries import AwsAccountEntry, AwsEntry

HASTY: Final = Manners(attempts=3, longest_wait_s=0.0, pace_s=0.0, connect_s=5.0, read_s=30.0)
"""Retries as in production, but without waiting."""
CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "AKIAPLANTEDPLANTED00",
    "AWS_SECRET_ACCESS_KEY": "planted/secret+that/must+appear/nowhere1",
    "AWS_SESSION_TOKEN": "planted-session-token-that-must-appear-nowhere",
}
PLACES: Final = ("eu-central-1", "us-east-1")
TYPES: Final = ("c5.large", "c5.xlarge")
FAMILIES: Final = frozenset({"c5", "g4dn", "m4", "m5", "m6g", "mac1", "r5", "t3"})
"""A few of the thousand types that there are: tests read them all, again and again."""
TEMPLATE: Final = "web-template"
IMAGE: Final = "ami-12345678"
CHANGING: Final = (
    "CreateAutoScalingGroup", "UpdateAutoScalingGroup", "DeleteAutoScalingGroup",
    "SetDesiredCapacity", "TerminateInstanceInAutoScalingGroup", "DetachInstances",
)  # fmt: skip


class Proxy:
    """microburst, in a thread of its own."""

    def __init__(self, upstream: str) -> None:
        self._microburst = Microburst(upstream)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.url = ""
        threading.Thread(target=self._serve, daemon=True).start()
        self._ready.wait()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = web.AppRunner(make_app(self._microburst), access_log=None)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        self._loop.run_forever()

    def rule(self, *rules: dict[str, Any]) -> None:
        """Replace all rules; none: let everything through. Unknown keys would be ignored."""
        known = {"service", "operation", "region", "times", "error", "response", "reset",
                 "latency", "sequence", "body"}  # fmt: skip
        assert all(set(rule) <= known for rule in rules)
        self._microburst.engine.set_rules([dict(rule) for rule in rules])

    @property
    def fired(self) -> int:
        return len(self._microburst.fired)


_OPEN: Final = ExitStack()


@cache
def _servers() -> tuple[StandIn, Proxy]:
    """Once per process that runs tests; they end with it."""
    stand_in = StandIn()
    _OPEN.enter_context(stand_in.running())
    return stand_in, Proxy(stand_in.url)


def entry(url: str, regions: tuple[str, ...] = PLACES, name: str = "prod") -> AwsEntry:
    return AwsEntry(accounts=(AwsAccountEntry(name=name),), regions=regions, endpoint=url)


class AwsSandbox:
    """An account whose launch template starts instances of the first type."""

    account, template, types = "prod", TEMPLATE, TYPES
    place, other_place = (f"aws/{region}" for region in PLACES)
    troubles = frozenset(Trouble)

    def __init__(self, stand_in: StandIn, proxy: Proxy) -> None:
        self.stand_in, self.proxy = stand_in, proxy
        self.provider = self.provider_of(entry(proxy.url))

    def provider_of(self, made: AwsEntry) -> Provider:
        return provider(made, Path(), HASTY)

    def sdk(self, service: str, region: str = PLACES[0]) -> Any:
        """A client of the tests' own, past the proxy."""
        untyped: Any = boto3
        return untyped.client(service, region_name=region, endpoint_url=self.stand_in.url)

    @property
    def product_calls(self) -> list[str]:
        return self.stand_in.calls

    def furnish(self) -> None:
        sold = self.stand_in.sold
        sold.families = FAMILIES
        for region in PLACES:
            for name, usd in zip(TYPES, ("0.097", "0.194"), strict=True):
                sold.products.append(product(name, region, usd))
                sold.spot.append(spot_price(name, f"{region}a", str(float(usd) / 3)))
        sold.quotas.append(quota("L-1216C47A", "Running On-Demand Standard instances", 512.0,
                                 "Standard/OnDemand"))  # fmt: skip
        self.sdk("ec2").create_launch_template(
            LaunchTemplateName=TEMPLATE,
            LaunchTemplateData={"ImageId": IMAGE, "InstanceType": TYPES[0]},
        )

    def measure(self, group: InstanceGroup, at: datetime) -> None:
        self.sdk("cloudwatch").put_metric_data(
            Namespace="AWS/EC2",
            MetricData=[{
                "MetricName": "CPUUtilization", "Value": 40.0, "Timestamp": at,
                "Dimensions": [{"Name": "AutoScalingGroupName", "Value": group.name}],
            }],
        )  # fmt: skip

    def settle(self) -> None:
        """Everything here has booted as soon as it is started."""

    @contextmanager
    def trouble(self, kind: Trouble) -> Iterator[None]:
        if kind is Trouble.NO_CAPACITY:
            self.stand_in.sold.lacking.add(TYPES[0])
        self.proxy.rule(*_RULES[kind])
        try:
            yield
        finally:
            self.proxy.rule()
            self.stand_in.sold.lacking.clear()


_RULES: Final[dict[Trouble, tuple[dict[str, Any], ...]]] = {
    Trouble.THROTTLED: ({"service": "*", "error": {"code": "Throttling", "message": "slow"}},),
    Trouble.DOWN: ({"service": "*", "reset": True},),
    Trouble.GARBLED: ({"service": "*", "response": {"truncate_frac": 0.5}},),
    Trouble.DENIED: (
        {"service": "*", "error": {"code": "AccessDenied", "message": "no", "status": 403}},
    ),
    Trouble.ANSWER_LOST: tuple(
        {"service": "autoscaling", "operation": name, "times": 1, "response": {"abort_bytes": 1}}
        for name in CHANGING
    ),
    Trouble.NO_CAPACITY: (),
}


@contextmanager
def aws() -> Iterator[AwsSandbox]:
    stand_in, proxy = _servers()
    stand_in.reset()
    proxy.rule()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    with patch.dict(os.environ, {**clean, **CREDENTIALS}, clear=True):
        sandbox = AwsSandbox(stand_in, proxy)
        sandbox.furnish()
        yield sandbox
