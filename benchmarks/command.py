"""``trimtab plan`` as its users meet it: a fresh process, files in, files out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from benchmarks.registry import Metric

COMMAND = Path(sys.executable).with_name("trimtab")


def plan_cold(world: Path, out: Path) -> float:
    """Seconds that a fresh process takes to plan ``world`` into ``out``."""
    began = perf_counter()
    subprocess.run([COMMAND, "plan", world, "--out", out], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - began


def figures(out: Path) -> Iterator[Metric]:
    """What the plan in ``out`` says of its problem, its proof and its cost."""
    plan = json.loads((out / "plan.json").read_text(encoding="utf-8"))
    proof, cost = plan["proof"], plan["cost"]
    yield Metric("rows", proof["rows"], "1")
    yield Metric("columns", proof["columns"], "1")
    yield Metric("build_time", proof["build_s"], "s")
    yield Metric("solve_time", proof["solve_s"], "s")
    yield Metric("gap", proof["gap"], "1")
    today = cost["today_usd_per_month"]
    yield Metric("today", None if today is None else float(today), "USD/month")
    yield Metric("plan", float(cost["usd_per_month"]), "USD/month")
