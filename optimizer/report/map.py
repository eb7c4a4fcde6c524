"""The map: places by what they cost, origins, and the routes between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from models.places import Region
from models.plan import Plan
from optimizer.report.charts import arc
from optimizer.report.labels import Label, place_labels
from optimizer.report.projection import on_sheet, window
from optimizer.report.traffic import user_traffic_rps
from optimizer.report.wording import (
    CLOUD_WORDS,
    NBSP,
    number,
    per_month,
    percent,
    usd,
    visible,
)

SMALLEST_RADIUS, LARGEST_RADIUS = 5.0, 22.0
ORIGIN_RADIUS = 6.0
THINNEST, THICKEST = 0.8, 7.0


@dataclass(frozen=True, slots=True)
class PlaceMark:
    x: float
    y: float
    radius: float
    cloud: str
    title: str
    label: Label


@dataclass(frozen=True, slots=True)
class OriginMark:
    x: float
    y: float
    title: str
    label: Label


@dataclass(frozen=True, slots=True)
class RouteLine:
    path: str
    width: float
    cloud: str
    title: str


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """The same facts as the drawing's, for those who read the table."""

    place: str
    region: str
    cloud: str
    serves: str
    rps: str
    month: str
    share: str


@dataclass(frozen=True, slots=True)
class Map:
    """A drawing of ``width`` × ``height``; ``transform`` takes the land outline to it."""

    width: float
    height: float
    transform: str
    routes: tuple[RouteLine, ...]
    places: tuple[PlaceMark, ...]
    origins: tuple[OriginMark, ...]
    rows: tuple[PlaceRow, ...]


def draw_map(plan: Plan) -> Map:
    """Places that cost something or are routed to, all origins, and the traffic of users."""
    traffic = user_traffic_rps(plan)
    cost = plan.placement.bill.by("place")
    used = cost.keys() | {place for _, place in traffic}
    regions = [region for region in plan.world.regions if region.place in used]
    origins = plan.world.origins
    sheet = on_sheet([r.coordinates for r in regions] + [o.coordinates for o in origins])
    view = window(sheet)
    page = view.on_page(sheet)
    radii = _radii([cost.get(region.place, Decimal(0)) for region in regions])
    sizes = np.concatenate([radii, np.full(len(origins), ORIGIN_RADIUS)])
    centres = spread(page, sizes)
    names = [region.place for region in regions] + [origin.name for origin in origins]
    labels = place_labels(
        centres, sizes, [visible(name) for name in names], view.width, view.height
    )
    spots = [(float(x), float(y)) for x, y in centres]
    ends = {r.place: spot for r, spot in zip(regions, spots[: len(regions)], strict=True)}
    starts = {o.name: spot for o, spot in zip(origins, spots[len(regions) :], strict=True)}
    rows = {region.place: _row(plan, region, cost, traffic) for region in regions}
    places = [
        PlaceMark(*ends[r.place], float(radius), r.cloud.value, _title(rows[r.place]), label)
        for r, radius, label in zip(regions, radii, labels[: len(regions)], strict=True)
    ]
    dearest = sorted(regions, key=lambda r: (-cost.get(r.place, Decimal(0)), r.place))
    return Map(
        width=view.width,
        height=view.height,
        transform=view.transform,
        routes=_routes(traffic, starts, ends, {r.place: r.cloud.value for r in regions}),
        places=tuple(sorted(places, key=lambda mark: -mark.radius)),  # small ones stay on top
        origins=tuple(
            OriginMark(*starts[o.name], f"Users of {o.name} ({o.country})", label)
            for o, label in zip(origins, labels[len(regions) :], strict=True)
        ),
        rows=tuple(rows[region.place] for region in dearest),
    )


def _row(
    plan: Plan,
    region: Region,
    cost: Mapping[str, Decimal],
    traffic: Mapping[tuple[str, str], float],
) -> PlaceRow:
    served = {origin: rps for (origin, place), rps in traffic.items() if place == region.place}
    total = plan.placement.bill.total_usd
    amount = cost.get(region.place, Decimal(0))
    return PlaceRow(
        place=region.place,
        region=region.display_name,
        cloud=region.cloud.value,
        serves=", ".join(sorted(served, key=lambda origin: (-served[origin], origin)))
        or "no users directly",
        rps=number(sum(served.values())),
        month=usd(per_month(amount, plan.placement.bill.hours)),
        share=percent(amount / total) if total else "",
    )


def _title(row: PlaceRow) -> str:
    return (
        f"{row.place}, {row.region} ({CLOUD_WORDS[row.cloud]}): {row.month} USD a month, "
        f"{row.share} of the bill"
    )


def spread(centres: NDArray[np.float64], radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centres moved apart until no two circles hide each other (they may touch)."""
    moved = centres.copy()
    for _ in range(60):
        gaps = moved[:, None] - moved[None]
        distance = np.hypot(gaps[..., 0], gaps[..., 1])
        wanted = 0.9 * (radii[:, None] + radii[None])
        np.fill_diagonal(wanted, 0.0)
        short = np.clip(wanted - distance, 0, None)
        if not short.any():
            break
        # Circles on one spot part along a direction of their own.
        turn = np.arange(len(moved)) * 2.399963  # the golden angle
        aside = np.column_stack([np.cos(turn), np.sin(turn)])
        apart = np.where(
            (distance > 1e-6)[..., None],
            gaps / np.maximum(distance, 1e-6)[..., None],
            aside[:, None] - aside[None],
        )
        moved += 0.3 * (apart * short[..., None]).sum(axis=1)
    return moved


def _radii(amounts: list[Decimal]) -> NDArray[np.float64]:
    """Areas in proportion to cost, down to a radius that can still be seen."""
    share = np.array([float(amount) for amount in amounts])
    share = share / max(share.max(initial=0.0), 1e-12)
    return np.asarray(np.maximum(SMALLEST_RADIUS, LARGEST_RADIUS * np.sqrt(share)))


def _routes(
    traffic: Mapping[tuple[str, str], float],
    starts: Mapping[str, tuple[float, float]],
    ends: Mapping[str, tuple[float, float]],
    clouds: Mapping[str, str],
) -> tuple[RouteLine, ...]:
    """The busiest first, so that thin lines lie on top of thick ones."""
    most = max(traffic.values(), default=0.0) or 1.0
    return tuple(
        RouteLine(
            arc(*starts[origin], *ends[place]),
            THINNEST + (THICKEST - THINNEST) * rps / most,
            clouds[place],
            f"{origin} → {place}: {number(rps)}{NBSP}rps on average",
        )
        for (origin, place), rps in sorted(traffic.items(), key=lambda i: (-i[1], i[0]))
    )
