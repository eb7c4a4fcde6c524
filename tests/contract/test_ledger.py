"""Receipts by token: once done is done, also when thousands of others come after."""

from __future__ import annotations

import threading

import pytest

from models.actions import Effect, Receipt, Resize, Start, Target
from models.cloud_errors import Asked, Conflicting, Unavailable
from providers import ledger
from providers.ledger import Ledger

ASKED = Asked("aws", "Resize")
ACTION = Resize(Target("1", "aws/us-east-1", "web"), 3)


def _done(rehearsing: bool) -> Receipt:
    return Receipt(Effect.WOULD if rehearsing else Effect.DONE)


def test_what_failed_may_be_tried_again_and_what_is_done_is_not() -> None:
    book, tries = Ledger(), list[int]()

    def flaky(rehearsing: bool) -> Receipt:
        tries.append(1)
        if len(tries) == 1:
            raise Unavailable(ASKED, "Down", "down")
        return _done(rehearsing)

    with pytest.raises(Unavailable):
        book.act(ASKED, ACTION, "t", flaky, rehearse=False)
    for _ in range(3):
        assert book.act(ASKED, ACTION, "t", flaky, rehearse=False).effect is Effect.DONE
    assert len(tries) == 2
    assert book.act(ASKED, ACTION, "t", _done, rehearse=True).effect is Effect.WOULD
    with pytest.raises(Conflicting):
        book.act(ASKED, Start(ACTION.group), "t", _done, rehearse=True)


def test_an_action_under_way_is_never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_REMEMBERED", 2)
    book, under_way, go_on, done = Ledger(), threading.Event(), threading.Event(), list[str]()

    def slow(rehearsing: bool) -> Receipt:
        done.append("slow")
        under_way.set()
        assert go_on.wait(10.0)
        return _done(rehearsing)

    def act(token: str) -> None:
        book.act(ASKED, ACTION, token, slow, rehearse=False)

    first = threading.Thread(target=act, args=("slow",))
    first.start()
    assert under_way.wait(10.0)
    for i in range(5):
        book.act(ASKED, ACTION, f"other {i}", _done, rehearse=False)
    again = threading.Thread(target=act, args=("slow",))
    again.start()
    go_on.set()
    first.join(10.0)
    again.join(10.0)
    assert done == ["slow"]
