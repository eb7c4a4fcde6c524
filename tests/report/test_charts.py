"""Axes, paths and the map, on numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.places import Coordinates
from models.plan import Plan
from optimizer.report.charts import Frame, arc, hour_ticks, runs, ticks
from optimizer.report.labels import place_labels
from optimizer.report.map import spread
from optimizer.report.projection import SHEET_HEIGHT, SHEET_WIDTH, on_sheet, window
from optimizer.report.traffic import user_traffic_rps


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        (0.0, (0, 1)),
        (1.0, (0, 0.5, 1)),
        (0.3, (0, 0.1, 0.2, 0.3)),
        (97, (0, 50, 100)),
        (4800, (0, 2000, 4000, 6000)),
        (4000, (0, 1000, 2000, 3000, 4000)),
    ],
)
def test_ticks_are_round_and_reach_the_top(top: float, expected: tuple[float, ...]) -> None:
    assert ticks(top) == expected


def test_hours_are_marked_by_whole_days_when_many() -> None:
    assert hour_ticks(24) == (0, 6, 12, 18, 24)
    assert hour_ticks(168) == (0, 48, 96, 144)
    assert hour_ticks(1) == (0, 1)


def test_steps_hold_their_value_for_the_whole_period() -> None:
    frame = Frame(0, 0, 40, 10, periods=4, highest=10)
    assert frame.steps(np.array([5.0, 5.0, 10.0, 0.0])) == "M0,5 20,5 20,0 30,0 30,10 40,10"


def test_band_goes_there_and_back() -> None:
    frame = Frame(0, 0, 20, 10, periods=2, highest=10)
    path = frame.band(np.array([0.0, 0.0]), np.array([10.0, 5.0]))
    assert path == "M0,0 20,5L20,10 0,10z"


def test_runs_merge_equal_hours() -> None:
    assert runs([3, 3, 0, 0, 0, 7]) == ((0, 2, 3), (2, 3, 0), (5, 1, 7))


def test_arc_starts_and_ends_where_told() -> None:
    path = arc(0, 0, 10, 0)
    assert path.startswith("M0 0Q")
    assert path.endswith(" 10 0")
    assert path == "M0 0Q5 -1.8 10 0"


def test_equal_earth_keeps_its_known_points() -> None:
    middle, east, north = on_sheet([Coordinates(0, 0), Coordinates(0, 180), Coordinates(90, 0)])
    assert middle == pytest.approx([SHEET_WIDTH / 2, SHEET_HEIGHT / 2])
    assert east == pytest.approx([SHEET_WIDTH, SHEET_HEIGHT / 2])
    assert north == pytest.approx([SHEET_WIDTH / 2, 0])
    # 2.05458 : 1, as published
    assert pytest.approx(2.05458, abs=1e-5) == SHEET_WIDTH / SHEET_HEIGHT


def test_equal_earth_keeps_areas() -> None:
    """Half of the sphere lies between 30° south and 30° north."""
    latitudes = np.linspace(-89.999, 89.999, 2001)
    edge = on_sheet([Coordinates(float(b), 180) for b in latitudes])
    width = 2 * (edge[:, 0] - SHEET_WIDTH / 2)
    tall = -np.diff(edge[:, 1])
    area = tall * (width[1:] + width[:-1]) / 2
    inside = np.abs((latitudes[1:] + latitudes[:-1]) / 2) < 30
    assert area[inside].sum() / area.sum() == pytest.approx(0.5, abs=1e-3)


def test_window_holds_every_point_with_room() -> None:
    sheet = on_sheet([Coordinates(51, 0), Coordinates(-33, 151), Coordinates(38, -122)])
    view = window(sheet)
    page = view.on_page(sheet)
    assert (page > 0).all()
    assert (page < [view.width, view.height]).all()


def test_circles_on_one_spot_part() -> None:
    radii = np.array([20.0, 12.0, 12.0, 6.0])
    moved = spread(np.full((4, 2), 100.0), radii)
    distance = np.hypot(*(moved[:, None] - moved[None]).transpose(2, 0, 1))
    wanted = 0.9 * (radii[:, None] + radii[None])
    apart = ~np.eye(4, dtype=bool)
    assert (distance[apart] > 0.95 * wanted[apart]).all()
    assert np.abs(moved - 100).max() < 60


def test_labels_do_not_cover_each_other() -> None:
    centres = np.array([[100.0, 100.0], [108.0, 104.0], [116.0, 100.0], [104.0, 92.0]])
    labels = place_labels(centres, np.full(4, 5.0), ["aws/eu-west-1"] * 4, 400, 200)
    shown = [(label.x, label.y) for label in labels if label.shown]
    assert len(shown) >= 2
    assert len(set(shown)) == len(shown)
    assert not any(
        label.shown for label in place_labels(centres, np.full(4, 5.0), ["x" * 28] * 4, 90, 90)
    )


def test_traffic_is_what_users_ask_for(plan: Plan) -> None:
    traffic = user_traffic_rps(plan)
    row = {service.name: i for i, service in enumerate(plan.world.services)}
    column = {origin.name: j for j, origin in enumerate(plan.world.origins)}
    asked = sum(plan.demand_rps[row[s], column[g]].mean() for s, g in plan.forecast.series)
    assert sum(traffic.values()) == pytest.approx(asked)


def test_lines_break_where_nothing_was_observed() -> None:
    frame = Frame(0, 0, 60, 100, 6, 10.0)
    nan = float("nan")
    drawn = frame.pieces(np.array([nan, 10.0, 5.0, nan, 0.0, nan]))
    assert drawn == "M15,0 25,50M45,100h.1"
    assert frame.pieces(np.array([10.0, 0.0]), 4) == "M45,0 55,100"
    assert frame.pieces(np.array([nan])) == ""


def test_a_fan_lies_over_the_periods_that_it_is_of() -> None:
    frame = Frame(0, 0, 60, 100, 6, 10.0)
    assert frame.fan(np.array([0.0, 0.0]), np.array([10.0, 5.0]), 4) == (
        "M45,0 55,50L55,100 45,100z"
    )
