"""Collecting an AWS account of 2,000 instances in 20 regions, near and far, and once more."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING
from urllib.request import urlopen

from benchmarks.registry import BYTES_PER_RSS, Case, Metric, benchmark

if TYPE_CHECKING:
    from providers.seam import Provider
    from providers.snapshots.reading import Snapshot

ACCOUNT = Path(__file__).parents[1] / "tests" / "support" / "aws_account.py"
REGIONS = 20
FAMILIES = "c5,c6g,c6i,g4dn,m5,m6g,m6i,r5,r6i,t3,t4g"
"""Of instance types: the server spends seconds on each hundred of them in each region."""
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "served", "AWS_SECRET_ACCESS_KEY": "served"}


@benchmark("collect", "2,000 instances and 200 groups in 20 regions of a served AWS account")
def collect_cases(data: Path | None) -> Iterator[Case]:
    del data
    yield Case("answers at once", partial(measure, 0.0, REGIONS))
    yield Case("every answer 200 ms later", partial(measure, 0.2, REGIONS))
    yield Case("every answer 200 ms later, one region", partial(measure, 0.2, 1))


def measure(delay_s: float, regions: int, folder: Path) -> Iterator[Metric]:
    """A first collection, and a second one right after it that takes over what is young."""
    os.environ.update(CREDENTIALS)
    with _served(delay_s) as (url, names):
        from optimizer.collect import Limits, Request, collect

        provider = _provider(url, names[:regions])
        former: Snapshot | None = None
        for turn in ("first", "second"):
            began, worked = perf_counter(), process_time()
            former = collect([provider], Request("bench", folder, Limits()), former)
            yield Metric(f"{turn}_time", perf_counter() - began, "s")
            yield Metric(f"{turn}_processor_time", process_time() - worked, "s")
            calls = _calls(url)
            yield Metric(f"{turn}_calls", float(calls.total()), "calls")
            yield Metric(f"{turn}_faulty_parts", float(len(former.manifest.faulty)), "parts")
            print(f"{turn}: {dict(sorted(calls.items()))}", file=sys.stderr)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_PER_RSS / 2**20
        yield Metric("collecting_memory", peak, "MiB")
        if former is not None:
            for table in ("instances", "groups", "instance_types", "prices"):
                yield Metric(table, float(len(former.frame(table))), "rows")


def _provider(url: str, regions: tuple[str, ...]) -> Provider:
    from providers.aws.provider import provider
    from scenarios.collect_entries import AwsAccountEntry, AwsEntry

    account = AwsAccountEntry(name="served")
    return provider(AwsEntry(accounts=(account,), regions=regions, endpoint=url), Path())


@contextmanager
def _served(delay_s: float) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The address of the account and its regions; it is served by a process of its own."""
    command = [sys.executable, str(ACCOUNT), "--families", FAMILIES, "--delay-s", str(delay_s),
               "--regions", str(REGIONS)]  # fmt: skip
    root = ACCOUNT.parents[2]
    path = os.pathsep.join(map(str, (root, ACCOUNT.parent)))
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as server:  # fmt: skip
        if server.stdout is None or server.stdin is None:
            raise RuntimeError("the server has no pipes")
        url, _, names = server.stdout.readline().strip().partition(" ")
        try:
            yield url, tuple(names.split(","))
        finally:
            server.stdin.close()


def _calls(url: str) -> Counter[str]:
    with urlopen(f"{url}/stand-in/calls") as answer:
        return Counter(json.load(answer))
