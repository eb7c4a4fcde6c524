"""Which rows of a price source lie in regions that can be planned for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache

import pandas as pd

from models.places import Region

_OUTSIDE = (  # other partitions, by the place's name
    (re.compile(r"aws/us-gov-.*|azure/usgov.*|azure/usdod.*"), "government_region"),
    (re.compile(r"aws/cn-.*|azure/china.*"), "china_region"),
    (re.compile(r"aws/[a-z]+(-[a-z]+)+-\d+-[a-z]+-\d+[a-z]?"), "local_zone"),
    (re.compile(r"azure/germany(central|northeast)"), "closed_region"),  # closed in October 2021
)


def in_known_regions(
    rows: pd.DataFrame, regions: Mapping[str, Region]
) -> tuple[pd.DataFrame, Counter[str]]:
    """The rows whose ``cloud``/``region`` is in ``regions``, and how many are not, by reason.

    Rows of other partitions count under one key per kind, those of regions that nobody knows
    under ``rejected_unknown_region`` and the region's name.
    """
    codes, places = pd.factorize(rows["cloud"] + "/" + rows["region"])
    known = pd.Index(places).isin(list(regions))
    counts = pd.Series(codes).value_counts()
    outside: Counter[str] = Counter()
    for code in counts.index[~known[counts.index]]:
        outside[_reason(str(places[code]))] += int(counts[code])
    return rows[known[codes]], outside


def _reason(place: str) -> str:
    for pattern, kind in _OUTSIDE:
        if pattern.fullmatch(place):
            return f"rejected_{kind}"
    return f"rejected_unknown_region {place}"


def misspelt_as(place: str, regions: Mapping[str, Region]) -> str:
    """The known place that ``place`` misspells; empty when it is known, or a name of its own.

    Clouds open regions faster than we learn of them, so an unfamiliar name is no mistake by
    itself; one that differs from a known name only by case, punctuation or swapped letters is.
    """
    if place in regions:
        return ""
    return _by_letters(frozenset(regions)).get(_letters(place), "")


@cache
def _by_letters(places: frozenset[str]) -> dict[str, str]:
    return {_letters(place): place for place in sorted(places, reverse=True)}


def _letters(place: str) -> str:
    """Cloud and sorted letters and digits of the region."""
    cloud, _, region = place.lower().partition("/")
    return f"{cloud}/" + "".join(sorted(filter(str.isalnum, region)))
