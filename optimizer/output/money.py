"""Exact amounts, and how they are written."""

from __future__ import annotations

from decimal import Decimal

from models.world import HOURS_PER_MONTH

_CENT = Decimal("0.01")


def usd_per_month(usd: Decimal, hours: int) -> Decimal:
    """What ``usd`` over ``hours`` comes to in a month of 730 hours, rounded to the cent."""
    return (usd * Decimal(HOURS_PER_MONTH) / hours).quantize(_CENT)


def decimal_text(amount: Decimal) -> str:
    """Every digit of an amount, never in scientific notation: ``0.0000004``, not ``4E-7``."""
    return format(amount, "f")


def price_text(price_usd_per_hour: float) -> str:
    """The shortest decimal that stands for the price, as the bill multiplies it."""
    return decimal_text(Decimal(repr(float(price_usd_per_hour))))


def saved_share(before: Decimal, after: Decimal) -> float | None:
    """(before - after) / before, or None when nothing was paid before."""
    return float((before - after) / before) if before else None
