"""Whatever becomes of a good world file, reading it gives a world or says what is faulty."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from corner_shop import DEMAND, WORLD
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import FaultyInput
from models.world import Catalogue, World
from scenarios.build import build_world
from scenarios.documents import read_world
from scenarios.whatif import apply, read_scenario

WHAT_IF = """\
trimtab: 1
scenario: storm
changes:
  - scale_demand: {by: 3, services: [web], origins: [europe], hours: [18, 22]}
  - scale_prices: {by: 1.15, where: {clouds: [aws]}, purchases: [on_demand]}
  - lose: {regions: [aws/us-east-1]}
  - forbid: {services: all, where: {clouds: [azure]}, why: politics}
  - withdraw: {purchases: [spot]}
  - scale_budget: {by: 0.8, rules: [total]}
  - add_rules: [{kind: residency, services: [web], within: [BE]}]
  - drop_rules: [total]
"""
SPLINTERS = st.one_of(
    st.sampled_from(
        ["", " ", "\n", "\t", "\n  ", "- ", ": ", "{", "}", "[", "]", "'", '"', "&a ", "*a", "!x ",
         "<<: *a", "null", "true", "no", "-1", "0", ".nan", ".inf", "1e999", "9" * 400, "4GB",
         "web", "stock", "europe", "aws/us-east-1", "kind", "name: web", "{table: demand.csv}",
         "../x.csv", "\u202e", "\x85", "é", "#"]
    ),
    st.text(max_size=8),
)  # fmt: skip
MANY = settings(
    max_examples=int(os.environ.get("MUTATIONS", "100")),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    """``text`` with a few pieces cut out and others put in, at words and lines."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 1, 2, 5, 12, 40])))
        text = text[:start] + draw(SPLINTERS) + text[end:]
    return text


def _check(refused: FaultyInput) -> None:
    assert refused.faults
    assert all(fault.message and fault.at.file for fault in refused.faults)


def _world_of(text: str, demand: str, catalogue: Catalogue) -> World | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "world.yaml"
        path.write_text(text, "utf-8", "replace", newline="")
        (path.parent / "demand.csv").write_text(demand, "utf-8", "replace", newline="")
        try:
            return build_world(read_world(path), catalogue)
        except FaultyInput as refused:
            _check(refused)
            return None


@MANY
@given(text=mutated(WORLD))
def test_worlds(text: str, catalogue: Catalogue) -> None:
    world = _world_of(text, DEMAND, catalogue)
    assert world is None or world.services


@MANY
@given(demand=mutated(DEMAND))
def test_histories(demand: str, catalogue: Catalogue) -> None:
    world = _world_of(WORLD, demand, catalogue)
    assert world is None or (world.history.frame["rps"] >= 0).all()


@MANY
@given(text=mutated(WHAT_IF))
def test_what_ifs(text: str, catalogue: Catalogue) -> None:
    world = _world_of(WORLD, DEMAND, catalogue)
    assert world is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "what-if.yaml"
        path.write_text(text, "utf-8", "replace", newline="")
        try:
            assert apply(read_scenario(path), world, catalogue).regions
        except FaultyInput as refused:
            _check(refused)
