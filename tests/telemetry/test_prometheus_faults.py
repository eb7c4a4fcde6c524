"""What a server that misbehaves does to us: a real Prometheus stands behind it."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from front_server import Front, fronting
from own_certificate import self_signed
from planted_metrics import START
from prometheus_host import Prometheus, free_port

from models.errors import SourceFailed
from models.measured import Grid
from optimizer.sources import parts_of
from providers.prometheus.client import Server
from providers.prometheus.errors import TooMuch
from providers.telemetry.seam import Listener
from scenarios.observing import read_telemetry

AT = int(START.timestamp()) + 600
QUERY = "haproxy_backend_active_servers"
SECRET = "glsa_Zm9vYmFyc2VjcmV0"


@pytest.fixture
def front(planted: Prometheus) -> Iterator[Front]:
    with fronting(planted.url) as one:
        yield one


def server(front: Front, **given: object) -> Server:
    return Server("main", front.url, retry_s=0.0, **given)  # type: ignore[arg-type]


def asked(one: Server, query: str = QUERY) -> int:
    return len(one.over(query, AT, AT + 120, 60).series)


@pytest.mark.parametrize("trouble", [[503, 503], [429], ["drop"], [500, "drop", 502, 504]])
def test_what_passes_is_asked_again(front: Front, trouble: list[int | bytes | str]) -> None:
    front.script = list(trouble)
    assert asked(server(front)) == 2
    assert len(front.seen) == len(trouble) + 1


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ([503] * 5, "HTTP 503: as it was told"),
        (["drop"] * 5, "cannot be reached, or breaks off"),
        ([401], "HTTP 401"),
        ([404], "check url: the address under which"),
        ([302], "give the address that it redirects to"),
        ([b"<html>sign in</html>"], "not Prometheus': no status of success"),
        ([b'{"status":"success","data":{"resultType":"scalar"}}'], "'scalar' came"),
        ([b'{"status":"success","data":{"resultType":"matrix","result":[{}]}}'], "KeyError"),
        ([b'{"status":"success","data":{"resultType":"matrix","result":7}}'], "TypeError"),
        ([(b'{"status":"success","data":{"resultType":"matrix",'
          b'"result":[{"metric":{},"values":[[]]}]}}')], "IndexError"),
        ([b"[" * 100_000], "no status of success"),
        *(([(b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},'
             b'"values":[[%s,"1"]]}]}}' % at)], "no moment between 1970 and 2100")
          for at in (b"NaN", b"1e300", b"-1e300", b"-1", b"4102444801", b"Infinity")),
        ([(b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},'
           b'"values":[[null,"1"]]}]}}')], "no moment between"),
    ],
)  # fmt: skip
def test_what_stays_is_said(front: Front, trouble: list[int | bytes | str], said: str) -> None:
    front.script = list(trouble)
    with pytest.raises(SourceFailed, match=r"^main: ") as failed:
        asked(server(front))
    assert said in str(failed.value)


def test_a_wrong_query_is_told_in_the_servers_words(front: Front) -> None:
    with pytest.raises(SourceFailed, match="parse error") as failed:
        asked(server(front), "sum by (")
    assert "mend the query" in str(failed.value)
    assert len(front.seen) == 1


def test_redirects_are_not_followed(front: Front, planted: Prometheus) -> None:
    front.script, front.headers = [307], {"Location": f"{planted.url}/api/v1/query_range"}
    with pytest.raises(SourceFailed, match="HTTP 307"):
        asked(server(front))


def test_an_answer_that_never_ends_is_too_late(front: Front) -> None:
    front.script = ["hang"]
    with pytest.raises(SourceFailed, match=r"no answer in time|breaks off"):
        asked(server(front, timeout_s=0.2))


def test_an_answer_that_is_too_large_is_not_read(front: Front) -> None:
    with pytest.raises(TooMuch, match="more than 0 MiB"):
        asked(server(front, largest=100))


@pytest.mark.parametrize("part", ["drip headers", "drip body"])
@pytest.mark.parametrize("by_tls", [False, True])
def test_an_answer_that_drips_for_ever_ends(tmp_path: Path, part: str, by_tls: bool) -> None:
    certificate, key = self_signed(tmp_path) if by_tls else (None, None)
    with fronting("", certificate, key) as front:
        front.script = [part] * 2
        trust = True if certificate is None else str(certificate)
        with pytest.raises(SourceFailed, match="does not come to an end") as failed:
            asked(server(front, timeout_s=0.05, trust=trust))
        assert failed.value.altogether
        assert len(front.seen) == 1


def test_many_small_values_are_not_made_into_objects(front: Front) -> None:
    empty = b'{"status":"success","data":{"resultType":"matrix","result":[%s]}}'
    front.script = [empty % b",".join([b"[]"] * 200_000)]
    tracemalloc.start()
    try:
        with pytest.raises(TooMuch, match="more than 100,000 values") as failed:
            asked(server(front, most_values=100_000))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "ask for fewer series" in str(failed.value)
    assert most < 8 * 2**20  # the text is read twice over; the lists would take 13 MiB more


def test_nobody_is_there() -> None:
    one = Server("main", f"http://127.0.0.1:{free_port()}", retry_s=0.0)
    with pytest.raises(SourceFailed, match="cannot be reached") as failed:
        asked(one)
    assert failed.value.altogether
    again = pickle.loads(pickle.dumps(failed.value))
    assert (str(again), again.altogether) == (str(failed.value), True)


def test_warnings_are_passed_on(front: Front) -> None:
    answer = {
        "status": "success", "warnings": ["a store did not answer"], "infos": ["odd metric"],
        "data": {"resultType": "matrix", "result": [
            {"metric": {"service": "a\ud800b\x1b[2J"}, "values": [[AT, "1"], [AT + 60, "NaN"]]},
            {"metric": {"service": "new"}, "histograms": [[AT, {"count": "1"}]]},
        ]},
    }  # fmt: skip
    front.script = [json.dumps(answer).encode()]
    found = server(front).over(QUERY, AT, AT + 60, 60)
    assert found.warned == ("a store did not answer", "odd metric")
    assert (len(found.series), found.unread) == (1, 1)


def telemetry(tmp_path: Path, url: str, credentials: str) -> Path:
    path = tmp_path / "telemetry.yaml"
    path.write_text(
        f"trimtab: 1\ntelemetry: t\nsources:\n- name: main\n  prometheus:\n    url: '{url}'\n"
        f"    queries: [{{signal: replicas, service: shop, query: {QUERY}}}]\n    {credentials}\n"
    )
    return path


def read(path: Path) -> int:
    (part,) = parts_of(read_telemetry(path), retry_s=0.0)
    grid = Grid(AT // 60, 60, 5)
    return sum(len(chunk.samples.value) for chunk in part.read(grid, Listener(lambda _: None)))


@pytest.mark.parametrize(
    ("credentials", "wanted"),
    [
        ("bearer_from: {env: TOKEN_OF_TEST}", {"Authorization": f"Bearer {SECRET}"}),
        ("bearer_from: {file: token}", {"Authorization": f"Bearer {SECRET}"}),
        ("headers_from: {X-Scope-OrgID: {env: TOKEN_OF_TEST}}", {"X-Scope-OrgID": SECRET}),
        (
            "basic: {user: me, password_from: {file: token}}",
            {"Authorization": "Basic bWU6Z2xzYV9abTl2WW1GeWMyVmpjbVYw"},
        ),
    ],
)
def test_credentials_are_found_and_sent(
    front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, credentials: str,
    wanted: dict[str, str],
) -> None:  # fmt: skip
    monkeypatch.setenv("TOKEN_OF_TEST", SECRET)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password wrong")
    (tmp_path / "token").write_text(f"{SECRET}\n")
    front.wanted = wanted
    assert read(telemetry(tmp_path, front.url, credentials)) == 10
    front.wanted = {"Authorization": "Bearer another"}
    with pytest.raises(SourceFailed, match="HTTP 401") as failed:
        read(telemetry(tmp_path, front.url, credentials))
    assert SECRET not in repr(failed.value)
    assert failed.value.__context__ is None


@pytest.mark.parametrize(
    ("credentials", "sent"),
    [
        ("bearer_from: {file: token}", "hunter2-x"),
        ("headers_from: {X-Scope-OrgID: {file: token}}", "hunter2-x"),
        ("basic: {user: me, password_from: {file: token}}", "hunter2-x"),
        ("basic: {user: me, password_from: {file: token}}", "bWU6aHVudGVyMi14"),
    ],
)
def test_secrets_that_a_server_sends_back_are_masked(
    front: Front, tmp_path: Path, credentials: str, sent: str
) -> None:
    (tmp_path / "token").write_text("hunter2-x")
    error = json.dumps({"status": "error", "error": f"nobody has {sent} here"}).encode()
    front.script = [error]
    with pytest.raises(SourceFailed) as failed:
        read(telemetry(tmp_path, front.url, credentials))
    assert sent not in str(failed.value)
    answer = {"status": "success", "warnings": [f"{sent} is old"],
              "data": {"resultType": "matrix", "result": []}}  # fmt: skip
    front.script = [json.dumps(answer).encode()]
    (part,) = parts_of(read_telemetry(telemetry(tmp_path, front.url, credentials)), retry_s=0.0)
    told: list[str] = []
    assert list(part.read(Grid(AT // 60, 60, 5), Listener(told.append)))
    assert told == ["the server says: *** is old"]


@pytest.mark.parametrize(
    ("credentials", "content", "said"),
    [
        ("bearer_from: {env: TOKEN_OF_TEST}", "", "bearer_from names is not set"),
        ("bearer_from: {file: token}", "", "cannot be read, or is empty"),
        ("bearer_from: {file: token}", f"{SECRET}\nX-Evil: 1", "no header can carry"),
    ],
)
def test_credentials_that_cannot_be_found(
    front: Front, tmp_path: Path, credentials: str, content: str, said: str
) -> None:
    (tmp_path / "token").write_text(content)
    with pytest.raises(SourceFailed, match=said) as failed:
        read(telemetry(tmp_path, front.url, credentials))
    assert SECRET not in str(failed.value)
    assert front.seen == []


def test_no_credentials_travel_unasked(front: Front, tmp_path: Path) -> None:
    assert read(telemetry(tmp_path, front.url, "scrape_s: 15")) == 10
    assert all("Authorization" not in headers for headers in front.seen)
    assert datetime.now(UTC) > START


def test_certificates_of_ones_own(planted: Prometheus, tmp_path: Path) -> None:
    """A server with a certificate that nobody knows is asked only if ``ca_file`` names it."""
    certificate, key = self_signed(tmp_path)
    with fronting(planted.url, certificate, key) as front:
        assert front.url.startswith("https://")
        with pytest.raises(SourceFailed, match="certificate is not trusted") as failed:
            read(telemetry(tmp_path, front.url, "scrape_s: 15"))
        assert failed.value.altogether
        assert read(telemetry(tmp_path, front.url, f"ca_file: {certificate.name}")) == 10
        with pytest.raises(SourceFailed, match="check ca_file"):
            read(telemetry(tmp_path, front.url, "ca_file: missing.pem"))
