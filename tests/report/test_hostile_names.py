"""Names come from outside; no name becomes markup, however it is written."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from re import DOTALL, findall

import pytest

from models.placement import Proof
from models.plan import Infeasible, Plan
from optimizer.report.page import render_comparison, render_plan
from optimizer.report.wording import visible

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</title></svg></style></script><script>alert(2)</script>",
    '" onload="alert(3)" x="',
    "' onfocus='alert(4)' autofocus='",
    "{{ 7 * 7 }}{% raw %}{# gone #}",
    "]]><!--<!DOCTYPE html>&amp;&#x3c;b&#x3e;",
    "a\x00b\x1b[31mc\u202egpj.exe\u2066\ufffe",
    "javascript:alert(5)",
)


class Skeleton(HTMLParser):
    """Tags with the names of their attributes: what a page is made of, without its words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str | None] = []
        self.feed(page)
        self.close()

    @property
    def built_of(self) -> Counter[tuple[str, tuple[str, ...]]]:
        """How often each kind of tag occurs; labels of the map depend on how wide a name is."""
        return Counter(tag for tag in self.tags if tag[0] != "text")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(key for key, _ in attrs)))
        self.links += [value for key, value in attrs if key == "href"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", ()))

    def handle_decl(self, decl: str) -> None:
        self.tags.append((decl, ()))


def compared(plan: Plan, name: str) -> str:
    clash = Infeasible(plan.world, plan.world.rules, smallest=True, reasons=(name,))
    return render_comparison(plan, [(name, plan), (f"{name}!", clash)], {name: [name]})


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("where", ["before", "after"])
def test_no_name_adds_an_element_or_attribute(
    plan_of: Callable[..., Plan], hostile: str, where: str
) -> None:
    def named(text: str) -> str:
        return f"{hostile}{text}" if where == "before" else f"{text}{hostile}"

    # Harmless names that sort and measure alike, so that order and labels stay as they are.
    filler = "".join("q" for _ in hostile)
    harmless = plan_of(
        name=lambda text: f"{filler}{text}" if where == "before" else f"{text}{filler}"
    )
    attacked = plan_of(name=named)
    for clean, page in (
        (render_plan(harmless), render_plan(attacked)),
        (compared(harmless, filler), compared(attacked, hostile)),
    ):
        skeleton = Skeleton(page)
        assert skeleton.built_of == Skeleton(clean).built_of
        assert all(link and link.startswith("#") for link in skeleton.links)
        page.encode()
        for drawing in findall(r"<svg.*?</svg>", page, flags=DOTALL):
            ET.fromstring(drawing)


def test_what_cannot_be_seen_is_spelled_out(plan_of: Callable[..., Plan]) -> None:
    page = render_plan(plan_of(name=lambda text: f"{text}\u202e\x00", proof=Proof.TIME_LIMIT))
    assert "storefront⟨U+202E⟩⟨U+0000⟩" in page
    assert "\u202e" not in page
    assert "\x00" not in page


def test_a_lone_surrogate_can_be_written_out() -> None:
    assert visible("a\ud800b").encode() == "a⟨U+D800⟩b".encode()


def test_template_marks_in_a_name_stay_text(plan_of: Callable[..., Plan]) -> None:
    page = render_plan(plan_of(name=lambda text: text + "{{ 7 * 7 }}"))
    assert "storefront{{ 7 * 7 }}" in page
    assert "storefront49" not in page
