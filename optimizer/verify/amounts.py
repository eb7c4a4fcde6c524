"""Every amount that a plan states, held against what counts, prices and routes come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from models.placement import Bill, ShadowTerm, Term
from models.world import HOURS_PER_MONTH
from optimizer.verify.case import TOLERANCE
from optimizer.verify.entries import BillEntry, PlanEntry
from optimizer.verify.findings import Difference, NotChecked, Subject
from optimizer.verify.reading import pointer
from optimizer.verify.reckoning import Reckoned, Reckoning, rounding_of

CENT = Decimal("0.01")


def unknown_terms(plan: PlanEntry) -> tuple[NotChecked, ...]:
    """Parts of the bill that are not known here, and so cannot be computed."""
    known = {term.value for term in (*Term, *ShadowTerm)}
    names: list[str] = []
    for bill in (plan.bill, *(scenario.bill for scenario in plan.scenarios)):
        if bill is not None:
            names += bill.by_term_usd or ()
            names += [line.term for line in (*(bill.lines or ()), *(bill.shadow or ()))]
    why = "this version does not know how this part of a bill comes about"
    unknown = dict.fromkeys(name for name in names if name not in known)
    return tuple(NotChecked(f"bill: {name}", why) for name in unknown)


def bill_differences(plan: PlanEntry, found: Reckoning, today: Bill) -> Iterator[Difference]:
    """Every stated amount, against the bill that counts, prices and routes make.

    Compute must agree to the last digit. Data transfer is rounded line by line, and its routes are
    stated to nine digits. Where a budget may make a dearer pairing of calls with places the better
    one, any amount between the cheapest and the dearest is right.
    """
    if plan.bill is not None:
        yield from _one_bill(plan.bill, found.expected, "/bill", plan.hours)
    yield from _scenarios(plan, found)
    yield from _before_and_after(plan, found.expected.bill, today)
    yield from _services(plan)


def _one_bill(entry: BillEntry, found: Reckoned, where: str, hours: int) -> Iterator[Difference]:
    yield from _in_all(entry, found, where)
    yield from _compute(entry, found.bill, where)
    yield from _adds_up(entry, where, hours)
    yield from _shadow(entry, found.bill, where)


def _scenarios(plan: PlanEntry, found: Reckoning) -> Iterator[Difference]:
    """The bill of each demand scenario, in the order of the policy."""
    if plan.scenarios and len(plan.scenarios) != len(found.scenarios):
        yield Difference(
            Subject.WORLD, "/scenarios", "demand scenarios", f"{len(plan.scenarios)}",
            f"{len(found.scenarios)}",
        )  # fmt: skip
        return
    for i, (entry, (scenario, own)) in enumerate(
        zip(plan.scenarios, found.scenarios, strict=False)
    ):
        stated = (entry.quantile, entry.probability)
        if stated != (scenario.quantile, scenario.probability):
            yield Difference(
                Subject.WORLD, f"/scenarios/{i}", "a demand scenario", f"{stated}",
                f"{(scenario.quantile, scenario.probability)}",
            )  # fmt: skip
        yield from _one_bill(entry.bill, own, f"/scenarios/{i}/bill", plan.hours)
        counted = Decimal(entry.bill.total_usd) + Decimal(entry.bill.shadow_usd or "0")
        what = f"what counts in scenario {entry.scenario}"
        yield from _amount(f"/scenarios/{i}/counted_usd", what, entry.counted_usd, counted, CENT)
    if plan.cvar_usd is not None and found.cvar_usd is not None:
        slack = found.rounding_usd + CENT
        what = "the mean of the dearest scenarios"
        yield from _amount("/cvar_usd", what, plan.cvar_usd, found.cvar_usd, slack)


def _before_and_after(plan: PlanEntry, bill: Bill, today: Bill) -> Iterator[Difference]:
    total = Decimal(plan.bill.total_usd) if plan.bill is not None else bill.total_usd
    month, now = _monthly(total, plan.hours), _monthly(today.total_usd, plan.hours)
    near = max(Decimal(1), rounding_of(bill) * 2 * Decimal(HOURS_PER_MONTH) / plan.hours)
    slack = near if plan.bill is None else CENT
    cost = plan.cost
    yield from _amount("/cost/usd_per_month", "cost per month", cost.usd_per_month, month, slack)
    stated_today = plan.today.bill.total_usd if plan.today.bill is not None else None
    exact_today = Decimal("0.001") + today.total_usd * Decimal("1e-6")
    yield from _amount(
        "/today/bill/total_usd", "what today's fleet costs", stated_today, today.total_usd,
        exact_today,
    )  # fmt: skip
    yield from _amount(
        "/cost/today_usd_per_month", "what today's fleet costs per month",
        cost.today_usd_per_month, now, CENT + now * Decimal("1e-6"),
    )  # fmt: skip
    if cost.today_usd_per_month is not None:
        yield from _amount(
            "/cost/saving_usd_per_month", "the saving per month", cost.saving_usd_per_month,
            now - month, slack + CENT + now * Decimal("1e-6"),
        )  # fmt: skip
    if cost.saved_share is not None and now:
        share = float((now - month) / now)
        if abs(cost.saved_share - share) > 1e-4:
            yield Difference(
                Subject.BILL, "/cost/saved_share", "the saved share", f"{cost.saved_share:.4%}",
                f"{share:.4%}",
            )  # fmt: skip


def _in_all(entry: BillEntry, found: Reckoned, where: str) -> Iterator[Difference]:
    """The stated total, without parts that nobody knows here."""
    known = {term.value for term in Term}
    parts = [*(entry.by_term_usd or {}).items()]
    if entry.lines is not None:
        parts = [(line.term, line.usd) for line in entry.lines]
    foreign = sum((Decimal(usd) for term, usd in parts if term not in known), Decimal(0))
    stated = Decimal(entry.total_usd) - foreign
    least, slack = found.bill.total_usd, found.rounding_usd
    if not least - slack <= stated <= least + found.dearer_usd + slack:
        yield _money(f"{where}/total_usd", "the bill in all", stated, least)


def _compute(entry: BillEntry, bill: Bill, where: str) -> Iterator[Difference]:
    """Compute, and what commitments cost, line by line; compute in all where none are stated."""
    if entry.lines is not None:
        found = {
            (line.place, line.service, line.purchase, line.commitment): line.usd
            for line in bill.lines
            if line.term in (Term.COMPUTE, Term.COMMITMENTS)
        }
        for i, line in enumerate(entry.lines):
            if line.term in (Term.COMPUTE, Term.COMMITMENTS):
                key = (line.place, line.service, line.purchase, line.commitment)
                usd = found.pop(key, Decimal(0))
                if Decimal(line.usd) != usd:
                    what = _paid_for(*key)
                    yield _money(f"{where}/lines/{i}/usd", what, Decimal(line.usd), usd)
        for key, usd in found.items():
            yield _money(f"{where}/lines", _paid_for(*key), Decimal(0), usd)
    elif entry.by_term_usd is not None and Term.COMPUTE.value in entry.by_term_usd:
        compute = Decimal(entry.by_term_usd[Term.COMPUTE.value])
        found_usd = sum((x.usd for x in bill.lines if x.term is Term.COMPUTE), Decimal(0))
        if compute != found_usd:
            yield _money(f"{where}/by_term_usd/compute", "compute in all", compute, found_usd)


def _paid_for(place: str, service: str, purchase: str, commitment: str) -> str:
    if commitment:
        return f"what {commitment} costs"
    return f"compute of {service} in {place}, {purchase}"


def _adds_up(entry: BillEntry, where: str, hours: int) -> Iterator[Difference]:
    """Whether the parts of a stated bill come to its stated sums."""
    total = Decimal(entry.total_usd)
    if entry.lines is not None:
        lines = sum((Decimal(line.usd) for line in entry.lines), Decimal(0))
        if lines != total:
            yield _money(f"{where}/total_usd", "the sum of the lines", total, lines)
        sums: tuple[tuple[str, Mapping[str, str] | None], ...] = (
            ("term", entry.by_term_usd),
            ("cloud", entry.by_cloud_usd),
        )
        for key, stated in sums:
            if stated is not None:
                found: dict[str, Decimal] = {}
                for line in entry.lines:
                    name = getattr(line, key)
                    found[name] = found.get(name, Decimal(0)) + Decimal(line.usd)
                for name in sorted(stated.keys() | found.keys()):
                    said = Decimal(stated.get(name, "0"))
                    usd = found.get(name, Decimal(0))
                    if said != usd:
                        at = where + pointer([f"by_{key}_usd", name])
                        yield _money(at, f"the sum of the lines of {name}", said, usd)
    month = _monthly(total, hours)
    yield from _amount(
        f"{where}/usd_per_month", "the bill per month", entry.usd_per_month, month, CENT
    )


def _services(plan: PlanEntry) -> Iterator[Difference]:
    """What each service costs, against the stated lines."""
    if plan.bill is None or plan.bill.lines is None:
        return
    spent: dict[str, Decimal] = {}
    for line in plan.bill.lines:
        spent[line.service] = spent.get(line.service, Decimal(0)) + Decimal(line.usd)
    for i, entry in enumerate(plan.services):
        month = _monthly(spent.get(entry.service, Decimal(0)), plan.hours)
        where, what = f"/services/{i}/usd_per_month", f"{entry.service} per month"
        yield from _amount(where, what, entry.usd_per_month, month, CENT)


def _shadow(entry: BillEntry, bill: Bill, where: str) -> Iterator[Difference]:
    """What counts beside the bill: its lines, rounded like data transfer, and their sum."""
    slack = Decimal("0.0002") + bill.shadow_usd * Decimal(repr(TOLERANCE))
    total = entry.shadow_usd
    if entry.shadow is not None:
        found = {(x.term.value, x.place, x.service): x for x in bill.shadow}
        for i, line in enumerate(entry.shadow):
            here = found.pop((line.term, line.place, line.service), None)
            what = f"{line.term} of {line.service} in {line.place}"
            usd = here.usd if here is not None else Decimal(0)
            quantity = here.quantity if here is not None else Decimal(0)
            yield from _amount(f"{where}/shadow/{i}/usd", what, line.usd, usd, slack)
            if abs(Decimal(line.quantity) - quantity) > slack + quantity * Decimal("1e-4"):
                yield Difference(
                    Subject.BILL, f"{where}/shadow/{i}/quantity", what,
                    f"{line.quantity} {line.unit}", f"{quantity} {line.unit}",
                )  # fmt: skip
        for (term, place, service), missing in found.items():
            what = f"{term} of {service} in {place}"
            yield from _amount(f"{where}/shadow", what, "0", missing.usd, Decimal(0))
        known = sum((Decimal(line.usd) for line in entry.shadow), Decimal(0))
        yield from _amount(
            f"{where}/shadow_usd", "the sum of shadow lines", total, known, Decimal(0)
        )
    else:
        yield from _amount(
            f"{where}/shadow_usd", "what counts beside the bill", total, bill.shadow_usd,
            slack * (1 + len(bill.shadow)),
        )  # fmt: skip


def _monthly(usd: Decimal, hours: int) -> Decimal:
    return usd * Decimal(HOURS_PER_MONTH) / hours


def _amount(
    where: str, what: str, stated: str | None, found: Decimal, slack: Decimal
) -> Iterator[Difference]:
    if stated is not None and abs(Decimal(stated) - found) > slack:
        yield _money(where, what, Decimal(stated), found)


def _money(where: str, what: str, stated: Decimal, found: Decimal) -> Difference:
    return Difference(Subject.BILL, where, what, f"{_usd(stated)} USD", f"{_usd(found)} USD")


def _usd(amount: Decimal) -> str:
    """To the cent, or to more digits where cents would hide the difference."""
    return f"{amount:,.2f}" if amount == amount.quantize(CENT) else f"{amount:,.6f}"
