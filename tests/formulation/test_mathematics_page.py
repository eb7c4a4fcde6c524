"""The page about the mathematics speaks of every family of rows, in names that the code has."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "mathematics.md").read_text(encoding="utf-8")
SOURCES = [*(ROOT / "models").rglob("*.py"), *(ROOT / "optimizer").rglob("*.py")]
CODE = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)


def test_every_family_of_rows_is_on_the_page() -> None:
    said = PAGE.replace("\\_", "_").replace("spread_survives_zone, _region, _cloud", "")
    families = {path.stem for path in (ROOT / "tests/formulation/golden").glob("*.lp")}
    extents = {name for name in families if name.startswith("spread_survives_")}
    assert len(extents) == 3
    assert "spread\\_survives\\_zone, \\_region, \\_cloud" in PAGE
    assert [name for name in sorted(families - extents) if name not in said] == []


def test_every_name_in_the_tables_is_in_the_code() -> None:
    tables = [line for line in PAGE.splitlines() if line.startswith("|")]
    quoted = [name for line in tables for name in re.findall(r"`([^`]+)`", line)]
    assert len(quoted) > 60
    paths = [name for name in quoted if name.endswith(".py")]
    assert [path for path in paths if not (ROOT / path).is_file()] == []
    words = {word for name in quoted if name not in paths for word in re.findall(r"\w{3,}", name)}
    words = {re.sub("^calls_|_λ$", "", word) for word in words}  # composed in the code
    assert sorted(word for word in words if word not in CODE) == []


def test_files_that_the_page_names_exist() -> None:
    named = re.findall(r"`((?:tests|docs|optimizer|models)/[\w./]+)`", PAGE)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []
