"""What changed between snapshots; silence is not taken for change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from written_snapshots import written

from models.actions import DeleteGroup, Resize, Target
from models.commitments import CommitmentKind
from models.errors import UnusableData
from models.inventory import CommittedRate
from optimizer.collect import Limits, Request, collect
from optimizer.differences import differences
from providers.simulated.script import Outage, PriceMove, Span
from providers.snapshots.reading import Snapshot

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ALWAYS_ASK = Limits(kept_hours={})


def _taken(providers: Any, folder: Path, hours: int) -> Snapshot:
    request = Request("x", folder, ALWAYS_ASK)
    return collect(providers, request, clock=lambda: NOW + timedelta(hours=hours))


def test_nothing_changed(played: Callable[..., Any], tmp_path: Path) -> None:
    _, providers = played()
    found = differences(_taken(providers, tmp_path, 0), _taken(providers, tmp_path, 1))
    assert found.changes == ()
    assert found.unknown == ()


def test_what_came_went_and_moved(played: Callable[..., Any], tmp_path: Path) -> None:
    clouds, providers = played(PriceMove(100.0, 1.5, "gcp/us-central1", "n2-standard-4"))
    aws, hands = clouds[0], providers[0].hands
    before = _taken(providers, tmp_path, 0)
    grown, gone = list(aws.machines.pools.values())[:2]
    hands.act(Resize(Target("simulated", grown.place, grown.id), grown.desired + 2), "t1")
    lost = len(aws.machines.members(gone.id))
    hands.act(DeleteGroup(Target("simulated", gone.place, gone.id)), "t2")
    for cloud in clouds:
        cloud.advance(200.0)
    found = differences(before, _taken(providers, tmp_path, 1))
    assert found.count("instances", "added") == 2
    assert found.count("instances", "removed") == lost
    assert found.count("groups", "removed") == 1
    (group,) = (c for c in found.changes if c.table == "groups" and c.what == "changed")
    assert group.key == ("simulated", grown.place, grown.id)
    assert ("desired", grown.desired - 2, grown.desired) in group.fields
    prices = [c for c in found.changes if c.table == "prices"]
    assert prices
    for change in prices:
        assert change.key[:2] == ("gcp/us-central1", "n2-standard-4")
        ((name, old, new),) = change.fields
        assert name == "price_usd_per_hour"
        assert new == pytest.approx(1.5 * old)


def test_shares_that_differ_by_a_hair_are_the_same(tmp_path: Path) -> None:
    def rate(share: float) -> CommittedRate:
        return CommittedRate("plan", CommitmentKind.SPEND, 1, share, "aws/us-east-1", "m5.large",
                             0.1, NOW, "test")  # fmt: skip

    before, after = (written(tmp_path / str(i), [rate(share), rate(0.0)])
                     for i, share in enumerate((0.1 + 0.2, 0.3)))  # fmt: skip
    assert differences(before, after).changes == ()


def test_what_did_not_answer_is_not_gone(played: Callable[..., Any], tmp_path: Path) -> None:
    clouds, providers = played(Outage("aws/us-east-1", Span(100.0)))
    before = _taken(providers, tmp_path, 0)
    clouds[0].advance(200.0)
    found = differences(before, _taken(providers, tmp_path, 1))
    assert not any(change.what == "removed" for change in found.changes)
    assert {part.scope.place for part in found.unknown} == {"aws/us-east-1"}


@pytest.mark.parametrize("name", ["snapshot.json", "prices.parquet"])
def test_damaged_snapshots_are_refused(
    played: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    _, providers = played()
    snapshot = _taken(providers, tmp_path, 0)
    path = snapshot.folder / name
    path.write_bytes(path.read_bytes()[:-200])
    again = Snapshot(snapshot.folder)
    with pytest.raises(UnusableData, match=name):
        differences(again, again)
