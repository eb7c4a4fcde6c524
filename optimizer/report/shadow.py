"""What counts in the decision beside the bill: carbon and the like, apart from what is paid."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from models.placement import SHADOW_UNITS, Bill, ShadowTerm
from models.plan import Plan
from models.world import World
from optimizer.output.summary import cvar_usd
from optimizer.report.wording import NBSP, SHADOW_WORDS, exact, per_month, percent, usd

MOST_PLACES = 12


@dataclass(frozen=True, slots=True)
class ShadowRow:
    """One kind of shadow cost, a month: quantities in ``unit``, amounts in USD."""

    label: str
    unit: str
    price: str
    today: str
    plan: str
    today_usd: str
    plan_usd: str


@dataclass(frozen=True, slots=True)
class EmissionRow:
    """What one place emits a month, and how dirty its grid is."""

    place: str
    grid: str
    kg: str


@dataclass(frozen=True, slots=True)
class ScenarioRow:
    """One demand scenario, a month: what is paid, what goes unmet, what counts in all, USD.

    ``width`` is percent of the dearest.
    """

    label: str
    probability: str
    paid: str
    unmet: str
    counted: str
    width: float


@dataclass(frozen=True, slots=True)
class Shadow:
    """``rows`` is empty when nothing counts beside the bill, ``scenarios`` when demand is certain.

    ``tail`` says in words what the dearest scenarios come to, if that weighs in the decision.
    """

    rows: tuple[ShadowRow, ...]
    scenarios: tuple[ScenarioRow, ...]
    tail: str
    emissions: tuple[EmissionRow, ...]
    emissions_left_out: int


def shadow(plan: Plan) -> Shadow:
    """Shadow costs of today's fleet and of the plan, and where the plan emits."""
    today, bill = plan.today.bill, plan.placement.bill
    rows = tuple(
        _row(term, today, bill, plan)
        for term in ShadowTerm
        if any(line.term is term for line in (*today.shadow, *bill.shadow))
    )
    emissions = _emissions(plan)
    return Shadow(
        rows,
        _scenarios(plan),
        _tail(plan),
        emissions[:MOST_PLACES],
        max(0, len(emissions) - MOST_PLACES),
    )


def _scenarios(plan: Plan) -> tuple[ScenarioRow, ...]:
    hours = plan.placement.hours
    dearest = max((one.counted_usd for one in plan.placement.scenarios), default=Decimal(0))
    return tuple(
        ScenarioRow(
            label=f"{one.quantile:g} quantile",
            probability=percent(exact(one.probability)),
            paid=usd(per_month(one.bill.total_usd, hours)),
            unmet=_whole(per_month(one.bill.shadow_of(ShadowTerm.UNMET_DEMAND)[0], hours)),
            counted=usd(per_month(one.counted_usd, hours)),
            width=round(float(one.counted_usd / dearest * 100), 2) if dearest else 0.0,
        )
        for one in plan.placement.scenarios
    )


def _tail(plan: Plan) -> str:
    risk, tail = plan.world.policy.cvar, cvar_usd(plan)
    if risk is None or tail is None:
        return ""
    month = usd(per_month(exact(tail), plan.placement.hours))
    return (
        f"The dearest {percent(1 - exact(risk.level))} of what may come counts {month} USD a month "
        f"on average (conditional value at risk). It is {percent(exact(risk.weight))} of the "
        "decision; the expected bill is the rest."
    )


def shadow_words(plan: Plan) -> tuple[str, ...]:
    """What counts beside the plan's bill, a sentence for each kind."""
    rows = shadow(plan).rows
    return tuple(
        f"Beside the bill: {row.label.lower()}, {row.plan} {row.unit} a month at {row.price}, "
        f"counted as {row.plan_usd} USD."
        for row in rows
    )


def _row(term: ShadowTerm, today: Bill, bill: Bill, plan: Plan) -> ShadowRow:
    before, before_usd = today.shadow_of(term)
    after, after_usd = bill.shadow_of(term)
    runs = bool(plan.world.fleet.groups) and any(line.term is term for line in today.shadow)
    return ShadowRow(
        label=SHADOW_WORDS[term],
        unit=SHADOW_UNITS[term],
        price=_price(term, plan.world),
        today=_whole(per_month(before, today.hours)) if runs else "–",
        plan=_whole(per_month(after, bill.hours)),
        today_usd=usd(per_month(before_usd, today.hours)) if runs else "–",
        plan_usd=usd(per_month(after_usd, bill.hours)),
    )


def _price(term: ShadowTerm, world: World) -> str:
    match term:
        case ShadowTerm.CARBON:
            return f"{world.policy.carbon_usd_per_tonne:g}{NBSP}USD per tonne"
        case ShadowTerm.UNMET_DEMAND:
            own = [s.unmet_usd_per_million_requests for s in world.services]
            usual = world.policy.unmet_usd_per_million_requests
            prices = sorted({usual if price is None else price for price in own})
            span = "–".join(dict.fromkeys(f"{p:g}" for p in (prices[0], prices[-1])))
            return f"{span}{NBSP}USD per million"
        case ShadowTerm.MINIMUM_SAVING:
            return "the policy's minimum savings"


def _emissions(plan: Plan) -> tuple[EmissionRow, ...]:
    bill = plan.placement.bill
    by_place: dict[str, Decimal] = {}
    for line in bill.shadow:
        if line.term is ShadowTerm.CARBON:
            by_place[line.place] = by_place.get(line.place, Decimal(0)) + line.quantity
    grids = {region.place: region.gco2e_per_kwh for region in plan.world.regions}
    return tuple(
        EmissionRow(place, f"{grids[place]:,.0f}", _whole(per_month(kg, bill.hours)))
        for place, kg in sorted(by_place.items(), key=lambda item: (-item[1], item[0]))
    )


def _whole(quantity: Decimal) -> str:
    """Three digits below 100, whole above."""
    return f"{quantity:,.0f}" if quantity >= 100 else f"{float(quantity):.3g}"
