"""Pieces that JSON Schemas are made of (draft 2020-12)."""

from __future__ import annotations

from typing import Any, Final

from optimizer.output.json_values import Document

SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
TEXT: Final = {"type": "string"}
COUNT: Final = {"type": "integer", "minimum": 0}
FLAG: Final = {"type": "boolean"}
TEXT_OR_NULL: Final = {"type": ["string", "null"]}
NUMBER_OR_NULL: Final = {"type": ["number", "null"]}
USD: Final = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
USD_OR_NULL: Final = {"anyOf": [USD, {"type": "null"}]}
MOMENT: Final = {
    "type": "string",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
}


def record(**fields: object) -> Document:
    """An object of exactly these fields."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def list_of(items: object) -> Document:
    return {"type": "array", "items": items}


def map_of(values: object) -> Document:
    """An object with any keys."""
    return {"type": "object", "additionalProperties": values}


def said(schema: dict[str, Any], description: str) -> Document:
    """A schema with what it is about, in words."""
    return {**schema, "description": description}


def one_of(values: list[str]) -> Document:
    return {"enum": values}
