"""Requests that load balancers counted, as demand by the hour."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from written_snapshots import AT, written

from models.inventory import GroupKind, InstanceGroup, Sample, Signal
from models.world import Catalogue, World
from providers.geography.egress import load_egress
from providers.snapshots.seeing import seen_in
from providers.snapshots.tables import Row

PLACE = "gcp/us-central1"
ID = "us-central1-a/web"


def _group(account: str, service: str) -> InstanceGroup:
    return InstanceGroup(
        ID, "web", GroupKind.MANAGED_INSTANCE_GROUP, account, PLACE, ("us-central1-a",), 0, 1,
        None, 1, ("n1-standard-1",), service=service,
    )  # fmt: skip


def _sample(minute: int, rps: float, step_minutes: int = 60, account: str = "prod") -> Sample:
    at = AT + timedelta(minutes=minute)
    return Sample(Signal.REQUESTS_RPS, account, PLACE, ID, at, step_minutes * 60, rps)


def _seen(folder: Path, rows: Iterable[Row], shop: World) -> list[tuple[int, str, float]]:
    catalogue = Catalogue({one.place: one for one in shop.regions}, shop.book, load_egress())
    requests = seen_in(written(folder, rows), catalogue).requests
    hours = (requests["ts"] - pd.Timestamp(AT)) // pd.Timedelta(hours=1)
    return list(zip(hours.tolist(), requests["service"], requests["rps"], strict=True))


def test_groups_of_one_name_are_told_apart_by_account(tmp_path: Path, shop: World) -> None:
    rows: list[Row] = [
        _group("prod", "web"), _group("staging", "web-staging"),
        _sample(0, 100.0), _sample(0, 1.0, account="staging"),
    ]  # fmt: skip
    assert _seen(tmp_path, rows, shop) == [(0, "web", 100.0), (0, "web-staging", 1.0)]


@pytest.mark.parametrize("step_minutes", [1, 7, 45, 60, 90, 120, 1440])
def test_a_steady_rate_stays_what_it_is(tmp_path: Path, shop: World, step_minutes: int) -> None:
    steps = range(0, 48 * 60, step_minutes)
    rows: list[Row] = [_group("prod", "web")]
    rows += [_sample(minute, 100.0, step_minutes) for minute in steps]
    found = _seen(tmp_path, rows, shop)
    assert [hour for hour, _, _ in found][:48] == list(range(48))
    assert [rps for _, _, rps in found] == pytest.approx([100.0] * len(found))


def test_hours_that_are_not_filled_are_left_out(tmp_path: Path, shop: World) -> None:
    rows: list[Row] = [_group("prod", "web"), _sample(30, 10.0), _sample(90, 20.0)]
    assert _seen(tmp_path, rows, shop) == [(1, "web", 15.0)]


def test_nothing_was_measured(tmp_path: Path, shop: World) -> None:
    assert _seen(tmp_path, [_group("prod", "web")], shop) == []
