"""Actions once for each token, within a process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice
from threading import Lock
from typing import Final

from models.actions import Action, Effect, Receipt
from models.cloud_errors import Asked, Conflicting

_REMEMBERED: Final = 10_000
"""Tokens whose receipts are kept in memory."""


@dataclass(eq=False)
class _Turn:
    action: Action
    lock: Lock = field(default_factory=Lock)
    receipt: Receipt | None = None


@dataclass(eq=False)
class Ledger:
    """Receipts by token, for as long as the process lives.

    Beyond that, adapters send tokens along where their cloud takes them, and look before they act.
    """

    _turns: OrderedDict[str, _Turn] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def act(
        self,
        asked: Asked,
        action: Action,
        token: str,
        do: Callable[[bool], Receipt],
        *,
        rehearse: bool,
    ) -> Receipt:
        """``do(False)`` unless that was done under ``token``, by one thread at a time.

        A rehearsal is ``do(True)`` and leaves no trace. An action that failed may be tried again.
        Raises ``Conflicting`` when the token stands for another action.
        """
        with self._lock:
            turn = self._turns.get(token)
            if turn is not None and turn.action != action:
                said = "the token stands for something else"
                raise Conflicting(asked, "TokenReused", said)
            if not rehearse:
                turn = self._turns.setdefault(token, _Turn(action))
                self._forget()
        if turn is None or rehearse:
            return replace(do(True), effect=Effect.WOULD)
        with turn.lock:
            if turn.receipt is None:
                turn.receipt = do(False)
            return turn.receipt

    def _forget(self) -> None:
        """Drop the oldest receipts; never an action that is under way."""
        too_many = len(self._turns) - _REMEMBERED
        done = (token for token, turn in self._turns.items() if turn.receipt is not None)
        for token in list(islice(done, max(too_many, 0))):
            del self._turns[token]
