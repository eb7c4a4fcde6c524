"""The sources that a telemetry file names."""

from __future__ import annotations

from providers.prometheus.source import parts_of as parts_of_server
from providers.telemetry.collected import parts_of as parts_of_snapshots
from providers.telemetry.files import parts_of as parts_of_files
from providers.telemetry.seam import Part
from scenarios.observing import Telemetry


def parts_of(telemetry: Telemetry, retry_s: float = 0.5) -> list[Part]:
    """Everything that is read, in the order of the file. ``retry_s``: before the first retry."""
    parts: list[Part] = []
    for source in telemetry.content.sources:
        if source.prometheus is not None:
            parts += parts_of_server(telemetry, source.name, source.prometheus, retry_s)
        if source.files is not None:
            parts += parts_of_files(telemetry, source.name, source.files)
        if source.snapshots is not None:
            parts += parts_of_snapshots(telemetry, source.name, source.snapshots)
    return parts
