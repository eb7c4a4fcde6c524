"""The page of a simulation: every setting is drawn where it belongs."""

from __future__ import annotations

import re

import pytest
from played_worlds import compared_policies

from optimizer.report.simulation import HEIGHT, LEFT, RIGHT, WIDTH, plot, render_simulation
from optimizer.simulate.compare import Compared


@pytest.fixture(scope="module")
def compared() -> Compared:
    return compared_policies("a <b>trace</b>")


def test_settings_are_drawn_on_a_logarithmic_scale(compared: Compared) -> None:
    assert compared.sweep is not None
    drawn = plot(compared.sweep)
    assert [family.key for family in drawn.families] == ["ours", "static"]
    assert drawn.left_out == 1
    ours, static = drawn.families
    span = WIDTH - LEFT - RIGHT
    xs = [float(spot.x) for spot in ours.spots]
    assert xs == pytest.approx([LEFT + span * at for at in (4 / 5, 2.69897 / 5, 3 / 5)], abs=0.1)
    ys = [float(spot.y) for spot in ours.spots]
    assert ys[0] > ys[1] > ys[2] > float(static.spots[0].y)
    assert all(0 <= y <= HEIGHT for y in ys)
    assert ours.line.count("L") == 1  # 1.3 at 0.1 % is beaten by 1.2 at 0.05 %
    assert float(static.spots[0].x) == LEFT


def test_the_page_shows_policies_services_and_frontiers(compared: Compared) -> None:
    page = render_simulation(compared)
    assert page.count('class="line family-line') == 2
    assert len(re.findall(r'<path class="family \w+" transform', page)) == 4
    assert "not reached" in page
    assert "Bursts are unknown" not in page
    assert "a &lt;b&gt;trace&lt;/b&gt;" in page
    alone = render_simulation(Compared(compared.study))
    assert 'id="frontier"' not in alone
