"""``trimtab pack``: what it prints and writes, and how it ends."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Trimtab = Callable[..., Any]

BOOK = """\
provider,region,instance_type,purchase_option,price_usd_per_hour,vcpus,memory_gib,arch,price_date
aws,eu-central-1,m5.large,on_demand,0.115,2,8,x86_64,2026-02-01
aws,eu-central-1,m5.xlarge,on_demand,0.23,4,16,x86_64,2026-02-01
gcp,europe-west1,e2-standard-4,on_demand,0.147,4,16,x86_64,2026-02-01
"""
PODS = "name,vcpus,memory_gib,count,per_node\nweb,0.9,2,7,\n=cmd,0.5,4,3,1\n"


@pytest.fixture
def given(tmp_path: Path) -> list[object]:
    (tmp_path / "book.csv").write_text(BOOK)
    (tmp_path / "pods.csv").write_text(PODS)
    return [tmp_path / "pods.csv", "--file", tmp_path / "book.csv"]


def test_the_cheapest_place_comes_first(trimtab: Trimtab, given: list[object]) -> None:
    done = trimtab("pack", *given, "--place", "aws/eu-central-1", "--place", "gcp/europe-west1")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("gcp/europe-west1: 3 nodes, 0.44 USD per hour, 321.93 USD per month")
    assert lines[1].startswith("Proven")
    assert "First-fit decreasing" in done.out
    assert "By place" in done.out
    assert "aws/eu-central-1" in done.out


def test_json_and_csv_are_exact_and_harmless(trimtab: Trimtab, given: list[object]) -> None:
    place = ("--place", "gcp/europe-west1")
    document = json.loads(trimtab("pack", *given, *place, "--format", "json").out)
    assert document["format"] == "trimtab-nodes"
    (one,) = document["places"]
    assert one["usd_per_hour"] == "0.441"
    assert float(one["bound_usd_per_hour"]) <= 0.441
    pods = [(node["copies"], node["pods"]) for node in document["nodes"]]
    assert sum(copies * held.get("web", 0) for copies, held in pods) == 7
    assert sum(copies * held.get("=cmd", 0) for copies, held in pods) == 3
    rows = list(csv.DictReader(io.StringIO(trimtab("pack", *given, *place, "--format", "csv").out)))
    assert {row["instance_type"] for row in rows} == {"e2-standard-4"}
    assert sum(int(row["copies"]) * int(row["pods_per_node"]) for row in rows) == 10
    assert not any(row["services"].startswith("=") for row in rows)


def test_results_are_written_at_once(trimtab: Trimtab, given: list[object], tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        assert trimtab("pack", *given, "--place", "gcp/europe-west1", "--out", out).code == 0
    assert {path.name for path in out.iterdir()} == {"nodes.json", "nodes.csv", "nodes.html"}
    page = (out / "nodes.html").read_text()
    assert "e2-standard-4" in page
    assert "Content-Security-Policy" in page
    (out / "mine.txt").write_text("")
    refused = trimtab("pack", *given, "--place", "gcp/europe-west1", "--out", out)
    assert refused.code == 2
    assert "mine.txt" in refused.err


def test_pods_that_fit_nowhere_end_with_3(trimtab: Trimtab, given: list[object]) -> None:
    pods = given[0]
    assert isinstance(pods, Path)
    pods.write_text("name,vcpus,memory_gib,count\nhuge,99,1,1\n")
    out = pods.parent / "out"
    done = trimtab("pack", *given, "--place", "gcp/europe-west1", "--out", out)
    assert done.code == 3
    assert "huge: no on_demand node type" in " ".join(done.out.split())
    assert not out.exists()
    none = trimtab("pack", *given, "--place", "gcp/europe-west1", "--format", "json")
    assert json.loads(none.out)["status"] == "infeasible"


def test_faults_end_with_2(trimtab: Trimtab, given: list[object]) -> None:
    done = trimtab("pack", *given, "--place", "gcp/europe-wst1")
    assert done.code == 2
    assert "gcp/europe-west1" in done.err.partition("→")[2]
    pods = given[0]
    assert isinstance(pods, Path)
    pods.write_text("name,vcpus,memory_gib,count\nweb,-1,1,1\n")
    done = trimtab("pack", *given, "--place", "gcp/europe-west1")
    assert done.code == 2
    assert f"{pods}:2: vcpus must be" in done.err


def test_a_missed_gap_counts_with_strict(trimtab: Trimtab, given: list[object]) -> None:
    place = ("--place", "gcp/europe-west1", "--gap", "0", "--quiet")
    loose = trimtab("pack", *given, *place, "--reserve-vcpus", "0.3")
    strict = trimtab("pack", *given, *place, "--reserve-vcpus", "0.3", "--strict")
    assert (loose.code, loose.out) == (0, "")
    assert strict.code in (0, 5)
