"""The verifier certifies nothing that it does not know, and says so."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import get_args

import pytest
from planned import looked_at
from small_worlds import Asked

from models.rules import Rule
from models.world import Policy
from optimizer.verify.findings import Verdict
from optimizer.verify.known import KNOWN, UNCHECKED, unknown_features


@pytest.mark.parametrize("noun", KNOWN, ids=lambda noun: noun.__name__)
def test_every_field_is_known_or_named_as_unchecked(noun: type) -> None:
    """Fails where a field is new. Teach optimizer/verify what it means for a plan and add it to
    KNOWN, or say in UNCHECKED what users are told when a world uses it."""
    named = KNOWN[noun] | {field for owner, field in UNCHECKED if owner is noun}
    assert {field.name for field in fields(noun)} == named


def test_every_kind_of_rule_is_known() -> None:
    assert {*get_args(Rule)} <= KNOWN.keys()


def test_what_is_not_known_is_not_certified(
    case: Asked, document: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = {**KNOWN, Policy: KNOWN[Policy] - {"count_hours"}}
    monkeypatch.setattr("optimizer.verify.known.KNOWN", fewer)
    found = looked_at(case, document)
    assert found.verdicts == (Verdict.NOT_CHECKED,)
    assert [one.what for one in found.not_checked] == ["Policy.count_hours"]


def test_a_field_at_its_default_is_not_reported(
    case: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``burstable`` is off: a world that does not use a feature is judged without it."""
    fewer = {**KNOWN, Policy: KNOWN[Policy] - {"burstable"}}
    monkeypatch.setattr("optimizer.verify.known.KNOWN", fewer)
    assert unknown_features(case.world) == ()
    used = replace(case.world, policy=replace(case.world.policy, burstable=True))
    assert [one.what for one in unknown_features(used)] == ["Policy.burstable"]
