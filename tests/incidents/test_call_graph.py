"""The calls that were seen, against those that a world states."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from models.services import Dependency
from models.signals import SignalKey, Signals
from optimizer.call_graph import (
    Verdict,
    circle_in,
    compared,
    dependencies_seen,
    ratio_of,
    requests_served,
    seen_calls,
)
from optimizer.output.call_graph_text import calls_document, calls_text, dependencies_yaml
from optimizer.output.terminal import figure

exactly = settings(derandomize=True, deadline=None, max_examples=100)
T0 = datetime(2026, 3, 2, tzinfo=UTC)


def signals_of(
    served: dict[str, float], edges: dict[tuple[str, str], float], steps: int = 60, seed: int = 1
) -> Signals:
    """Poisson traffic: requests a second of services, and calls per request of edges."""
    chance = np.random.default_rng(seed)
    rows: dict[SignalKey, np.ndarray] = {}
    for service, rps in served.items():
        rows[SignalKey("requests_rps", service)] = chance.poisson(60 * rps, steps) / 60
    for (caller, callee), ratio in edges.items():
        requests = rows[SignalKey("requests_rps", caller)] * 60
        calls = chance.poisson(ratio * requests)
        rows[SignalKey("requests_rps", caller, callee=callee)] = calls / 60
        rows[SignalKey("errors_rps", caller, callee=callee)] = chance.binomial(calls, 0.1) / 60
        rows[SignalKey("latency_p95_ms", caller, callee=callee)] = np.full(steps, 30.0)
    keys = tuple(sorted(rows))
    return Signals(T0, 60, keys, np.stack([rows[key] for key in keys]))


SERVED = {"web": 10.0, "cart": 20.0, "rare": 0.001}
EDGES = {("web", "cart"): 2.0, ("cart", "db"): 0.5, ("web", "web"): 0.1, ("rare", "cart"): 1.0,
         ("cart", "stock"): 1.5}  # fmt: skip


def verdicts(stated: list[Dependency]) -> dict[tuple[str, str], Verdict]:
    signals = signals_of(SERVED, EDGES)
    found = compared(
        seen_calls(signals), stated, ["web", "cart", "stock", "rare", "mail"],
        requests_served(signals),
    )  # fmt: skip
    return {(one.caller, one.callee): one.verdict for one in found}


def test_every_dependency_gets_its_verdict() -> None:
    stated = [
        Dependency("web", "cart", 2.05),
        Dependency("cart", "stock", 1.0),
        Dependency("web", "mail", 0.5),
        Dependency("rare", "mail", 1),
        Dependency("rare", "cart", 3),
    ]
    found = verdicts(stated)
    assert found == {
        ("web", "cart"): Verdict.AS_STATED,
        ("cart", "stock"): Verdict.OFF,
        ("web", "mail"): Verdict.NEVER_SEEN,
        ("rare", "mail"): Verdict.UNKNOWN,
        ("rare", "cart"): Verdict.UNKNOWN,
        ("cart", "db"): Verdict.OUTSIDE,
    }
    assert verdicts(stated[1:])["web", "cart"] is Verdict.MISSING


def test_figures_of_an_edge_are_those_of_its_steps() -> None:
    (db,) = (one for one in seen_calls(signals_of(SERVED, EDGES)) if one.callee == "db")
    assert db.per_request == pytest.approx(0.5, abs=4 * db.per_request_error)
    assert db.error_share == pytest.approx(0.1, abs=0.01)
    assert db.p95_ms == 30
    assert db.rps == pytest.approx(10, rel=0.05)


def test_gaps_of_the_caller_count_for_nothing() -> None:
    signals = signals_of({"web": 10}, {("web", "cart"): 2})
    signals.values[signals.keys.index(SignalKey("requests_rps", "web")), :30] = np.nan
    (seen,) = seen_calls(signals)
    assert seen.per_request == pytest.approx(2, abs=4 * seen.per_request_error)
    assert seen.requests == pytest.approx(18_000, rel=0.05)


@exactly
@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.5, 3.0]), st.sampled_from([1, 8]))
def test_the_error_of_a_ratio_is_what_it_strays_by(seed: int, ratio: float, clump: int) -> None:
    """Also where calls come in clumps; four standard errors are hardly ever exceeded."""
    chance = np.random.default_rng(seed)
    requests = chance.poisson(300, 200).astype(float)
    calls = clump * chance.poisson(ratio * requests / clump).astype(float)
    found, error = ratio_of(calls, requests)
    assert abs(found - ratio) < 4.5 * error
    assert error < 0.1 * np.sqrt(clump * ratio)


def test_nothing_served_has_no_ratio() -> None:
    assert np.isnan(ratio_of(np.zeros(3), np.zeros(3))).all()


def test_dependencies_can_be_pasted_into_a_world() -> None:
    seen = seen_calls(signals_of(SERVED, EDGES))
    stated = [Dependency("web", "cart", 1, request_kib=2, response_kib=8)]
    made = dependencies_seen(seen, stated, ["web", "cart", "stock"])
    read = yaml.safe_load(dependencies_yaml(made, circle_in(made)))["dependencies"]
    assert [(one["caller"], one["callee"]) for one in read] == [("cart", "stock"), ("web", "cart")]
    assert read[1] == {"caller": "web", "callee": "cart", "request_kib": 2, "response_kib": 8,
                       "calls_per_request": pytest.approx(2, rel=0.05)}  # fmt: skip


def test_circles_are_told() -> None:
    made = [Dependency("a", "b", 1), Dependency("b", "a", 1)]
    text = dependencies_yaml(made, circle_in(made))
    assert text.startswith("# A world knows no circles; break this one: ")
    assert len(yaml.safe_load(text)["dependencies"]) == 2
    assert circle_in(made[:1]) == ""


@exactly
@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_hostile_names_neither_break_yaml_nor_terminals(caller: str, callee: str) -> None:
    made = [Dependency(caller, callee, 1), Dependency(callee, caller, 1)]
    try:
        (caller + callee).encode()
    except UnicodeEncodeError:
        return  # no name is like that: see providers/otlp/names
    text = dependencies_yaml(made, circle_in(made))
    read = yaml.safe_load(text)["dependencies"]
    assert [one["caller"] for one in read] == [caller, callee]


@pytest.mark.parametrize("width", [60, 80, 160])
@pytest.mark.parametrize("with_world", [False, True])
def test_a_row_is_a_line_of_whole_names(width: int, with_world: bool) -> None:
    long = "checkout-of-orders-eu", "db.internal"
    signals = signals_of({"web": 10, long[0]: 20, long[1]: 1}, {("web", long[0]): 2, long: 3})
    found = compared(seen_calls(signals), [], [], requests_served(signals))
    lines = calls_text(found, with_world, width, False).splitlines()
    assert max(map(len, lines)) <= width
    (row,) = [line for line in lines if long[1] in line]
    assert row.split()[:2] == list(long)
    assert sum(long[0] in line for line in lines) == 2
    heads = next(line for line in lines if "Caller" in line)
    figures = ("rps", "errors", "p95, ms", "per request", *(["stated"] if with_world else []))
    left = " ".join(lines).partition("Not shown here: ")[2]
    assert all((name in heads) is not (name in left) for name in figures)
    assert (width < 160) or not left


def test_figures_keep_their_digits() -> None:
    shown = [figure(value) for value in (0.003, 0.0, 12.345, 999.4, 999.6, 12_345.6)]
    assert shown == ["0.003", "0", "12.3", "999", "1,000", "12,346"]


def test_names_that_are_too_long_are_cut_at_the_end_of_the_line() -> None:
    signals = signals_of({"web": 10, "x" * 200: 20}, {("web", "x" * 200): 2})
    found = compared(seen_calls(signals), [], [], requests_served(signals))
    lines = calls_text(found, False, 60, False).splitlines()
    assert max(map(len, lines)) <= 60
    assert sum("xxx" in line for line in lines) == 1


def test_the_table_shows_what_is_off_without_escapes() -> None:
    signals = signals_of({"we\x1b[31mb": 10}, {("we\x1b[31mb", "cart"): 2})
    found = compared(seen_calls(signals), [], ["cart"], requests_served(signals))
    text = calls_text(found, True, 120, False)
    assert "web" in text
    assert "\x1b" not in text
    (entry,) = calls_document(found)["calls"]
    assert (entry["verdict"], entry["stated"]) == ("not of the world", None)
