"""Machine shapes: what an instance type is made of."""

from __future__ import annotations

from typing import NamedTuple

from models.offerings import Architecture


class Shape(NamedTuple):
    """What one instance type offers, whatever it costs."""

    family: str
    """What a quota counts together, such as m5 or Dsv3."""
    vcpus: float
    memory_gib: float
    architecture: str = Architecture.X86_64.value
    gpus: float = 0.0
    gpu_model: str = ""
    burstable: bool = False
    baseline_vcpus: float | None = None
    """Sustained vCPUs of a burstable type; None: unknown, or not burstable."""
