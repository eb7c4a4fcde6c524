"""What lines of a log have in common: online, and never more templates than there is room for.

After Drain (He, Zhu, Zheng, Lyu: "Drain: An Online Log Parsing Approach with Fixed Depth Tree",
ICWS 2017): lines meet templates of the same service, number of words and first word only; the one
that has most words in common takes the line when that is half of them, and words that differ
become ``<*>``. Here numbers and ids are masked first, so that most lines of a kind are alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2s
from typing import Final

from models.secrets import without_secrets

WILD: Final = "<*>"
OTHER: Final = "(other)"
"""What lines are of that came when there was no room."""
MOST_WORDS: Final = 40
MOST_IN_SERVICE: Final = 200
MOST: Final = 10_000
_ALIKE: Final = 0.5
_MOST_LINES: Final = 20_000
_VARYING: Final = re.compile(
    r"0[xX][0-9a-fA-F]+"
    r"|(?<![0-9A-Za-z])(?=[0-9a-fA-F-]*[0-9])[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*(?![0-9A-Za-z])"
    r"|(?<![A-Za-z0-9_])[0-9][0-9.,:]*[0-9]|(?<![A-Za-z0-9_])[0-9]"
)


@dataclass(slots=True)
class Template:
    """``identity`` stays the same when further words turn out to vary."""

    identity: str
    service: str
    words: list[str]

    @property
    def text(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log without secrets, and the template that it is of."""

    template: Template
    example: str


class Miner:
    """Finds the template of a line.

    Lines that were seen lately are remembered as they came, since errors repeat themselves.
    """

    def __init__(self, known: Iterable[Template] = ()) -> None:
        self._count = 0
        self._of_service: dict[str, int] = {}
        self._leaves: dict[tuple[str, int, str], list[Template]] = {}
        self._lines: dict[tuple[str, str], Line] = {}
        for template in known:
            if self._has_room(template.service):
                self._keep(template)

    def line(self, service: str, text: str) -> Line:
        """The line of a service, which may hold anything; at most 10,000 characters are read."""
        found = self._lines.get((service, text))
        if found is None:
            found = self._read(service, text)
            if len(self._lines) >= _MOST_LINES:
                self._lines.clear()
            if len(text) <= 1_000:
                self._lines[service, text] = found
        return found

    def _read(self, service: str, text: str) -> Line:
        example = without_secrets(text)
        words = _VARYING.sub(WILD, example).split()
        if len(words) > MOST_WORDS:
            words = [*words[:MOST_WORDS], "..."]
        return Line(self._template(service, words), example)

    def _template(self, service: str, words: list[str]) -> Template:
        leaf = self._leaves.get(_leaf(service, words), [])
        best, alike = None, _ALIKE * len(words)
        for template in leaf:
            same = sum(a == b for a, b in zip(template.words, words, strict=True))
            if same >= alike and (best is None or same > alike):
                best, alike = template, same
        if best is not None:
            pairs = zip(best.words, words, strict=True)
            best.words = [a if a == b else WILD for a, b in pairs]
            return best
        if not self._has_room(service):
            return Template(OTHER, service, [OTHER])
        return self._keep(Template(_identity(service, words), service, words))

    def _has_room(self, service: str) -> bool:
        return self._count < MOST and self._of_service.get(service, 0) < MOST_IN_SERVICE

    def _keep(self, template: Template) -> Template:
        self._count += 1
        self._of_service[template.service] = self._of_service.get(template.service, 0) + 1
        self._leaves.setdefault(_leaf(template.service, template.words), []).append(template)
        return template


def _leaf(service: str, words: list[str]) -> tuple[str, int, str]:
    first = words[0] if words else ""
    return service, len(words), WILD if WILD in first else first


def _identity(service: str, words: list[str]) -> str:
    return blake2s(f"{service}\n{' '.join(words)}".encode(), digest_size=8).hexdigest()
