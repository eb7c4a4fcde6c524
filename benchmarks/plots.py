"""Frontiers for documents: ``python -m benchmarks.plots simulation.html OUT.svg``."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def frontier_of(page: str) -> str:
    """The drawing of ``simulation.html`` as an SVG document of its own, light and without hints."""
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    drawing = re.search(r'<figure class="frontier">\s*<svg ([^>]*)>(.*?)</svg>', page, re.S)
    if style is None or drawing is None:
        raise ValueError("the page has no frontier: run trimtab simulate with --frontier")
    light = style[1].split("@media", 1)[0]
    wanted = r"^(?:\.family|\.line|\.grid|svg text)[^{]*\{.*$"
    rules = "\n".join(re.findall(wanted, style[1], re.M))
    marks = re.sub(r"<title>.*?</title>", "", drawing[2], flags=re.S)
    marks = re.sub(r"></path>", "/>", marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" font-family="Arial, sans-serif" {drawing[1]}>\n'
        f"<style>{light}\n{rules}</style>\n"
        f'<rect width="100%" height="100%" fill="#fff"/>\n{marks.strip()}\n</svg>\n'
    )


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(frontier_of(Path(sys.argv[1]).read_text("utf-8")), "utf-8")
