"""What it costs to change what runs, and how much a change must save to be worth it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChangeCosts:
    """Costs of leaving today's fleet for a plan, and the least that a service must save by it.

    One-off costs are spread over ``amortise_over_hours``: a plan pays its hours' share of them. A
    service that runs today changes only when that saves more than ``minimum_saving_usd_per_month``
    and more than ``minimum_saving_share`` of what its instances cost today.
    """

    usd_per_started_instance: float = 0.0
    usd_per_gib_of_state_moved: float = 0.0
    amortise_over_hours: float = 720.0
    minimum_saving_usd_per_month: float = 0.0
    minimum_saving_share: float = 0.0

    @property
    def moves_cost(self) -> bool:
        """Whether anything is paid for moves."""
        return self.usd_per_started_instance > 0 or self.usd_per_gib_of_state_moved > 0

    @property
    def must_be_worth_it(self) -> bool:
        """Whether changes must save something."""
        return self.minimum_saving_usd_per_month > 0 or self.minimum_saving_share > 0

    @property
    def count(self) -> bool:
        """Whether today's fleet matters to plans."""
        return self.moves_cost or self.must_be_worth_it


FREE_CHANGES = ChangeCosts()
"""Changes cost nothing, and need save nothing."""
