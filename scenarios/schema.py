"""The formats of world and scenario files as JSON Schema, for editors and other programs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from scenarios.changes import ScenarioFile
from scenarios.entries import WorldFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def world_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of world files. Every field has a description with its unit."""
    return _schema(WorldFile, "trimtab world")


def scenario_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of scenario files."""
    return _schema(ScenarioFile, "trimtab scenario")


def _schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    return {"$schema": DIALECT, **model.model_json_schema(), "title": title}
