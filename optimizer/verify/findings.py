"""What a second look at a plan finds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from models.errors import NOWHERE, Location
from models.placement import Bill
from models.world import World


class Given(StrEnum):
    """What every plan must keep, whether or not a person wrote a rule about it."""

    OFFERINGS = "offerings"
    ROUTES = "routes"
    CAPACITY = "capacity"
    USEFULNESS = "usefulness"
    STEADINESS = "steadiness"
    COMMITMENTS = "commitments"


GIVEN_IN_WORDS = {
    Given.OFFERINGS: "instances are sold there, at the price of the book, and hold the service",
    Given.ROUTES: "all traffic goes to places of the world, and adds up",
    Given.CAPACITY: "capacity carries the traffic of every place and hour",
    Given.USEFULNESS: "instances stand only where somebody may be served",
    Given.STEADINESS: "sizes and routes change only when policy lets them",
    Given.COMMITMENTS: "what is bought for years is on offer",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a plan breaks a rule, or what every plan must keep.

    ``rule`` is the rule's name, or a ``Given``. ``hours`` are the hours of the plan in which it
    does (empty: it does not depend on the hour); ``by`` is how much is too much or missing in the
    worst of them, in ``unit``.
    """

    rule: str
    in_words: str
    at: Location
    what: str
    service: str = ""
    place: str = ""
    hours: tuple[int, ...] = ()
    by: float = 0.0
    unit: str = ""


def given(
    kind: Given,
    what: str,
    *,
    service: str = "",
    place: str = "",
    hours: tuple[int, ...] = (),
    by: float = 0.0,
    unit: str = "",
) -> Violation:
    """A violation of what nobody needs to write down."""
    words = GIVEN_IN_WORDS[kind]
    return Violation(kind.value, words, NOWHERE, what, service, place, hours, by, unit)


class Subject(StrEnum):
    """What a statement of the file is about."""

    WORLD = "world"
    DEMAND = "demand"
    BILL = "bill"
    PROOF = "proof"
    FACTS = "facts"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the file states and that is not so. ``pointer`` is a JSON pointer (RFC 6901)
    into the file; ``stated`` and ``found`` are in words, with units."""

    subject: Subject
    pointer: str
    what: str
    stated: str
    found: str


@dataclass(frozen=True, slots=True)
class NotChecked:
    """Something that a plan or a world holds and that this version cannot judge."""

    what: str
    why: str


class BoundState(StrEnum):
    """What became of the claim that nothing cheaper exists."""

    NOT_CLAIMED = "not claimed"
    SKIPPED = "skipped"
    CONFIRMED = "confirmed"
    NOT_CONFIRMED = "not confirmed"
    REFUTED = "refuted"


@dataclass(frozen=True, slots=True)
class BoundCheck:
    """``derived_usd`` is what was proven anew, over the horizon; None when nothing was."""

    state: BoundState
    words: str
    claimed_usd: float | None = None
    derived_usd: float | None = None
    how: str = ""
    seconds: float = 0.0


class Verdict(StrEnum):
    """What holds in all, or everything that does not."""

    VERIFIED = "verified"
    WORLD_DIFFERS = "world differs"
    DEMAND_DIFFERS = "demand differs"
    RULES_BROKEN = "rules broken"
    BILL_DIFFERS = "bill differs"
    PROOF_DIFFERS = "proof differs"
    FACTS_DIFFER = "facts differ"
    BOUND_NOT_CONFIRMED = "bound not confirmed"
    NOT_CHECKED = "not checked"


_OF_SUBJECT = {
    Subject.WORLD: Verdict.WORLD_DIFFERS,
    Subject.DEMAND: Verdict.DEMAND_DIFFERS,
    Subject.BILL: Verdict.BILL_DIFFERS,
    Subject.PROOF: Verdict.PROOF_DIFFERS,
    Subject.FACTS: Verdict.FACTS_DIFFER,
}


@dataclass(frozen=True, eq=False)
class Verification:
    """Everything that was found. ``bill`` is computed from counts, prices and routes;
    ``claimed_usd`` is what the file says that it comes to, None when it says nothing."""

    world: World
    file: str
    violations: tuple[Violation, ...]
    differences: tuple[Difference, ...]
    not_checked: tuple[NotChecked, ...]
    bill: Bill
    claimed_usd: Decimal | None
    bound: BoundCheck
    world_is_named: bool
    """Whether the file carries digests of its world, so that a difference would be seen."""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """``VERIFIED`` alone, or every reason why it is not."""
        found = {_OF_SUBJECT[difference.subject] for difference in self.differences}
        if self.violations:
            found.add(Verdict.RULES_BROKEN)
        if self.bound.state in {BoundState.NOT_CONFIRMED, BoundState.REFUTED}:
            found.add(Verdict.BOUND_NOT_CONFIRMED)
        if self.not_checked:
            found.add(Verdict.NOT_CHECKED)
        return tuple(verdict for verdict in Verdict if verdict in found) or (Verdict.VERIFIED,)

    @property
    def holds(self) -> bool:
        return self.verdicts == (Verdict.VERIFIED,)
