"""Names are bounded and harmless; samplers are believed within reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.labels import cleaned
from providers.otlp.names import FORGET_AFTER_S, LONGEST, OTHER, Names
from providers.otlp.sampling import weight_of


def test_names_beyond_the_limit_are_other_and_counted() -> None:
    names = Names(2)
    numbers = [names.number(name, 0) for name in ("a", "b", "c", "d", "a")]
    assert [names.name(number) for number in numbers] == ["a", "b", OTHER, OTHER, "a"]
    assert names.folded == 2
    assert len(names) == 2


def test_names_not_seen_for_long_make_room() -> None:
    names = Names(2)
    names.number("old", 0)
    kept = names.number("kept", FORGET_AFTER_S)
    new = names.number("new", FORGET_AFTER_S + 1)
    assert (names.name(kept), names.name(new)) == ("kept", "new")
    assert names.folded == 0


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.text(max_size=3), st.floats(0, 60)), max_size=60), st.integers(1, 5))
def test_there_are_never_more_names_than_room(steps: list[tuple[str, float]], most: int) -> None:
    names, now = Names(most), 0.0
    for name, minutes in steps:
        now += 60 * minutes
        number = names.number(name, now)
        assert names.name(number) in (cleaned(name), OTHER)
        assert len(names) <= most


def test_names_lose_what_terminals_and_files_stumble_over() -> None:
    assert cleaned("a\x1b[31m\nb\ud800c\u202e") == "a [31m b c"
    assert len(cleaned("x" * 10_000, LONGEST)) == LONGEST


@pytest.mark.parametrize(
    ("tracestate", "weight"),
    [
        ("", 1),
        ("ot=th:0", 1),
        ("ot=th:8", 2),
        ("ot=th:c;rv:12345678901234", 4),
        ("rojo=00f067aa0ba902b7,ot=rv:12345678901234;th:e", 8),
        ("ot=th:fd70a3d70a3d71", 100),
        ("ot=p:3;r:5", 8),
        ("ot=p:63", 0),
        ("ot=th:ffffffffffffff", 1),
        ("ot=th:xyz", 1),
        ("other=th:8", 1),
    ],
)
def test_a_kept_span_stands_for_as_many_as_its_sampler_says(tracestate: str, weight: float) -> None:
    assert weight_of(tracestate) == pytest.approx(weight, rel=1e-9)
