"""All files that a simulation leaves in its folder, by name."""

from __future__ import annotations

from optimizer.output.json_values import json_text
from optimizer.output.sheets import csv_bytes
from optimizer.output.simulation_json import (
    frontier_table,
    simulation_document,
    simulation_table,
)
from optimizer.report.simulation import render_simulation
from optimizer.simulate.compare import Compared


def simulation_files(found: Compared) -> dict[str, bytes]:
    """``simulation.json``, ``.csv`` and ``.html``, and ``frontier.csv`` where it was swept."""
    files = {
        "simulation.json": json_text(simulation_document(found)).encode(),
        "simulation.csv": csv_bytes(simulation_table(found)),
        "simulation.html": render_simulation(found).encode(),
    }
    if found.sweep is not None:
        files["frontier.csv"] = csv_bytes(frontier_table(found.sweep))
    return files
