"""Rows of workflow latency objectives.

Places through which even the fastest path is too slow are gone already (``reach``). If the
slowest path over what is left still keeps the objective, nothing more is needed. Otherwise

    x[s,g,r,τ] ≤ u[s,g,r]                                  a place is used, or not
    T_i ≥ ℓ[g,r]·u[i,r] + e_i                              first steps, e_i: own service time
    T_j ≥ T_i + ℓ[r,r']·(u[i,r] + u[j,r'] - 1) + e_j       j after i, T: latest end, ms
    u[i,r] + u[j,r'] ≤ 1                                   pairs that alone are too slow

so that the objective holds for every combination of places that the origin's traffic may take,
not just for the mean. ℓ[r,r'] is also the tightest big-M: with one u at 0 the row says T_j ≥
T_i + e_j, which holds anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.services import Step
from optimizer.formulate.layout import Layout
from optimizer.formulate.paths import Paths, bound_paths
from optimizer.problem import Draft, Floats, Ints


def workflow_within_latency(draft: Draft, layout: Layout) -> None:
    """All rows of all workflows that some combination of places would make too slow."""
    uses = _Uses(draft, layout)
    trips = layout.distances
    for paths in bound_paths(layout.world):
        allowed = layout.reach.swapaxes(0, 1)[np.ix_(paths.origins, paths.services)]
        served = np.all(allowed.any(axis=2), axis=1)  # no demand, or no place: other rows say so
        origins, allowed = paths.origins[served], allowed[served]
        times = paths.times(trips.from_origin[origins], trips.between, allowed)
        slow = times.latest_end.max(axis=(1, 2), initial=0.0) > paths.rule.within_ms
        for i in np.flatnonzero(slow):
            alone = times.soonest_end[i], times.soonest_rest[i]
            _Path(draft, layout, paths, int(origins[i]), *alone).write(uses)


class _Uses:
    """The columns u[s,g,r], made when a workflow first needs them."""

    def __init__(self, draft: Draft, layout: Layout) -> None:
        self.draft, self.layout = draft, layout
        self.columns: dict[tuple[int, int], Ints] = {}

    def of(self, service: int, origin: int) -> Ints:
        """Columns [region]; -1 where the origin's traffic may not go."""
        key = (service, origin)
        if key not in self.columns:
            self.columns[key] = self._make(service, origin)
        return self.columns[key]

    def _make(self, s: int, g: int) -> Ints:
        layout = self.layout
        regions = np.flatnonzero(layout.reach[s, g])
        columns = np.full(len(layout.place_names), -1)
        columns[regions] = self.draft.add_columns(
            "uses",
            "yes or no",
            (regions * 0 + s, regions * 0 + g, regions),
            (layout.service_names, layout.origin_names, layout.place_names),
            upper=1.0,
            integer=True,
        )
        blocks = np.arange(int(layout.route_blocks[s]))
        routes = layout.route_column[layout.route_at[s, g, regions]]
        route_columns = (routes[:, None] + blocks[None, :]).ravel()
        rows = np.arange(len(route_columns))
        self.draft.add_rows(
            "goes_only_where_used",
            "share",
            (
                rows * 0 + s,
                rows * 0 + g,
                np.repeat(regions, len(blocks)),
                np.tile(blocks, len(regions)),
            ),
            (
                layout.service_names,
                layout.origin_names,
                layout.place_names,
                [f"b{b}" for b in blocks],
            ),
            [
                (rows, route_columns, np.ones(len(rows))),
                (rows, np.repeat(columns[regions], len(blocks)), np.full(len(rows), -1.0)),
            ],
            upper=0.0,
        )
        return columns


@dataclass(frozen=True, eq=False)
class _Path:
    """One workflow for one origin; ``soonest_*`` [step, region] as in ``PathTimes``."""

    draft: Draft
    layout: Layout
    paths: Paths
    origin: int
    soonest_end: Floats
    soonest_rest: Floats

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.paths.steps

    def write(self, uses: _Uses) -> None:
        columns = [uses.of(s, self.origin) for s in self.paths.services.tolist()]
        n = len(self.steps)
        ends = self.draft.add_columns(
            "ends_ms",
            "ms",
            (np.zeros(n, np.int64), np.zeros(n, np.int64), np.arange(n)),
            (
                [self.paths.workflow.name],
                [self.layout.origin_names[self.origin]],
                [step.service for step in self.steps],
            ),
            upper=self.paths.rule.within_ms,
        )
        index = {step.service: i for i, step in enumerate(self.steps)}
        for j, step in enumerate(self.steps):
            if not step.after:
                self._first(j, ends, columns)
            for before in step.after:
                self._next(index[before], j, ends, columns)

    def _own_ms(self, step: int) -> float:
        return float(self.paths.own_ms[step])

    def _first(self, j: int, ends: Ints, columns: list[Ints]) -> None:
        regions = np.flatnonzero(columns[j] >= 0)
        rows = np.arange(len(regions))
        trip = self.layout.distances.from_origin[self.origin, regions]
        self._rows(
            "workflow_starts",
            [f"{self.steps[j].service}@{self.layout.place_names[r]}" for r in regions.tolist()],
            [(rows, rows * 0 + ends[j], np.ones(len(rows))), (rows, columns[j][regions], -trip)],
            lower=self._own_ms(j),
        )

    def _next(self, i: int, j: int, ends: Ints, columns: list[Ints]) -> None:
        here, there = np.flatnonzero(columns[i] >= 0), np.flatnonzero(columns[j] >= 0)
        r = np.repeat(here, len(there))
        to = np.tile(there, len(here))
        trip = self.layout.distances.between[r, to]
        names = [
            f"{self.steps[i].service}@{self.layout.place_names[p]}>"
            f"{self.steps[j].service}@{self.layout.place_names[q]}"
            for p, q in zip(r.tolist(), to.tolist(), strict=True)
        ]
        rows = np.arange(len(r))
        one = np.ones(len(rows))
        self._rows(
            "workflow_within_latency",
            names,
            [
                (rows, rows * 0 + ends[j], one),
                (rows, rows * 0 + ends[i], -one),
                (rows, columns[i][r], -trip),
                (rows, columns[j][to], -trip),
            ],
            lower=self._own_ms(j) - trip,
        )
        alone = self.soonest_end[i, r] + trip + self._own_ms(j) + self.soonest_rest[j, to]
        slow = np.flatnonzero(alone > self.paths.rule.within_ms)
        rows = np.arange(len(slow))
        self._rows(
            "too_far_apart",
            [names[k] for k in slow],
            [
                (rows, columns[i][r[slow]], np.ones(len(rows))),
                (rows, columns[j][to[slow]], np.ones(len(rows))),
            ],
            upper=1.0,
        )

    def _rows(
        self,
        family: str,
        names: list[str],
        terms: list[tuple[Ints, Ints, Floats]],
        lower: float | Floats = -np.inf,
        upper: float = np.inf,
    ) -> None:
        rows = np.arange(len(names))
        self.draft.add_rows(
            family,
            "ms" if family != "too_far_apart" else "yes or no",
            (rows * 0, rows * 0, rows),
            ([self.paths.workflow.name], [self.layout.origin_names[self.origin]], names),
            terms,
            lower=lower,
            upper=upper,
            rule=self.paths.rule,
        )
