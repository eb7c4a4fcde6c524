"""What every kind of rule costs in time, and in proof."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.fleet import HOURS, measure
from benchmarks.registry import Case, benchmark

SERVICES = 1_000


@benchmark("fleet-kinds", "1,000 services with every kind of rule, and without each of them")
def fleet_kinds(data: Path | None) -> Iterator[Case]:
    from scenarios.generate.kinds import Kind

    del data
    everything = "every kind"
    yield Case(everything, partial(measure, SERVICES, HOURS, ()))
    for kind in Kind:
        case = partial(measure, SERVICES, HOURS, (kind.value,))
        yield Case(f"without {kind.value}", case, everything)
    yield Case("none", partial(measure, SERVICES, HOURS, tuple(Kind)), everything)
