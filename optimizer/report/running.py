"""What runs where: every service's instances, hour by hour."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from models.placement import Term
from models.plan import Plan
from optimizer.report.charts import runs
from optimizer.report.wording import (
    PURCHASE_WORDS,
    exact,
    per_month,
    plural,
    price_usd,
    usd,
)

SHADES = 6
MOST_SERVICES = 300
KEY = ["service", "cloud", "region", "instance_type", "purchase", "price_usd_per_hour"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A stretch of hours with one count. ``shade`` 0 (none) to ``SHADES`` (the group's most)."""

    first: int
    length: int
    shade: int
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """Equal instances that run one service in one place."""

    place: str
    cloud: str
    instance_type: str
    purchase: str
    spot: bool
    count: str
    replicas: str
    price: str
    month: str
    strip: tuple[Cell, ...]
    strip_words: str


@dataclass(frozen=True, slots=True)
class ServiceBlock:
    """A service, what it costs at list price with its data transfer (empty: none), and what runs
    today."""

    service: str
    team: str
    month: str
    transfer_month: str
    moves_month: str
    today: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """The dearest services; ``left_out`` counts the others, which cost ``left_out_month``."""

    hours: int
    blocks: tuple[ServiceBlock, ...]
    compute_month: str
    transfer_month: str
    commitments_month: str
    moves_month: str
    total_month: str
    left_out: int
    left_out_month: str


def running(plan: Plan) -> Running:
    """Services, dearest first; with commitments and the rest, their exact sum is the bill."""
    bill = plan.placement.bill
    cost = bill.by("service")
    transfer: dict[str, Decimal] = {}
    moves: dict[str, Decimal] = {}
    for item in bill.lines:
        if not item.purchase or item.term is Term.MOVES:
            kind = moves if item.term is Term.MOVES else transfer
            kind[item.service] = kind.get(item.service, Decimal(0)) + item.usd
    today: dict[str, list[str]] = {}
    for group in plan.world.fleet.groups:
        words = PURCHASE_WORDS[group.purchase.value].lower()
        today.setdefault(group.service, []).append(
            f"{group.count:,} × {group.instance_type} in {group.place}, {words}"
        )
    zero = Decimal(0)
    services = sorted(plan.world.services, key=lambda s: (-cost.get(s.name, zero), s.name))
    shown, others = services[:MOST_SERVICES], services[MOST_SERVICES:]
    lines = _lines(plan, {service.name for service in shown})
    all_transfer, all_moves = sum(transfer.values(), zero), sum(moves.values(), zero)
    commitments = sum((item.usd for item in bill.lines if item.commitment), zero)
    compute = bill.total_usd - all_transfer - all_moves - commitments
    committed = any(item.commitment for item in bill.lines)

    def month(amount: Decimal | None) -> str:
        return usd(per_month(amount, bill.hours)) if amount else ""

    return Running(
        hours=bill.hours,
        blocks=tuple(
            ServiceBlock(
                service=service.name,
                team=service.team,
                month=usd(per_month(cost.get(service.name, zero), bill.hours)),
                transfer_month=month(transfer.get(service.name)),
                moves_month=month(moves.get(service.name)),
                today="; ".join(today.get(service.name, ())),
                lines=lines.get(service.name, ()),
            )
            for service in shown
        ),
        compute_month=usd(per_month(compute, bill.hours)),
        transfer_month=usd(per_month(all_transfer, bill.hours)),
        commitments_month=usd(per_month(commitments, bill.hours)) if committed else "",
        moves_month=month(all_moves),
        total_month=usd(per_month(bill.total_usd, bill.hours)),
        left_out=len(others),
        left_out_month=usd(
            per_month(sum((cost.get(s.name, zero) for s in others), zero), bill.hours)
        ),
    )


def _lines(plan: Plan, services: Collection[str]) -> dict[str, tuple[Line, ...]]:
    counts, hours = plan.placement.counts, plan.placement.bill.hours
    counts = counts[counts["service"].isin(list(services))]
    grouped = counts.groupby(KEY, sort=True, observed=True)
    number_of = grouped.ngroup().to_numpy(np.int64)
    _, where = np.unique(number_of, return_index=True)
    firsts: Iterable[Any] = counts.iloc[where].itertuples(index=False)
    by_hour = np.zeros((len(where), hours), dtype=np.int64)
    np.add.at(
        by_hour,
        (number_of, counts["period"].to_numpy(np.int64)),
        counts["count"].to_numpy(np.int64),
    )
    priced = []
    for row, per_hour in zip(firsts, by_hour, strict=True):
        price = exact(row.price_usd_per_hour)
        month = per_month(price * int(per_hour.sum()), hours)
        priced.append((str(row.service), month, _line(row, per_hour.tolist(), price, month)))
    priced.sort(key=lambda item: -item[1])
    lines: dict[str, tuple[Line, ...]] = {}
    for service, _, line in priced:
        lines[service] = (*lines.get(service, ()), line)
    return lines


def _line(row: Any, per_hour: list[int], price: Decimal, month: Decimal) -> Line:
    low, high = min(per_hour), max(per_hour)
    cells = tuple(
        Cell(first, length, -(-SHADES * value // high), _stretch(first, length, value))
        for first, length, value in runs(per_hour)
    )
    return Line(
        place=f"{row.cloud}/{row.region}",
        cloud=str(row.cloud),
        instance_type=str(row.instance_type),
        purchase=PURCHASE_WORDS.get(str(row.purchase), str(row.purchase)),
        spot=str(row.purchase) == "spot",
        count=f"{low:,}" if low == high else f"{low:,}–{high:,}",
        replicas=f"{int(row.replicas_per_instance):,}",
        price=price_usd(price),
        month=usd(month),
        strip=cells,
        strip_words=f"{low:,} to {high:,} instances over {plural(len(per_hour), 'hour')}",
    )


def _stretch(first: int, length: int, value: int) -> str:
    span = f"hour {first}" if length == 1 else f"hours {first} to {first + length - 1}"
    return f"{span}: {plural(value, 'instance')}"
