"""A study and, where somebody asks, the frontiers of all families, on the same demand."""

from __future__ import annotations

from dataclasses import dataclass

from models.world import World
from optimizer.simulate.asked import Asked
from optimizer.simulate.study import Choose, Figures, Span, Study, cases
from optimizer.simulate.sweep import Sweep, gathered, settings_of
from optimizer.watch import SILENT, Watch


@dataclass(frozen=True, eq=False)
class Compared:
    """What is written and shown."""

    study: Study
    sweep: Sweep | None = None


def swept(
    world: World, study: Study, asked: Asked, *, lag_s: int, choose: Choose,
    watch: Watch = SILENT,
) -> Sweep:  # fmt: skip
    """The frontiers of every family for the services of a study, where its figures are from."""
    asked, first = Span(study.starts, study.ends).within(asked)
    minutes = slice(first, None)
    parts = []
    with watch.stage("sweep the settings of policies", len(study.held)) as stage:
        for case in cases(world, asked, study.held, first, study.seed, lag_s, choose):
            part: dict[tuple[str, str], Figures] = {}
            for family, setting, played in settings_of(case):
                watch.note(f"{family}, {setting}")
                part[family, setting] = Figures.of(played, minutes)
            parts.append(part)
            stage.advance()
    return gathered(parts, sum(one.usd for one in study.bound.values()))
