"""Commands that show or make things without solving: prices, regions, schema, generate and co."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

Trimtab = Callable[..., Any]


def test_prices_come_cheapest_first_with_date_and_source(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("prices", "--file", tiny / "prices.csv", "--cheapest", "2", "--vcpus-min", "4")
    lines = [line.split() for line in done.out.splitlines() if "e2-standard-4" in line]
    assert [line[0] for line in lines] == ["gcp/us-central1", "gcp/europe-west1"]
    assert (lines[0][3], lines[0][-1]) == ("0.134", "[1]")
    assert "[1] 2026-02-01, " in done.out


def test_prices_of_a_world_as_csv(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("prices", "--world", tiny, "--purchase", "spot", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(done.out))
    assert (row["instance_type"], row["price_usd_per_hour"]) == ("m5.large", "0.05")
    assert row["price_date"] == "2026-02-01"


def test_prices_as_json_keep_their_digits(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("prices", "--file", tiny / "prices.csv", "--format", "json", "--cloud", "gcp")
    document = json.loads(done.out)
    assert [row["price_usd_per_hour"] for row in document["offerings"]] == ["0.134", "0.147"]
    assert {row["cloud"] for row in document["offerings"]} == {"gcp"}


def test_the_embedded_book_is_the_default_and_can_be_summed_up(trimtab: Trimtab) -> None:
    text = trimtab("prices", "--summary").out
    for words in ("embedded, as of", "With a price", "Without a usable price", "Google Cloud"):
        assert words in text
    document = json.loads(trimtab("prices", "--summary", "--format", "json").out)
    assert document["offerings"] == sum(row["offerings"] for row in document["priced"]) > 10_000
    assert trimtab("prices", "--summary", "--format", "csv").code == 2


def test_an_unknown_region_suggests_the_nearest(trimtab: Trimtab) -> None:
    done = trimtab("prices", "--region", "aws/eu-centrl-1")
    assert done.code == 2
    assert "aws/eu-central-1" in done.err.partition("→")[2]


def test_a_book_has_one_source(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("prices", "--world", tiny, "--file", tiny / "prices.csv")
    assert done.code == 2
    assert "not both" in done.err


def test_regions_near_a_place(trimtab: Trimtab) -> None:
    by_name = trimtab("regions", "--cloud", "gcp", "--near", "aws/eu-central-1").out
    first = next(line for line in by_name.splitlines() if "gcp/" in line)
    assert "gcp/europe-west3" in first  # Frankfurt, as eu-central-1
    assert "aws/" not in by_name
    by_degrees = trimtab("regions", "--cloud", "gcp", "--near", "50.1,8.7").out
    assert "gcp/europe-west3" in next(line for line in by_degrees.splitlines() if "gcp/" in line)


@pytest.mark.parametrize(
    ("near", "said"),
    [("aws/eu-centrl-1", "aws/eu-central-1"), ("91,0", "latitude 91.0"), ("x,y", "degrees north")],
)
def test_regions_near_nowhere(trimtab: Trimtab, near: str, said: str) -> None:
    done = trimtab("regions", "--near", near)
    assert done.code == 2
    assert said in done.err


def test_schemas_describe_the_files(trimtab: Trimtab, tiny: Path) -> None:
    for kind, file in (("world", "world.yaml"), ("scenario", "whatifs/lost.yaml")):
        schema = json.loads(trimtab("schema", kind).out)
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(yaml.safe_load((tiny / file).read_text()))
    Draft202012Validator.check_schema(json.loads(trimtab("schema", "plan").out))


def test_a_generated_world_is_valid(trimtab: Trimtab, tmp_path: Path) -> None:
    made = trimtab("generate", "--services", 3, "--hours", 2, "--seed", 5, "--out", tmp_path / "w")
    assert (made.code, made.err) == (0, "")
    assert str(tmp_path / "w") in made.out
    checked = trimtab("validate", tmp_path / "w")
    assert checked.code == 0
    assert "no faults in 3 services" in checked.out


def test_a_strict_world_is_valid(trimtab: Trimtab, tmp_path: Path) -> None:
    options = ("--services", 12, "--hourly", "--rules", "all", "--without", "scenarios")
    assert trimtab("generate", *options, "--out", tmp_path / "w").code == 0
    text = (tmp_path / "w" / "world.yaml").read_text(encoding="utf-8")
    assert "commitments:" in text
    assert "demand_scenarios" not in text
    assert "count_hours" not in text
    assert trimtab("validate", tmp_path / "w").code == 0


def test_unknown_kinds_of_rules_are_refused(trimtab: Trimtab, tmp_path: Path) -> None:
    refused = trimtab("generate", "--rules", "everything", "--out", tmp_path / "w")
    assert refused.code == 2
    assert "choose from all, none, latency" in refused.err
    assert not (tmp_path / "w").exists()


def test_validate_lists_every_fault_with_its_line(trimtab: Trimtab, tiny: Path) -> None:
    world = tiny / "world.yaml"
    broken = world.read_text().replace("vcpus: 1", "vcpus: -1").replace("within: [EU]", "within: 7")
    world.write_text(broken)
    done = trimtab("validate", tiny)
    assert (done.code, done.out) == (2, "")
    assert "faults in the input:" in done.err
    assert f"{world}:11: " in done.err
    assert f"{world}:14: " in done.err


def test_why_not_gives_reasons_and_prices(trimtab: Trimtab, tiny: Path) -> None:
    barred = trimtab("why-not", tiny, "web", "gcp/us-central1").out
    assert "web may not run in gcp/us-central1" in barred
    assert "not of EU" in barred
    assert "rule stay" in barred
    dearer = " ".join(trimtab("why-not", tiny, "web", "gcp/europe-west1").out.split())
    assert "web may run in gcp/europe-west1." in dearer
    # at 90 % headroom e2-standard-4 holds 3 replicas for 0.147, m5.large 1 for 0.05
    assert "0.049 USD per hour there (e2-standard-4, on demand)" in dearer
    assert "no place that may serve these users has cheaper ones" in dearer
    spot = " ".join(trimtab("why-not", tiny, "web", "aws/eu-central-1").out.split())
    assert "(m5.large, spot), 2 % more than in gcp/europe-west1" in spot


def test_why_not_knows_its_names(trimtab: Trimtab, tiny: Path) -> None:
    done = trimtab("why-not", tiny, "wbe", "gcp/us-central1")
    assert done.code == 2
    assert "web" in done.err.partition("→")[2]
