"""Shared nodes as ``nodes.json`` and ``nodes.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from models.nodes import Node, NoNodes, SharedNodes
from optimizer.output.json_values import Document, json_text
from optimizer.output.money import decimal_text
from optimizer.output.sheets import csv_bytes
from optimizer.report.nodes import render_nodes

NODE_COLUMNS: Final = (
    "place", "instance_type", "purchase", "zone", "copies", "price_usd_per_hour", "usd_per_hour",
    "price_date", "pods_per_node", "services",
)  # fmt: skip


def nodes_document(found: Sequence[SharedNodes | NoNodes]) -> Document:
    """Every place that was asked for, the cheapest first, and the nodes of the cheapest."""
    first = found[0]
    return {
        "format": "trimtab-nodes",
        "version": 1,
        "status": "packed" if isinstance(first, SharedNodes) else "infeasible",
        "places": [_place(one) for one in found],
        "nodes": [_node(node) for node in first.nodes] if isinstance(first, SharedNodes) else [],
    }


def nodes_table(found: Sequence[SharedNodes | NoNodes]) -> pd.DataFrame:
    """One row per kind of node, of all places; ``services`` are ``name:pods`` on one node."""
    rows = [
        (
            one.place,
            node.instance_type,
            node.purchase,
            node.zone or None,
            node.copies,
            node.price_usd_per_hour,
            node.usd_per_hour,
            node.price_date,
            sum(count for _, count in node.pods),
            " ".join(f"{name}:{count}" for name, count in node.pods),
        )
        for one in found
        if isinstance(one, SharedNodes)
        for node in one.nodes
    ]
    table = pd.DataFrame(rows, columns=list(NODE_COLUMNS))
    return table.astype({"zone": "Int64", "copies": "int64", "pods_per_node": "int64"})


def nodes_files(found: Sequence[SharedNodes | NoNodes]) -> dict[str, bytes]:
    """Every file of a packing, by name."""
    return {
        "nodes.json": json_text(nodes_document(found)).encode(),
        "nodes.csv": csv_bytes(nodes_table(found)),
        "nodes.html": render_nodes(found).encode(),
    }


def _place(one: SharedNodes | NoNodes) -> Document:
    if isinstance(one, NoNodes):
        return {"place": one.place, "status": "infeasible", "reasons": list(one.reasons)}
    first_fit = one.first_fit_usd_per_hour
    return {
        "place": one.place,
        "status": "packed",
        "usd_per_hour": decimal_text(one.usd_per_hour),
        "bound_usd_per_hour": decimal_text(one.bound_usd_per_hour),
        "gap": one.gap,
        "proof": one.proof.value,
        "usd_per_month": decimal_text(one.usd_per_month),
        "first_fit_usd_per_hour": None if first_fit is None else decimal_text(first_fit),
        "nodes": one.machines,
        "book": one.book,
        "as_of": one.as_of.isoformat(),
        "seconds": round(one.seconds, 3),
    }


def _node(node: Node) -> Document:
    return {
        "instance_type": node.instance_type,
        "purchase": node.purchase,
        "zone": node.zone or None,
        "copies": node.copies,
        "price_usd_per_hour": decimal_text(node.price_usd_per_hour),
        "price_date": node.price_date,
        "pods": dict(node.pods),
    }
