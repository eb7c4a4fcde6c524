"""Autoscalers that look at what replicas do: they cannot be told apart from what they decide.

Their measure is how busy replicas are, which never exceeds 1: under overload they see that it is
too much, and not how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """Who decides."""

    FOLLOWS = 0  # a number of replicas that is there beforehand
    HPA = 1
    TRACKING = 2


class Loop(NamedTuple):
    """An autoscaler as the clock knows it; see ``Hpa`` and ``Tracking``."""

    kind: int
    every_s: int
    lag_s: int
    target: float = 1.0
    tolerance: float = 0.0
    stabilisation_s: int = 0
    most_times: float = 2.0
    most_more: int = 4
    high_times: int = 1
    low_times: int = 1
    low_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Hpa:
    """Kubernetes' HorizontalPodAutoscaler on a utilisation, with its defaults.

    Every ``every_s``: ceil(replicas · utilisation / target), unless that quotient is within
    ``tolerance`` of 1. Replicas that do not serve yet count as idle when it would grow, and not at
    all when it would shrink. Grows to at most ``most_times`` as many or by ``most_more``, whichever
    is more; shrinks to the most that it said in ``stabilisation_s``.
    """

    target: float
    stabilisation_s: int = 300
    tolerance: float = 0.1
    every_s: int = 15
    lag_s: int = 15
    most_times: float = 2.0
    most_more: int = 4

    @property
    def loop(self) -> Loop:
        return Loop(
            Kind.HPA, self.every_s, self.lag_s, self.target, self.tolerance, self.stabilisation_s,
            self.most_times, self.most_more,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tracking:
    """Target tracking of the clouds' own scaling groups, as AWS documents it.

    Two alarms on a metric of every minute: three in a row above ``target`` grow, fifteen in a row
    below ``low_share`` of it shrink, to ceil(those that served · utilisation / target); nothing
    shrinks while replicas boot.
    """

    target: float
    high_times: int = 3
    low_times: int = 15
    low_share: float = 0.9
    every_s: int = 60
    lag_s: int = 0

    @property
    def loop(self) -> Loop:
        return Loop(
            Kind.TRACKING, self.every_s, self.lag_s, self.target, high_times=self.high_times,
            low_times=self.low_times, low_share=self.low_share,
        )  # fmt: skip
