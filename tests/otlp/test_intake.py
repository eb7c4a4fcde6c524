"""Steps are closed in time, and nothing grows without bound."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_spans import T0, Kept, Seen, called, request_of

from models.signals import SignalKey
from providers.otlp import spans
from providers.otlp.intake import Full, Intake, Pace
from providers.otlp.names import OTHER, Names


def test_a_step_closes_when_its_time_to_wait_has_passed() -> None:
    kept = Kept()
    intake = Intake(kept, T0)
    intake.take_spans(request_of([Seen("web", at=59)]), T0 + 60)
    intake.close(T0 + 89)
    assert kept.steps == []
    intake.close(T0 + 90)
    (signals,) = kept.steps
    assert (signals.starts.timestamp(), signals.step_s) == (T0, 60)
    assert list(signals.keys) == sorted(signals.keys)


def test_the_step_under_way_at_the_start_or_the_end_is_left_out() -> None:
    kept = Kept()
    intake = Intake(kept, T0 + 1)
    early, whole, running = (Seen("web", at=at) for at in (30, 90, 130))
    intake.take_spans(request_of([early, whole, running]), T0 + 140)
    intake.finish(T0 + 140)
    assert [signals.starts.timestamp() for signals in kept.steps] == [T0 + 60]
    assert kept.values()[SignalKey("requests_rps", "web")] * 60 == pytest.approx(1)
    assert intake.tally.spans["late"] == 1


def test_late_spans_are_counted_but_still_tell_who_called() -> None:
    kept = Kept()
    intake = Intake(kept, T0)
    intake.close(T0 + 90)
    late = Seen("shop", "producer", at=30)
    intake.take_spans(request_of([late, Seen("mailer", "consumer", late, at=70)]), T0 + 100)
    intake.close(T0 + 150)
    values = kept.values()
    assert values[SignalKey("requests_rps", "shop", callee="mailer")] * 60 == pytest.approx(1)
    assert SignalKey("requests_rps", "shop") not in values
    assert +intake.tally.spans == {"late": 1, "accepted": 1}


def test_a_clock_that_is_ahead_closes_nothing_for_others() -> None:
    kept = Kept()
    intake = Intake(kept, T0)
    told = intake.take_spans(request_of([Seen("wrong", at=86_400), Seen("web")]), T0 + 20)
    assert told == {"a time that has not come yet: is a clock wrong?": 1}
    intake.close(T0 + 90)
    assert {key.service for key in kept.values()} == {"web"}
    assert +intake.tally.spans == {"ahead": 1, "accepted": 1}
    assert intake.held == 1


def test_silence_is_a_gap_and_idleness_is_zero() -> None:
    kept = Kept()
    intake = Intake(kept, T0)
    web = Seen("web")
    intake.take_spans(request_of([web, *called(web, "cart")]), T0 + 20)
    intake.take_spans(request_of([Seen("web", "internal", at=70)]), T0 + 70)
    intake.close(T0 + 150)
    assert kept.values(1) == {
        SignalKey(name, "web", callee=callee): 0.0
        for name in ("requests_rps", "errors_rps")
        for callee in ("", "cart")
    }


def test_spans_that_come_twice_count_once() -> None:
    kept = Kept()
    intake = Intake(kept, T0)
    request = request_of([Seen("web", failed=True)])
    for _ in range(3):
        intake.take_spans(request, T0 + 20)
    intake.close(T0 + 90)
    assert kept.values()[SignalKey("errors_rps", "web")] * 60 == pytest.approx(1)
    assert intake.tally.spans["duplicate"] == 2


def test_requests_of_callers_never_seen_are_counted() -> None:
    kept = Kept()
    intake = Intake(kept, T0)
    intake.take_spans(request_of([Seen("cart", parent=Seen("web"))]), T0 + 20)
    intake.close(T0 + 90)
    assert intake.tally.orphans == 1
    assert kept.values()[SignalKey("requests_rps", "cart")] * 60 == pytest.approx(1)


def test_a_full_intake_says_when_there_will_be_room() -> None:
    kept = Kept()
    intake = Intake(kept, T0, Pace(most_spans=2))
    intake.take_spans(request_of([Seen("web"), Seen("web")]), T0 + 20)
    with pytest.raises(Full) as full:
        intake.take_spans(request_of([Seen("web")]), T0 + 20)
    assert full.value.retry_after_s == 70
    intake.close(T0 + 90)
    intake.take_spans(request_of([Seen("web", at=80)]), T0 + 90)
    assert intake.held == 1


def test_closed_spans_are_forgotten_in_time() -> None:
    intake = Intake(Kept(), T0, Pace(remember_s=120))
    intake.take_spans(request_of([Seen("web")]), T0 + 20)
    intake.close(T0 + 150)
    assert intake.held == 1
    intake.close(T0 + 300)
    assert intake.held == 0


def test_spans_that_break_the_format_are_rejected_by_reason() -> None:
    request = request_of([Seen("web") for _ in range(7)])
    broken = [part.scope_spans[0].spans[0] for part in request.resource_spans]
    broken[0].span_id = b"short"
    broken[1].trace_id = bytes(16)
    broken[2].end_time_unix_nano = 0
    broken[3].start_time_unix_nano = broken[3].end_time_unix_nano + 1
    broken[4].end_time_unix_nano = 2**64 - 1
    broken[5].start_time_unix_nano = broken[5].end_time_unix_nano = 10**15
    broken[6].start_time_unix_nano = 1  # and not for more than fifty years
    rejected = Intake(Kept(), T0).take_spans(request, T0 + 20)
    assert rejected == {
        "an id of a wrong length": 1,
        "an id of zeros only": 1,
        "no time of its own": 2,
        "it ends before it starts": 1,
        "a time before 1990": 2,
    }


def test_services_beyond_the_limit_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    intake = Intake(kept, T0)
    monkeypatch.setattr(
        intake, "names", spans.Registers(services=Names(3), instances=Names(2), peers=Names(2))
    )
    flood = [Seen(f"s{i}", instance=f"i{i}") for i in range(50)]
    flood += [Seen("s0", "client", peer=f"db{i}") for i in range(50)]
    intake.take_spans(request_of(flood), T0 + 20)
    intake.close(T0 + 90)
    values = kept.values()
    assert {key.service for key in values} == {"s0", "s1", "s2", OTHER}
    assert values[SignalKey("requests_rps", OTHER)] * 60 == pytest.approx(47)
    assert {key.callee for key in values if key.callee} == {"db0", "db1", OTHER}
    assert intake.names.services.folded == 47


def test_nothing_is_no_fault() -> None:
    kept = Kept()
    intake = Intake(kept, T0)
    assert not intake.take_spans(ExportTraceServiceRequest(), T0 + 20)
    intake.close(T0 + 1_000)
    assert kept.steps == []
