"""How long work tells whoever waits for it how far it is.

Stages report to a ``Watch`` and know nothing of terminals. ``SILENT`` is the default everywhere;
the command line passes one that draws progress bars on stderr.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Stage(Protocol):
    """A stretch of work under way."""

    def advance(self, by: float = 1.0) -> None:
        """``by`` more of the stage's total is done."""


class Watch(Protocol):
    """Somebody who waits."""

    def stage(self, name: str, total: float | None = None) -> AbstractContextManager[Stage]:
        """A stretch of work, called ``name`` in words, until the context ends.

        ``total`` is how much there is to do, in any unit that ``advance`` counts in; None when
        that is not known beforehand.
        """

    def note(self, text: str) -> None:
        """Something worth one line while work goes on, such as a new best gap."""

    def warn(self, text: str) -> None:
        """Something that changes what the result means, and that is no fault."""


class Silent:
    """Nobody waits: every report is dropped."""

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[Stage]:
        del name, total
        yield self

    def advance(self, by: float = 1.0) -> None:
        del by

    def note(self, text: str) -> None:
        del text

    def warn(self, text: str) -> None:
        del text


SILENT: Watch = Silent()
