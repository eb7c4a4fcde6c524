"""Play a policy for one service in the simulated cloud, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.world import HOURS_PER_MONTH
from optimizer.simulate.autoscalers import Hpa, Kind, Loop, Tracking
from optimizer.simulate.clock import FIGURES, Terms, run
from optimizer.simulate.cloud import LATE_SHARE, Fate, Machine

_COLUMN: Final = {name: i for i, name in enumerate(FIGURES)}


@dataclass(frozen=True, eq=False)
class Played:
    """What came of a policy: ``told`` [minute, ``FIGURES``]."""

    told: NDArray[np.float64]
    notice_s: int = 0
    boot_s: float = 0.0

    def of(self, figure: str, minutes: slice = slice(None)) -> NDArray[np.float64]:
        """One of ``FIGURES`` by minute."""
        column: NDArray[np.float64] = self.told[minutes, _COLUMN[figure]]
        return column

    def sum(self, figure: str, minutes: slice = slice(None)) -> float:
        return float(self.of(figure, minutes).sum())

    def unserved_share(self, minutes: slice = slice(None)) -> float:
        """Share of all requests that were lost; 0 when there were none."""
        asked = self.sum("asked", minutes)
        return self.sum("lost", minutes) / asked if asked > 0 else 0.0

    def missed_minutes(self, minutes: slice = slice(None)) -> int:
        """Minutes in which more than ``LATE_SHARE`` of the requests were late or lost."""
        strayed = self.of("late", minutes) + self.of("lost", minutes)
        done = self.of("served", minutes) + self.of("lost", minutes)
        return int((strayed > LATE_SHARE * done + 1e-9).sum())

    def survived(self, minutes: slice = slice(None)) -> int:
        """Interruptions of spot pools in which nothing was lost until those that replace them
        had booted: from the notice on, a notice and a boot of usual length.
        """
        lost = np.concatenate([[0.0], np.cumsum(self.of("lost"))])
        struck = np.flatnonzero(self.of("reclaims"))
        first, last, _ = minutes.indices(len(self.told))
        struck = struck[(struck >= first) & (struck < last)]
        over = struck + 1 + -(-int(self.notice_s + self.boot_s) // 60)
        harmed = lost[np.minimum(over, len(self.told))] - lost[struck]
        return int(self.of("reclaims")[struck][harmed <= 0.0].sum())


def terms_of(machine: Machine, max_replicas: int) -> Terms:
    """What the clock needs of ``machine``."""
    hazards = machine.hazards
    return Terms(
        float(machine.serves_rps), float(machine.boot_s), machine.slots,
        machine.usd_per_hour / 3600.0, machine.on_demand_usd_per_hour / 3600.0, int(machine.spot),
        machine.billing.granularity_s, machine.billing.minimum_s,
        machine.min_replicas, max_replicas, machine.cooldown_s,
        machine.patience_s, float(machine.wait_s), float(machine.variability), float(machine.knee),
        hazards.failures_per_month / (3600.0 * HOURS_PER_MONTH), hazards.restart_s,
        hazards.notice_s, round(3600 * hazards.outage_hours),
    )  # fmt: skip


def follow(
    wanted: NDArray[np.int64], every_s: int, rps: NDArray[np.float64], step_s: int,
    machine: Machine, drawn: Fate, lag_s: int = 0,
) -> Played:  # fmt: skip
    """Keep ``wanted`` [decision] replicas, one every ``every_s``, under ``rps`` [step].

    The i-th number is carried out ``lag_s`` after second i · ``every_s``.
    """
    most = int(wanted.max(initial=1)) if machine.max_replicas is None else machine.max_replicas
    loop = Loop(Kind.FOLLOWS, every_s, lag_s)
    return _play(wanted, loop, rps, step_s, machine, max(most, machine.min_replicas), drawn)


def react(
    loop: Hpa | Tracking, rps: NDArray[np.float64], step_s: int, machine: Machine, drawn: Fate
) -> Played:
    """Let an autoscaler decide, which sees how busy replicas are.

    It starts with what the first known demand needs. A service without ``max_replicas`` has room
    for four times what the highest demand needs.
    """
    known = rps[~np.isnan(rps)]
    need = np.ceil(known / (machine.serves_rps * loop.target) - 1e-9)
    first = np.array([max(need[0], 1.0) if need.size else 1.0]).astype(np.int64)
    most = machine.max_replicas or 4 * int(need.max(initial=1)) + 8
    return _play(first, loop.loop, rps, step_s, machine, max(most, machine.min_replicas), drawn)


def _play(
    wanted: NDArray[np.int64], loop: Loop, rps: NDArray[np.float64], step_s: int, machine: Machine,
    most: int, drawn: Fate,
) -> Played:  # fmt: skip
    told = run(
        np.ascontiguousarray(rps, np.float64), step_s, np.ascontiguousarray(wanted, np.int64), loop,
        terms_of(machine, most), drawn.boots, drawn.lives, drawn.victims, drawn.reclaims,
    )  # fmt: skip
    return Played(told, machine.hazards.notice_s, machine.boot_s)
