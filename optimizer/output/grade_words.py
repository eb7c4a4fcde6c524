"""What a grade says, in sentences that terminal and page share."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from optimizer.grade import Grade, Standing
from optimizer.output.money import usd_per_month
from optimizer.output.terminal import plural, usd

_TENTH_OF_A_PERCENT = Decimal("0.001")


def verdict_words(grade: Grade) -> str:
    """The one sentence that a reader takes away. What is proven never grows by rounding."""
    match grade.standing:
        case Standing.WASTEFUL:
            least = points(grade.at_least or Decimal(0), ROUND_FLOOR)
            most = "" if grade.at_most is None else f", at most {points(grade.at_most)}"
            return f"At least {least} of each dollar is wasted, proven{most}."
        case Standing.NOTHING_PROVEN:
            if grade.at_most is None:
                return "Nothing is proven to be wasted."
            return f"Nothing is proven to be wasted, and at most {points(grade.at_most)} can be."
        case Standing.NOT_COMPARABLE:
            return "No grade: today's fleet is cheaper than a lawful one, and does not compare."


def basis_words(grade: Grade) -> str:
    """What the sentence rests on."""
    today, plan = (month(grade, usd) for usd in (grade.whole.today_usd, grade.whole.plan_usd))
    bound = ""
    if grade.bound_usd is not None:
        floor = month(grade, grade.bound_usd, ROUND_FLOOR)
        bound = f" No fleet that keeps every rule costs less than {floor}."
    return (
        f"Today costs {today} USD/month. A plan that keeps every rule does the same work "
        f"for {plan}.{bound}"
    )


def caveats(grade: Grade) -> tuple[str, ...]:
    """What a reader must know not to read too much into the figures."""
    today = grade.plan.today
    found = []
    if today.broken and grade.standing is Standing.WASTEFUL:
        found.append(
            f"Today's fleet breaks {plural(len(today.broken), 'rule')}. The plan keeps all of them "
            "and still costs less; a fleet that broke them too could cost less than the bound."
        )
    elif today.broken:
        found.append(
            f"Today's fleet breaks {plural(len(today.broken), 'rule')}: part of what it does not "
            "cost is what keeping them costs."
        )
    if grade.short:
        found.append(
            f"{plural(len(grade.short), 'service')} cannot carry the planned peak today; the plan "
            "can, and its cost includes that."
        )
    if today.unpriced:
        found.append(
            f"{plural(len(today.unpriced), 'group')} without a known price: today costs more than "
            "is shown, and more of it is wasted."
        )
    if grade.bound_usd is None:
        found.append("No bound is proven: how much more could be wasted is not known.")
    return tuple(found)


def month(grade: Grade, amount: Decimal, rounding: str = "") -> str:
    """A month's worth of an amount over the horizon."""
    monthly = usd_per_month(amount, grade.plan.placement.hours)
    if rounding and abs(monthly) >= 1000:
        monthly = monthly.quantize(Decimal(1), rounding)
    sign = "−" if monthly < 0 else ""
    return sign + usd(abs(monthly))


def points(share: Decimal, rounding: str = ROUND_CEILING) -> str:
    """``65.8 %``, to a tenth, in the direction that claims less."""
    return f"{share.quantize(_TENTH_OF_A_PERCENT, rounding) * 100:.1f} %"
