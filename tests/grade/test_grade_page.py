"""The page of a grade says what is proven, and no name becomes markup."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from re import DOTALL, findall

import pytest
from planned import plan_of
from small_worlds import asked, book, world

from models.fleet import Fleet, Group
from models.offerings import Purchase
from models.places import Cloud, PlaceFilter
from models.rules import AllowedPlacesRule
from models.services import Replica, Service
from models.world import Policy
from optimizer.grade import Grade, grade
from optimizer.output.grade_text import grade_text
from optimizer.report.grade import render_grade

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    '" onload="alert(3)" x="',
    "</title></svg></style></script><script>alert(2)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "\x1b[31m\u202egpj.exe",
)


def graded(name: str = "web", count: int = 9) -> Grade:
    """Two instances in Azure would do, where AWS is forbidden; something has no price."""
    not_in_aws = PlaceFilter(clouds=frozenset({Cloud.AWS}))
    of = world(
        [Service(name, Replica(1, 4, 25), team=name)],
        book([(place, "m.2", "on_demand", 0.1, 2, 8) for place in ("aws/eu", "azure/eu")]),
        places=["aws/eu", "azure/eu"],
        origins=["europe"],
        rules=[AllowedPlacesRule(name=f"{name}-not", services=(name,), forbid=not_in_aws)],
        policy=Policy(horizon_hours=2, headroom=1.0),
        fleet=Fleet(
            (
                Group(name, "aws/eu", "m.2", Purchase.ON_DEMAND, count),
                Group(name, "aws/eu", f"x-{name}", Purchase.ON_DEMAND, 1),
            )
        ),
    )
    plan = plan_of(asked(replace(of, name=name), {(name, "europe"): [100.0, 100.0]}))
    assert plan is not None
    return grade(plan)


class Skeleton(HTMLParser):
    """Tags with the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(key for key, _ in attrs)))

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", ()))


def test_the_page_says_what_is_proven() -> None:
    """Two of nine instances are needed: 7/9 is wasted."""
    page = render_grade(graded())
    assert "At least 77.7 % of each dollar is wasted, proven, at most 77.8 %." in page
    assert ">F</p>" in page
    assert "Today&#39;s fleet breaks 1 rule." in page
    assert "1 group without a known price" in page
    assert "More runs than is needed" in page


def test_what_does_not_compare_gets_no_letter_and_no_reasons() -> None:
    page = render_grade(graded(count=1))
    assert "No grade: today&#39;s fleet is cheaper than a lawful one" in page
    assert "More runs than is needed</strong>" not in page
    assert 'class="dollar"' not in page


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_name_adds_an_element(hostile: str) -> None:
    page = render_grade(graded(hostile))
    assert Skeleton(page).tags == Skeleton(render_grade(graded("q" * len(hostile)))).tags
    assert "\x1b" not in page
    assert "\u202e" not in page
    for drawing in findall(r"<svg.*?</svg>", page, flags=DOTALL):
        ET.fromstring(drawing)


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("width", [60, 140])
def test_no_name_reaches_a_terminal_raw(hostile: str, width: int) -> None:
    text = grade_text(graded(hostile), width, colour=False)
    assert not {"\x1b", "\u202e"} & set(text)
    assert max(map(len, text.splitlines())) <= width
