"""Places as a terminal table."""

from __future__ import annotations

from collections.abc import Sequence

from models.places import Region
from optimizer.output.terminal import WIDE, plural, rendered, table, words


def regions_text(
    regions: Sequence[Region], rtt_ms: Sequence[float] | None, width: int, colour: bool
) -> str:
    """Places with their law, zones and, when asked for, the round trip from somewhere."""
    wide, widest = width >= WIDE, width >= 1.5 * WIDE
    numbers = ["Zones", *(["RTT ms"] if rtt_ms is not None else [])]
    more = [*(["Law"] if wide else []), *(["Certificates"] if widest else [])]
    names = ["Place", "Where", "Country", *more, *numbers]
    made = table(plural(len(regions), "place"), names, numbers)
    for i, region in enumerate(regions):
        made.add_row(
            words(region.place),
            words(region.display_name),
            words(region.country),
            *([words(" ".join(sorted(region.jurisdictions)))] if wide else []),
            *([words(" ".join(sorted(region.certifications)))] if widest else []),
            str(region.zones),
            *([f"{rtt_ms[i]:.0f}"] if rtt_ms is not None else []),
        )
    return rendered([made], width, colour)
