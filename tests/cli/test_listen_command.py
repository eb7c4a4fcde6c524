"""``trimtab listen`` as a process: it ends well, and what is whole is kept."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import requests
from otlp_spans import T0, Seen, called, request_of
from typer.testing import CliRunner

from models.errors import FaultyInput
from models.signals import SignalKey, Signals
from optimizer.cli.main import app
from providers.telemetry.layout import RECEIVED
from providers.telemetry.store import Store
from providers.telemetry.writing import StoreWriter

TRIMTAB = [sys.executable, "-c", "from optimizer.cli.main import run; run()"]


Listening = tuple[str, subprocess.Popen[str]]


@contextmanager
def listener(out: Path, *options: str, **environment: str) -> Iterator[Listening]:
    """The URL and the process; whoever uses it ends it."""
    more = ["--address", "127.0.0.1:0", "--step", "1", "--out", str(out), *options]
    with subprocess.Popen(
        [*TRIMTAB, "listen", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            found = re.match(r"Listening on (http://\S+), writing", process.stdout.readline())
            assert found, process.communicate()
            yield found[1], process
        finally:
            process.kill()


def send_for(seconds: float, url: str, **headers: str) -> int:
    """Send a request to web, which calls cart, over and over; how often."""
    began, count = time.time(), 0
    while (now := time.time()) < began + seconds:
        web = Seen("web", at=now - T0)
        client, server = called(web, "cart", at=now - T0)
        body = request_of([web, client, server]).SerializeToString()
        answer = requests.post(
            f"{url}/v1/traces", data=body, timeout=30,
            headers={"Content-Type": "application/x-protobuf", **headers},
        )  # fmt: skip
        assert answer.status_code == 200
        count += 1
    return count


def test_what_is_whole_is_kept_when_the_run_is_ended(tmp_path: Path) -> None:
    out = tmp_path / "telemetry"
    old = datetime.now(UTC).replace(microsecond=0) - timedelta(days=9)
    with StoreWriter(out, "production", 1, RECEIVED) as writer:
        writer.write(Signals(old, 1, (SignalKey("requests_rps", "old"),), np.ones((1, 1))))
    with (
        StoreWriter(out, "production", 1) as beside,
        listener(out, "--keep-days", "7") as (url, process),
    ):
        observed = SignalKey("cpu_share", "cart")
        now = datetime.now(UTC).replace(microsecond=0)
        beside.write(Signals(now, 1, (observed,), np.full((1, 1), 0.5)))
        beside.flush()
        sent = send_for(3.2, url)
        process.send_signal(signal.SIGTERM)
        said, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (0, "")
    assert "steps closed" in said
    assert old.date() not in Store(out).days()
    kept = Store(out).read(
        datetime.now(UTC) - timedelta(minutes=5), datetime.now(UTC) + timedelta(minutes=1)
    )
    calls = kept.of(SignalKey("requests_rps", "web", callee="cart"))
    whole = calls[~np.isnan(calls)]
    assert np.nansum(kept.of(observed)) == 0.5
    assert len(whole) >= 2
    assert 0 < whole.sum() <= sent
    np.testing.assert_array_equal(calls, kept.of(SignalKey("requests_rps", "cart")))


def test_a_token_is_taken_from_a_file_and_never_told(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret-word\n")
    with listener(tmp_path / "out", "--token-file", str(tmp_path / "token")) as (url, process):
        assert requests.post(f"{url}/v1/traces", timeout=30).status_code == 401
        assert send_for(0.1, url, Authorization="Bearer s3cret-word")
        assert requests.get(f"{url}/metrics", timeout=30).status_code == 200
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "s3cret" not in said + complaint


def test_a_folder_that_breaks_ends_the_run_with_a_reason(tmp_path: Path) -> None:
    out = tmp_path / "telemetry"
    with listener(out, TRIMTAB_OTLP_TOKEN="word") as (url, process):
        assert requests.post(f"{url}/v1/traces", timeout=30).status_code == 401
        (out / "days").rmdir()
        send_for(2.2, url, Authorization="Bearer word")
        process.send_signal(signal.SIGTERM)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cannot write" in complaint


def test_a_folder_of_another_name_or_step_is_refused(tmp_path: Path) -> None:
    with StoreWriter(tmp_path, "production", 60):
        pass
    for options, said in (
        (["--name", "test"], "holds telemetry 'production' in steps of 60 s, not 'test'"),
        (["--step", "10"], "not 'production' of 10 s"),
    ):
        ended = CliRunner().invoke(
            app, ["listen", "--address", "127.0.0.1:0", "--out", str(tmp_path), *options]
        )
        assert isinstance(ended.exception, FaultyInput)
        assert said in str(ended.exception)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--address", "nowhere"], "give host:port"),
        (["--address", "127.0.0.1:65536"], "give host:port"),
        (["--step", "7"], "must divide an hour"),
        (["--address", "192.0.2.1:4318"], "cannot listen on 192.0.2.1:4318"),
        (["--token-file", "missing"], "the token in missing cannot be read"),
    ],
)
def test_wrong_options_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(app, ["listen", *options])
    assert ended.exit_code != 0
    error = ended.exception
    assert said in (str(error) if isinstance(error, FaultyInput) else ended.output)
