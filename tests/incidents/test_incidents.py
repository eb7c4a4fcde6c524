"""One cause is one incident, and its root is where it began."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.incident_worlds import STARTS, company, name
from models.foreseen import Anomaly, Incident
from models.signals import SignalKey, Signals
from optimizer.incidents.grouping import incidents_of

exactly = settings(derandomize=True, deadline=None, max_examples=60)
T0 = datetime(2026, 3, 2, 12, tzinfo=UTC)
CALLS = [("web", "cart"), ("web", "search"), ("cart", "stock"), ("cart", "payment"),
         ("stock", "db"), ("search", "index")]  # fmt: skip


def strays(
    service: str, signal: str = "latency_p95_ms", at: float = 0, lasts: float = 20,
    value: float = 3.0, score: float = 0.9, **more: str,
) -> Anomaly:  # fmt: skip
    """An anomaly, times in minutes after ``T0``; what is expected is 1."""
    starts = T0 + timedelta(minutes=at)
    ends = starts + timedelta(minutes=lasts)
    return Anomaly(SignalKey(signal, service, **more), starts, ends, score, value, 1.0, "strays")


def roots(found: tuple[Incident, ...]) -> list[str]:
    return [incident.root.key.in_words for incident in found]


def test_harm_goes_up_to_the_users() -> None:
    found = incidents_of(
        [strays("web", at=2), strays("cart", at=1), strays("stock", at=1, lasts=18)], CALLS
    )
    assert roots(found) == ["latency_p95_ms of stock"]
    assert found[0].why == (
        "latency_p95_ms of stock strays, and nothing that stock calls does so before it; "
        "cart and web follow within 1 min"
    )


def test_load_comes_down_from_the_users() -> None:
    surge = [strays(service, "requests_rps", at) for service, at in
             (("web", 0), ("cart", 0), ("stock", 1))]  # fmt: skip
    slow = [strays("stock", at=2), strays("cart", at=3), strays("stock", "cpu_share", 2)]
    found = incidents_of([*slow, *surge], CALLS)
    assert roots(found) == ["requests_rps of web"]
    assert len(found[0].anomalies) == 6


def test_what_a_service_runs_on_comes_before_what_it_does() -> None:
    found = incidents_of(
        [strays("db", at=1), strays("db", "errors_rps", 1), strays("db", "memory_share", 2)], CALLS
    )
    assert roots(found) == ["memory_share of db"]


def test_two_causes_at_once_are_two_incidents() -> None:
    one = [strays("db"), strays("stock", at=1), strays("cart", at=1, score=0.99)]
    other = [strays("index"), strays("search", at=1)]
    found = incidents_of([*one, *other, strays("web", at=2)], CALLS)
    assert roots(found) == ["latency_p95_ms of db", "latency_p95_ms of index"]
    assert sum(len(incident.anomalies) for incident in found) == 6


def test_services_that_do_not_call_each_other_have_nothing_to_do_with_each_other() -> None:
    assert len(incidents_of([strays("payment"), strays("index")], CALLS)) == 2


def test_what_came_much_later_is_no_cause() -> None:
    found = incidents_of([strays("stock", at=30), strays("cart", at=0)], CALLS)
    assert sorted(roots(found)) == ["latency_p95_ms of cart", "latency_p95_ms of stock"]


def test_a_service_between_that_shows_nothing_does_not_part_cause_and_effect() -> None:
    (found,) = incidents_of([strays("web", at=1), strays("stock")], CALLS)
    assert found.root.key.service == "stock"


def test_calls_are_at_fault_when_their_callee_tells_of_nothing() -> None:
    (found,) = incidents_of(
        [strays("cart", at=1), strays("cart", "errors_rps", callee="bank")], CALLS
    )
    assert found.root.key.callee == "bank"
    assert "bank itself tells of nothing" in found.why


def test_fewer_requests_follow_from_failures() -> None:
    (found,) = incidents_of(
        [strays("cart", "errors_rps"), strays("stock", "requests_rps", 1, value=0.2)], CALLS
    )
    assert found.root.key.service == "cart"


def test_fewer_requests_harm_nobody() -> None:
    fewer = strays("web", "requests_rps", value=0.2)
    (found,) = incidents_of([fewer, strays("cart", at=1)], CALLS)
    assert found.root.key.service == "cart"
    assert len(incidents_of([fewer, strays("web", at=1, callee="bank")], [])) == 1
    assert len(incidents_of([replace(fewer, key=SignalKey("requests_rps", "stock")),
                             strays("cart", "cpu_share", at=1)], CALLS[:1])) == 2  # fmt: skip


def test_one_sick_instance_is_the_root_and_all_of_them_are_not() -> None:
    whole, sick = strays("cart", at=1), strays("cart", at=1, instance="c-7")
    (found,) = incidents_of([whole, sick], CALLS)
    assert found.root is sick
    (found,) = incidents_of([whole, sick, strays("cart", at=1, instance="c-8")], CALLS)
    assert found.root is whole


def test_what_shares_an_instance_shares_its_troubles() -> None:
    (found,) = incidents_of(
        [strays("index", "cpu_share", instance="h1"), strays("payment", at=1, instance="h1")], CALLS
    )
    assert found.root.key.service == "index"


def test_services_that_call_each_other_in_a_circle_have_one_root() -> None:
    circle = [("a", "b"), ("b", "c"), ("c", "a")]
    (found,) = incidents_of([strays("b", at=1), strays("a"), strays("c", at=2)], circle)
    assert found.root.key.service == "a"


def test_siblings_that_surge_together_have_a_caller_that_was_missed() -> None:
    (found,) = incidents_of(
        [strays("cart", "requests_rps"), strays("search", "requests_rps")], CALLS
    )
    assert len(found.anomalies) == 2


@pytest.mark.parametrize("together", [True, False])
def test_series_that_do_not_move_together_are_no_evidence(together: bool) -> None:
    chance = np.random.default_rng(3)
    keys = (SignalKey("latency_p95_ms", "cart"), SignalKey("latency_p95_ms", "stock"))
    stock = chance.normal(100, 1, 180) + 100 * ((np.arange(180) % 30) > 24)
    cart = stock + 20 + chance.normal(0, 1, 180) if together else chance.normal(100, 1, 180)
    signals = Signals(T0 - timedelta(hours=2), 60, keys, np.stack([cart, stock]))
    found = incidents_of([strays("cart", at=1), strays("stock")], CALLS, signals)
    assert len(found) == (1 if together else 2)


def test_nothing_strays() -> None:
    assert incidents_of([], CALLS) == ()


ANOMALIES = st.lists(
    st.builds(
        strays,
        st.sampled_from(["web", "cart", "search", "stock", "payment", "db", "index", "lone"]),
        st.sampled_from(["latency_p95_ms", "errors_rps", "requests_rps", "cpu_share"]),
        st.integers(-20, 20),
        st.integers(1, 40),
        st.sampled_from([0.1, 3.0]),
        st.sampled_from([0.5, 0.9]),
    ),
    max_size=15,
    unique=True,
)


@exactly
@given(ANOMALIES, st.randoms(use_true_random=False))
def test_every_anomaly_is_in_one_incident_whatever_the_order(
    anomalies: list[Anomaly], chance: object
) -> None:
    found = incidents_of(anomalies, CALLS)
    members = [anomaly for incident in found for anomaly in incident.anomalies]
    assert sorted(map(repr, members)) == sorted(map(repr, anomalies))
    assert all(incident.root in incident.anomalies for incident in found)
    shuffled = list(anomalies)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert incidents_of(shuffled, reversed(CALLS)) == found


@exactly
@given(ANOMALIES, st.integers(-1000, 1000))
def test_times_count_among_each_other_only(anomalies: list[Anomaly], minutes: int) -> None:
    by = timedelta(minutes=minutes)
    later = [replace(a, starts=a.starts + by, ends=a.ends + by) for a in anomalies]
    before, after = (
        [(one.root.key, sorted(a.key for a in one.anomalies)) for one in incidents_of(some, CALLS)]
        for some in (anomalies, later)
    )
    assert before == after


@exactly
@given(ANOMALIES)
def test_what_has_nothing_to_do_with_it_changes_nothing(anomalies: list[Anomaly]) -> None:
    stranger = strays("stranger", "cpu_share", score=0.01)
    before = set(incidents_of(anomalies, CALLS))
    after = set(incidents_of([*anomalies, stranger], CALLS))
    assert before == {one for one in after if stranger not in one.anomalies}


@pytest.mark.parametrize("causes", [1, 2])
def test_planted_failures_are_roots(causes: int) -> None:
    found = wanted = 0
    for seed in range(12):
        made = company(seed, causes)
        told = incidents_of(made.anomalies, made.edges(), made.signals)
        services = {incident.root.key.service for incident in told[: len(made.planted)]}
        faults = {name(one.service) for one in made.planted}
        found, wanted = found + len(faults & services), wanted + len(faults)
    assert found / wanted >= 0.9


def test_planted_worlds_are_as_they_say() -> None:
    made = company(4)
    assert made.signals.starts == STARTS
    (planted,) = made.planted
    at = made.signals.at(planted.at)
    assert any(a.starts >= at and a.key.service == name(planted.service) for a in made.anomalies)
