"""What is known to move demand: holidays, campaigns, releases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DemandEvent:
    """Something between two instants (UTC, the second exclusive) that demand answers to.

    Events of one ``kind`` are expected to have the same effect. Empty ``services`` or ``origins``
    mean all. ``factor`` is what demand is multiplied by; None: as earlier events of its kind did.
    """

    name: str
    kind: str
    starts: datetime
    ends: datetime
    services: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    factor: float | None = None

    def moves(self, service: str, origin: str) -> bool:
        """Whether demand for ``service`` from ``origin`` answers to it."""
        return (not self.services or service in self.services) and (
            not self.origins or origin in self.origins
        )
