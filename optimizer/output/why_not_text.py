"""Whether a service may run in a place, and if not, why: in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.padding import Padding

from models.world import World
from optimizer.formulate.objections import Exclusion
from optimizer.output.terminal import percent, rendered, words
from optimizer.unit_prices import UnitPrice


def why_not_text(
    world: World,
    question: tuple[str, str],
    reasons: Sequence[Exclusion],
    served: Sequence[str],
    prices: tuple[UnitPrice, UnitPrice] | None,
    width: int,
) -> str:
    """The answer to ``question``, a (service, place) pair, for a terminal of ``width`` columns.

    ``served`` are the origins that may be served from there; ``prices`` are the cheapest replica
    there and in the cheapest place from which the same users may be served.
    """
    return rendered(_answer(world, question, reasons, served, prices), width, colour=False)


def _answer(
    world: World,
    question: tuple[str, str],
    reasons: Sequence[Exclusion],
    served: Sequence[str],
    prices: tuple[UnitPrice, UnitPrice] | None,
) -> Iterator[RenderableType]:
    service, place = question
    if not served:
        yield words(f"{service} may not run in {place}:")
    elif reasons:
        yield words(f"{service} may run in {place} for users of {', '.join(served)}, not for all:")
    else:
        yield words(f"{service} may run in {place}.")
    written = {rule.name: str(rule.at) for rule in world.rules}
    for reason in reasons:
        whose = f"{reason.origin}: " if reason.origin and reason.origin not in reason.reason else ""
        where = written.get(reason.rule, "")
        rule = f" (rule {reason.rule}{', ' if where else ''}{where})" if where else ""
        yield Padding(words(f"{whose}{reason.reason}{rule}"), (0, 0, 0, 2))
    if prices is not None:
        yield words(_priced(*prices))


def _priced(here: UnitPrice, cheapest: UnitPrice) -> str:
    cost = (
        f"A replica costs {here.usd_per_replica_hour:.4g} USD per hour there "
        f"({here.instance_type}, {here.purchase.replace('_', ' ')})"
    )
    if here.usd_per_replica_hour <= cheapest.usd_per_replica_hour:
        return f"{cost}: no place that may serve these users has cheaper ones."
    more = here.usd_per_replica_hour / cheapest.usd_per_replica_hour - 1
    return (
        f"{cost}, {percent(more)} more than in {cheapest.place}, "
        "the cheapest place that may serve these users."
    )
