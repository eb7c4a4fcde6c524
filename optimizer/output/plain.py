"""Text that other people wrote, made harmless for terminals and spreadsheets.

Names come from world files and price feeds. A terminal obeys escape sequences, and a spreadsheet
computes cells that look like formulas; neither may happen because of a name.
"""

from __future__ import annotations

import re
from typing import Final

from models.labels import UNSEEN

_SEPARATORS: Final = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_ESCAPES: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
_FORMULA_STARTS: Final = ("=", "+", "-", "@")


def plain(text: str) -> str:
    """``text`` on one line, without escape sequences, control or direction-changing characters."""
    return UNSEEN.sub("", _SEPARATORS.sub(" ", _ESCAPES.sub("", text)))


def spreadsheet_cell(text: str) -> str:
    """``plain`` text that no spreadsheet takes for a formula.

    A cell that starts with ``=``, ``+``, ``-`` or ``@`` (after white space), or that started
    with a tab or carriage return, gets an apostrophe in front, as OWASP advises against CSV
    injection.
    """
    cell = plain(text)
    if cell.lstrip().startswith(_FORMULA_STARTS) or text.startswith(("\t", "\r")):
        return f"'{cell}"
    return cell
