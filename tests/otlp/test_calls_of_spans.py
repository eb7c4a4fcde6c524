"""Which spans are requests, which are calls, and of whom."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from otlp_spans import T0, Kept, Seen, called, request_of

from models.signals import SignalKey
from providers.otlp.intake import Intake, Pace

exactly = settings(derandomize=True, deadline=None, max_examples=60)


def values_of(*batches: list[Seen]) -> dict[SignalKey, float]:
    """The signals of the minute from ``T0``."""
    kept = Kept()
    intake = Intake(kept, T0)
    for batch in batches:
        assert not intake.take_spans(request_of(batch), T0 + 20)
    intake.close(T0 + 60 + intake.pace.wait_s)
    return kept.values()


def edges_of(values: dict[SignalKey, float]) -> dict[tuple[str, str], float]:
    """Calls in the minute by edge."""
    return {
        (key.service, key.callee): round(value * 60, 6)
        for key, value in values.items()
        if key.callee and key.signal == "requests_rps"
    }


def requests_of(values: dict[SignalKey, float]) -> dict[str, float]:
    """Requests in the minute by service."""
    return {
        key.service: round(value * 60, 6)
        for key, value in values.items()
        if key.signal == "requests_rps" and not key.callee and not key.instance
    }


def test_a_call_is_counted_once_and_timed_by_its_caller() -> None:
    web = Seen("web", ms=100)
    client, server = called(web, "cart")
    values = values_of([web, client, server])
    assert requests_of(values) == {"web": 1, "cart": 1}
    assert edges_of(values) == {("web", "cart"): 1}
    assert values[SignalKey("latency_p50_ms", "cart")] == pytest.approx(60)
    assert values[SignalKey("latency_p50_ms", "web", callee="cart")] == pytest.approx(80)
    assert values[SignalKey("errors_rps", "web", callee="cart")] == 0


def test_a_timeout_fails_the_edge_and_not_the_service() -> None:
    web = Seen("web")
    client, server = called(web, "cart")
    values = values_of([web, replace(client, failed=True), server])
    assert values[SignalKey("errors_rps", "web", callee="cart")] * 60 == pytest.approx(1)
    assert values[SignalKey("errors_rps", "cart")] == 0


def test_two_spans_of_one_request_are_one_request() -> None:
    outer = Seen("web", instance="a")
    framework = Seen("web", parent=outer, instance="a")
    work = Seen("web", "internal", framework, instance="a")
    assert requests_of(values_of([outer, framework, work])) == {"web": 1}


def test_recursion_is_calls_to_oneself() -> None:
    first = Seen("tree")
    client, second = called(first, "tree")
    inner, third = called(second, "tree")
    values = values_of([first, client, second, inner, third])
    assert requests_of(values) == {"tree": 3}
    assert edges_of(values) == {("tree", "tree"): 2}


def test_cycles_are_edges_both_ways() -> None:
    a = Seen("a")
    client, b = called(a, "b")
    back, again = called(b, "a")
    assert edges_of(values_of([a, client, b, back, again])) == {("a", "b"): 1, ("b", "a"): 1}


def test_a_missing_client_span_does_not_hide_the_edge() -> None:
    web = Seen("web")
    assert edges_of(values_of([web, Seen("cart", parent=web)])) == {("web", "cart"): 1}


def test_kinds_left_out_do_not_hide_the_request() -> None:
    web = Seen("web")
    values = values_of([web, Seen("cart", "internal", web)])
    assert requests_of(values) == {"web": 1, "cart": 1}
    assert edges_of(values) == {("web", "cart"): 1}


def test_a_database_is_called_by_its_address() -> None:
    web = Seen("web")
    outer = Seen("web", "client", web, peer="orders-db")
    driver = Seen("web", "client", outer, peer="orders-db")
    values = values_of([web, outer, driver])
    assert edges_of(values) == {("web", "orders-db"): 1}
    assert requests_of(values) == {"web": 1}


def test_calls_to_a_service_that_is_down_stay_on_its_edge() -> None:
    web = Seen("web")
    well = called(web, "cart")
    refused = Seen("web", "client", web, peer="cart.internal", failed=True)
    values = values_of([web, *well, refused])
    assert edges_of(values) == {("web", "cart"): 2}
    assert values[SignalKey("errors_rps", "web", callee="cart")] * 60 == pytest.approx(1)


def test_messages_are_calls_of_producers_to_consumers() -> None:
    shop = Seen("shop")
    message = Seen("shop", "producer", shop)
    consumer = Seen("mailer", "consumer", message, at=30, ms=5)
    values = values_of([shop, message, consumer])
    assert edges_of(values) == {("shop", "mailer"): 1}
    assert values[SignalKey("latency_p50_ms", "shop", callee="mailer")] == pytest.approx(5)


def test_a_batch_is_a_call_of_every_producer_that_it_is_linked_to() -> None:
    messages = [Seen(name, "producer") for name in ("shop", "shop", "web")]
    batch = Seen("mailer", "consumer", links=tuple(messages))
    values = values_of([*messages, batch])
    assert requests_of(values) == {"mailer": 1, "shop": 0, "web": 0}
    assert edges_of(values) == {("shop", "mailer"): 2, ("web", "mailer"): 1}


def test_a_consumer_that_fetched_its_messages_does_not_call_itself() -> None:
    sent = Seen("shop", "producer")
    fetch = Seen("mailer", "client", peer="")
    work = Seen("mailer", "consumer", fetch, links=(sent,))
    assert edges_of(values_of([sent, fetch, work])) == {("shop", "mailer"): 1}


def test_spans_without_a_service_are_of_an_unknown_one() -> None:
    assert requests_of(values_of([Seen(None)])) == {"unknown_service": 1}


def test_instances_have_series_of_their_own() -> None:
    values = values_of([Seen("web", instance="a"), Seen("web", instance="b", failed=True)])
    assert values[SignalKey("requests_rps", "web")] * 60 == pytest.approx(2)
    assert values[SignalKey("errors_rps", "web", instance="a")] == 0
    assert values[SignalKey("errors_rps", "web", instance="b")] * 60 == pytest.approx(1)


def test_kept_spans_stand_for_those_that_were_not() -> None:
    web = Seen("web", state="vendor=1,ot=th:c;rv:abcdefabcdefab")
    client, server = called(web, "cart", state="ot=th:c")
    values = values_of([web, client, server])
    assert requests_of(values) == {"web": 4, "cart": 4}
    assert edges_of(values) == {("web", "cart"): 4}


def _traffic() -> list[Seen]:
    spans: list[Seen] = []
    for i in range(6):
        web = Seen("web", at=20 + i, instance=f"w{i % 2}", failed=i == 3)
        for name, times in (("cart", 2), ("stock", 1)):
            for _ in range(times):
                client, server = called(web, name, at=19 + i, ms=10.0 * i)
                spans += [client, server, Seen(name, "client", server, at=19 + i, peer="db")]
        spans.append(web)
    sent = Seen("cart", "producer", at=15)
    return [*spans, sent, Seen("mailer", "consumer", links=(sent,), at=40)]


TRAFFIC = _traffic()
WHOLE = values_of(TRAFFIC)


@exactly
@given(st.permutations(range(len(TRAFFIC))), st.lists(st.integers(0, len(TRAFFIC)), max_size=4),
       st.sets(st.integers(0, len(TRAFFIC) - 1)))  # fmt: skip
def test_neither_order_nor_batches_nor_repetition_matter(
    order: list[int], cuts: list[int], again: set[int]
) -> None:
    spans = [TRAFFIC[i] for i in order]
    ends = sorted({0, *cuts, len(spans)})
    batches = [spans[a:b] for a, b in pairwise(ends)]
    batches.append([TRAFFIC[i] for i in again])
    assert values_of(*batches) == pytest.approx(WHOLE)


def test_traffic_is_what_was_sent() -> None:
    assert edges_of(WHOLE) == {
        ("web", "cart"): 12, ("web", "stock"): 6, ("cart", "db"): 12, ("stock", "db"): 6,
        ("cart", "mailer"): 1,
    }  # fmt: skip


def test_a_short_memory_forgets_no_open_step() -> None:
    kept = Kept()
    intake = Intake(kept, T0, Pace(remember_s=0))
    web = Seen("web", at=55)
    client, server = called(web, "cart", at=70)
    intake.take_spans(request_of([web, client, server]), T0 + 71)
    intake.close(T0 + 150)
    assert edges_of(kept.values(1)) == {("web", "cart"): 1}
