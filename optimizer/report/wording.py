"""How numbers, times and names are written in reports."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from models.offerings import Purchase
from models.placement import COMMITMENT_PURCHASE, ShadowTerm, Term
from models.places import CLOUD_NAMES
from models.world import HOURS_PER_MONTH

NBSP = "\u00a0"  # between a number and its unit
MINUS = "\u2212"
CENT = Decimal("0.01")
DOLLAR = Decimal(1)

CLOUD_WORDS = {cloud.value: name for cloud, name in CLOUD_NAMES.items()}
PURCHASE_WORDS = {
    Purchase.ON_DEMAND.value: "On demand",
    Purchase.SPOT.value: "Spot",
    Purchase.RESERVED_1Y.value: "Reserved, 1 year",
    Purchase.RESERVED_3Y.value: "Reserved, 3 years",
    COMMITMENT_PURCHASE: "Commitments, less what they cover",
    "": "Data transfer",
    "one_off": "Moves",
}
TERM_WORDS = {
    Term.COMPUTE.value: "Compute",
    Term.COMMITMENTS.value: "Commitments",
    Term.COVERED.value: "Covered by commitments",
    Term.EGRESS_INTER_REGION.value: "Transfer between regions",
    Term.EGRESS_INTERNET.value: "Transfer to the internet",
    Term.MOVES.value: "Moves",
}

SHADOW_WORDS = {
    ShadowTerm.CARBON: "Carbon",
    ShadowTerm.UNMET_DEMAND: "Unmet demand",
    ShadowTerm.MINIMUM_SAVING: "Minimum savings of services that change",
}


def per_month(amount_usd: Decimal, hours: int) -> Decimal:
    """What ``amount_usd`` over ``hours`` comes to in a month of 730 hours."""
    return amount_usd * Decimal(str(HOURS_PER_MONTH)) / hours


def exact(amount: float) -> Decimal:
    """The decimal that a float is written as: 0.1 is 0.1."""
    return Decimal(repr(float(amount)))


def usd(amount: Decimal, unit: Decimal = CENT, rounding: str = ROUND_HALF_EVEN) -> str:
    """``12,345.67``; the sign of a negative amount is a true minus."""
    rounded = amount.quantize(unit, rounding)
    sign = MINUS if rounded < 0 else ""
    return f"{sign}{abs(rounded):,}"


def price_usd(price: Decimal) -> str:
    """Every digit of a price, and at least four decimals so that columns line up."""
    return f"{price.quantize(Decimal('0.0001')) if price == round(price, 4) else price:f}"


def headline_unit(largest: Decimal) -> Decimal:
    """What amounts up to ``largest`` are rounded to in prose: dollars from 1,000 on, or cents."""
    return DOLLAR if abs(largest) >= 1000 else CENT


def at_least_usd(amount: Decimal) -> str:
    """Rounded down: what is proven never grows by rounding."""
    return usd(amount, headline_unit(amount), ROUND_FLOOR)


def change_usd(amount: Decimal) -> str:
    """As ``usd``, with a plus sign on what is above zero."""
    return f"+{usd(amount)}" if amount.quantize(CENT) > 0 else usd(amount)


def percent(ratio: Decimal, digits: int = 1) -> str:
    """``34.9 %``."""
    rounded = (ratio * 100).quantize(Decimal(1).scaleb(-digits))
    return f"{MINUS if rounded < 0 else ''}{abs(rounded):,}{NBSP}%"


def change_percent(part: Decimal, whole: Decimal) -> str:
    """Signed share of ``whole``; empty when there is nothing to compare with."""
    if whole <= 0:
        return ""
    ratio = part / whole
    return f"+{percent(ratio)}" if ratio * 1000 >= 1 else percent(ratio)


def at_most_percent(ratio: float) -> str:
    """Rounded up in the second digit: a proven gap never shrinks by rounding."""
    return f"{(exact(ratio) * 100).quantize(CENT, ROUND_CEILING)}{NBSP}%"


def number(value: float) -> str:
    """Three significant digits below 100, whole above, with thousands separators."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value == 0 or abs(value) >= 0.01 else f"{value:.1e}"


def plural(count: int, noun: str) -> str:
    """``1 service``, ``1,200 services``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(names: list[str], limit: int = 4, number: int | None = None) -> str:
    """The first names, and how many more there are: of ``number``, where not all are given."""
    more = (len(names) if number is None else number) - limit
    if more <= 0:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} and {more:,} more"


def lasting(span: timedelta) -> str:
    """Whole hours as such, else minutes."""
    minutes = round(span / timedelta(minutes=1))
    return plural(minutes // 60, "hour") if minutes % 60 == 0 else plural(minutes, "minute")


def hour(moment: datetime) -> str:
    """``2026-03-02 14:00 UTC``."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def visible(text: str) -> str:
    """``text`` with every character that is unseen or reorders its neighbours spelled out.

    Control, format, surrogate and unassigned characters (Unicode categories Cc, Cf, Cs, Cn) become
    ``⟨U+202E⟩``, so that a name can neither break XML nor pass for another. Line breaks and tabs
    become spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(character) for character in text)


def _spelled(character: str) -> str:
    if character in "\t\n\r":
        return " "
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Cn"}:
        return f"⟨U+{ord(character):04X}⟩"
    return character
