"""Lines of logs: which tell of errors, what they have in common, and what is kept of them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from otlp_spans import T0, Kept, serving

from models.errors import UnusableData
from models.signals import SignalKey
from providers.otlp import lines, templates
from providers.otlp.intake import Intake
from providers.otlp.lines import append_lines, known_templates, read_lines
from providers.otlp.logs import ErrorLines
from providers.otlp.server import Server
from providers.otlp.templates import OTHER, WILD, Miner, Template


def logs_of(service: str, *records: dict[str, object], at: float = 10) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    part = request.resource_logs.add()
    part.resource.attributes.add(key="service.name").value.string_value = service
    made = part.scope_logs.add().log_records
    for record in records:
        one = made.add(time_unix_nano=round((T0 + at) * 1e9))
        one.severity_number = record.get("number", 17)
        one.severity_text = str(record.get("text", ""))
        one.body.string_value = str(record.get("body", ""))
    return request


def mined(*texts: str) -> list[str]:
    """The templates of lines, as they are once all have been seen."""
    miner = Miner()
    return [line.template.text for line in [miner.line("web", text) for text in texts]]


def test_lines_of_a_kind_are_one_template() -> None:
    assert mined(
        "cannot reach 10.0.0.1:5432 after 30ms",
        "cannot reach 10.0.0.2:5432 after 31ms",
        "user alice has no cart",
        "user bob has no cart",
        "order 4f7c2d1e-8a9b-4c3d-9e8f-001122334455 lost",
        "out of memory",
    ) == [
        "cannot reach <*> after <*>ms",
        "cannot reach <*> after <*>ms",
        "user <*> has no cart",
        "user <*> has no cart",
        "order <*> lost",
        "out of memory",
    ]


def test_names_with_numbers_are_no_numbers() -> None:
    assert mined("http2 stream of sha256 at db-1/orders") == [
        "http2 stream of sha256 at db-<*>/orders"
    ]


def test_secrets_are_in_neither_template_nor_example() -> None:
    line = Miner().line("web", "login failed: password=hunter2 token: eyJhbGciOiJIUzI1NiJ9.e30.x")
    assert "hunter2" not in line.example + line.template.text
    assert "eyJ" not in line.example + line.template.text


def test_templates_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "MOST_IN_SERVICE", 3)
    miner = Miner()
    found = {miner.line("web", letter * 5).template.text for letter in "abcdefgh"}
    assert found == {"aaaaa", "bbbbb", "ccccc", OTHER}
    assert miner.line("cart", "h").template.text == "h"


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(st.text(alphabet="ab 12<*>\u202e\x1b", max_size=20), max_size=30))
def test_every_line_fits_its_template(texts: list[str]) -> None:
    miner = Miner()
    for text in texts:
        line = miner.line("web", text)
        words = templates._VARYING.sub(WILD, line.example).split()
        pairs = list(zip(line.template.words, words, strict=True))
        assert all(a in (b, WILD) for a, b in pairs)
    for text in texts:
        once = miner.line("web", text).template
        restarted = Miner([once]).line("web", text).template
        assert restarted.identity == once.identity


@pytest.mark.parametrize(
    ("number", "text", "counts"),
    [(17, "", True), (24, "", True), (16, "ERROR", False), (9, "", False), (0, "", False),
     (0, "Error", True), (0, "FATAL", True), (0, "warning", False)],
)  # fmt: skip
def test_severity_tells_what_an_error_is(number: int, text: str, counts: bool) -> None:
    kept = Kept()
    intake = Intake(kept, T0)
    intake.take_logs(logs_of("web", {"number": number, "text": text, "body": "x"}), T0 + 20)
    intake.close(T0 + 90)
    assert kept.values() == {SignalKey("log_errors_rps", "web"): pytest.approx(counts / 60)}
    assert len(kept.lines) == counts


def test_lines_are_counted_by_template_with_the_first_as_example() -> None:
    kept = Kept()
    intake = Intake(kept, T0)
    bodies: list[dict[str, object]] = [{"body": f"order {i} lost"} for i in range(3)]
    intake.take_logs(logs_of("web", *bodies, {"body": "out of memory"}), T0 + 20)
    intake.take_logs(logs_of("web", {"body": "order 9 lost"}, at=70), T0 + 70)
    intake.take_logs(logs_of("late", {"body": "x"}, at=-100), T0 + 70)
    intake.close(T0 + 150)
    told = [(one.starts - T0, one.template, one.lines, one.example) for one in kept.lines]
    assert sorted(told) == [
        (0, "order <*> lost", 3, "order 0 lost"),
        (0, "out of memory", 1, "out of memory"),
        (60, "order <*> lost", 1, "order 9 lost"),
    ]
    assert intake.tally.log_lines == {"accepted": 5, "late": 1}
    wrong = logs_of("web", {"body": "x"}, at=90_000)
    assert intake.take_logs(wrong, T0 + 160).total() == 1
    assert intake.tally.log_lines["ahead"] == 1


@pytest.mark.filterwarnings("ignore:.LoggingHandler. in:DeprecationWarning")
def test_the_real_sdk_logs_become_signals() -> None:
    kept = Kept()
    began = datetime.now(UTC).timestamp() - 120
    clock = [began + 120]
    with serving(lambda: Server(Intake(kept, began), clock=lambda: clock[0])) as url:
        provider = LoggerProvider(resource=Resource.create({"service.name": "shop"}))
        exporter = OTLPLogExporter(f"{url}/v1/logs")
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        logger = logging.getLogger("otlp-test")
        logger.propagate = False
        handler = LoggingHandler(logger_provider=provider)
        logger.addHandler(handler)
        try:
            for i in range(30):
                logger.info("fine %d", i)
                try:
                    raise OSError(f"connection {i} refused")
                except OSError:
                    logger.exception("checkout failed for customer %d", i)
            assert provider.force_flush()
        finally:
            logger.removeHandler(handler)
        clock[0] += 300
    assert sum(one.lines for one in kept.lines) == 30
    assert {one.template for one in kept.lines} == {
        "checkout failed for customer <*> OSError connection <*> refused"
    }
    assert {key.signal for signals in kept.steps for key in signals.keys} == {"log_errors_rps"}


def test_answers_to_logs_are_of_logs() -> None:
    with serving(lambda: Server(Intake(Kept(), T0), clock=lambda: T0)) as url:
        headers = {"Content-Type": "application/json"}
        body = b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"severityNumber": 17}]}]}]}'
        answer = requests.post(f"{url}/v1/logs", data=body, headers=headers, timeout=30)
    assert (answer.status_code, answer.json()) == (200, {})


def _told(starts: int, template: str = "order <*> lost", identity: str = "i") -> ErrorLines:
    return ErrorLines(starts, 60, "web", template, identity, 2, "order 1 lost")


def test_lines_kept_are_lines_read(tmp_path: Path) -> None:
    told = [_told(T0), _told(T0 + 60, "order <*> <*>"), _told(T0 + 86_400)]
    append_lines(tmp_path, told[:1])
    append_lines(tmp_path, told[1:])
    assert list(read_lines(tmp_path)) == told
    late = datetime.fromtimestamp(T0 + 86_400, UTC)
    assert list(read_lines(tmp_path, late)) == told[2:]
    assert list(known_templates(tmp_path, late)) == [
        Template("i", "web", ["order", WILD, "lost"])
    ]  # fmt: skip


def test_half_a_line_is_not_read_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    append_lines(tmp_path, [_told(T0)])
    (path,) = (tmp_path / "error-lines").iterdir()
    path.write_bytes(path.read_bytes() + b'{"starts": 17')
    assert len(list(read_lines(tmp_path))) == 1
    append_lines(tmp_path, [_told(T0 + 60)])
    assert [one.starts for one in read_lines(tmp_path)] == [T0, T0 + 60]


def test_old_days_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "KEPT_DAYS", 2)
    for day in range(6):
        append_lines(tmp_path, [_told(T0 + 86_400 * day)])
    assert len(list((tmp_path / "error-lines").iterdir())) == 3


@pytest.mark.parametrize("text", ["{}\n", "[]\n", "x\n", '{"starts": "1"}\n'])
def test_damaged_lines_are_told_with_their_place(tmp_path: Path, text: str) -> None:
    append_lines(tmp_path, [_told(T0)])
    (path,) = (tmp_path / "error-lines").iterdir()
    path.write_text(path.read_text() + text)
    with pytest.raises(UnusableData, match=r"jsonl:2 is damaged"):
        list(read_lines(tmp_path))
