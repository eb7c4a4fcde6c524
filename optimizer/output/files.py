"""All files that a run leaves in its folder, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.plan import Outcome, Plan
from optimizer.expectations import Expectations
from optimizer.grade import Grade
from optimizer.output.comparison import BASE, compare, comparison_document, comparison_table
from optimizer.output.forecast_json import forecast_document, quantiles_table, tracked_table
from optimizer.output.grade_json import grade_document, grade_table
from optimizer.output.json_values import json_text
from optimizer.output.plan_json import outcome_document
from optimizer.output.sheets import csv_bytes, sheets
from optimizer.report.forecast import render_forecast
from optimizer.report.grade import render_grade
from optimizer.report.page import render_comparison, render_plan


def plan_files(plan: Plan) -> dict[str, bytes]:
    """``plan.json``, ``report.html`` and the CSV files of a plan."""
    return {
        "plan.json": json_text(outcome_document(plan)).encode(),
        "report.html": render_plan(plan).encode(),
        **sheets(plan),
    }


def grade_files(grade: Grade) -> dict[str, bytes]:
    """``grade.json``, ``.csv`` and ``.html``, and ``plan.json``, which proves them."""
    return {
        "grade.json": json_text(grade_document(grade)).encode(),
        "grade.csv": csv_bytes(grade_table(grade)),
        "grade.html": render_grade(grade).encode(),
        "plan.json": json_text(outcome_document(grade.plan)).encode(),
    }


def forecast_files(found: Expectations) -> dict[str, bytes]:
    """``forecast.json`` and ``.html``, ``quantiles.csv``; ``totals.csv`` where there are any, and
    ``tracked.csv`` where days were tracked.
    """
    files = {
        "forecast.json": json_text(forecast_document(found)).encode(),
        "forecast.html": render_forecast(found).encode(),
        "quantiles.csv": csv_bytes(quantiles_table(found.forecast)),
    }
    if found.summed is not None:
        files["totals.csv"] = csv_bytes(quantiles_table(found.summed.forecast))
    if found.tracked is not None:
        files["tracked.csv"] = csv_bytes(tracked_table(found.tracked))
    return files


def comparison_files(
    base: Plan,
    others: Sequence[tuple[str, Outcome]],
    changes: Mapping[str, Sequence[str]],
) -> dict[str, bytes]:
    """``comparison.json``, ``.csv`` and ``.html`` of what-ifs.

    ``others`` are (scenario name, outcome); ``changes`` says in words what each changes.
    """
    alternatives = compare([(BASE, base), *others])
    return {
        "comparison.json": json_text(comparison_document(alternatives)).encode(),
        "comparison.csv": csv_bytes(comparison_table(alternatives)),
        "comparison.html": render_comparison(base, others, changes).encode(),
    }
