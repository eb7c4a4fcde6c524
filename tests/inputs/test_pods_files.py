"""Files of pods: what they mean, and every fault with its line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml
from jsonschema import Draft202012Validator

from models.errors import FaultyInput
from models.nodes import Pods
from models.offerings import Architecture
from scenarios.pods import pods_schema, read_pods

YAML = """\
trimtab: 1
pods:
  - {name: web, vcpus: 0.5, memory_gib: 1, count: 12, spread_zones: true,
     architectures: [x86_64, arm64]}
  - {name: db, vcpus: 4, memory_gib: 32, count: 3, per_node: 1, apart_from: [web]}
"""
CSV = """\
name,vcpus,memory_gib,count,architectures,spread_zones,per_node,apart_from
web,0.5,1,12,x86_64 arm64,true,,

db,4,32,3,,,1,web
"""
MEANT = (
    Pods("web", 0.5, 1.0, 12, architectures=frozenset(Architecture), spread_zones=True),
    Pods("db", 4.0, 32.0, 3, per_node=1, apart_from=frozenset({"web"})),
)


def plain(pods: tuple[Pods, ...]) -> list[str]:
    return [repr(group).partition(", at=")[0] for group in pods]


def test_yaml_csv_and_parquet_mean_the_same(tmp_path: Path) -> None:
    (tmp_path / "pods.yaml").write_text(YAML)
    (tmp_path / "pods.csv").write_text(CSV)
    pd.read_csv(tmp_path / "pods.csv").to_parquet(tmp_path / "pods.parquet")
    for name in ("pods.yaml", "pods.csv", "pods.parquet"):
        assert plain(read_pods(tmp_path / name)) == plain(MEANT)
    assert read_pods(tmp_path / "pods.csv")[1].at.line == 4


def test_the_schema_describes_the_file() -> None:
    Draft202012Validator.check_schema(pods_schema())
    Draft202012Validator(pods_schema()).validate(yaml.safe_load(YAML))


@pytest.mark.parametrize(
    ("was", "now", "line", "said", "hint"),
    [
        ("vcpus: 0.5", "vcpus: 0", 3, "vcpus must be at least 0.001", ""),
        ("count: 12", "number: 12", 3, "unknown key pods[1].number", ""),
        ("per_node: 1", "per_node: 0", 5, "per_node must be at least 1", ""),
        ("name: db", "name: web", 5, "'web' stands twice", "join it with"),
        ("[web]", "[wep]", 5, "unknown service 'wep'", "did you mean 'web'?"),
        ("[web]", "[db]", 5, "apart from itself", "per_node: 1"),
        ("count: 3", "count: 3, gpu_models: [T4]", 5, "names GPU models", "gpus: 1"),
        ("count: 12", "count: 1000000", 3, "more than 1,000,000", "one cluster"),
        ("trimtab: 1", "trimtab: 2", 1, "unknown format version 2", "trimtab: 1"),
        ("arm64", "arm32", 4, "arm32", "arm64"),
    ],
)  # fmt: skip
def test_faults(tmp_path: Path, was: str, now: str, line: int, said: str, hint: str) -> None:
    path = tmp_path / "pods.yaml"
    path.write_text(YAML.replace(was, now, 1))
    with pytest.raises(FaultyInput) as caught:
        read_pods(path)
    fault = caught.value.faults[0]
    assert said in "\n".join(one.message for one in caught.value.faults)
    assert hint in "\n".join(one.suggestion for one in caught.value.faults)
    if "more than" not in said:
        assert line in {one.at.line for one in caught.value.faults}
    assert fault.at.file == str(path)


def test_all_faults_of_a_table_come_at_once(tmp_path: Path) -> None:
    path = tmp_path / "pods.csv"
    path.write_text("name,vcpus,memory_gib,count\nweb,-1,1,1\ndb,1,x,1\nweb,1,1,0\n")
    with pytest.raises(FaultyInput) as caught:
        read_pods(path)
    assert sorted(fault.at.line for fault in caught.value.faults) == [2, 3, 4]


def test_files_without_pods(tmp_path: Path) -> None:
    (tmp_path / "pods.csv").write_text("name,vcpus,memory_gib,count\n")
    for name, said in (("pods.csv", "no pods"), ("none.yaml", "no such file"), ("no.csv", "exist")):
        with pytest.raises(FaultyInput, match=said):
            read_pods(tmp_path / name)
