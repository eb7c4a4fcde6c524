"""Services, origins, dependencies and fleet may live in CSV and Parquet files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from models.errors import Fault
from models.world import Catalogue, World
from scenarios.build import build_world
from scenarios.documents import read_world
from scenarios.tables import origin_names

Faults = Callable[..., list[Fault]]
HEAD = """\
trimtab: 1
world: corner shop
demand: {history: demand.csv}
origins: {table: origins.csv}
services: {table: services.csv}
dependencies: {table: calls.csv}
fleet: {table: fleet.csv}
"""
ORIGINS = """\
name,near,latitude_deg,longitude_deg,country,continent
europe,aws/eu-west-1,,,,
america,,40.7,-74,US,North America
"""
SERVICES = """\
name,team,replica_vcpus,replica_memory_gib,replica_throughput_rps,replica_service_time_ms,\
architectures,min_replicas,max_places,spot_tolerant,stateful,state_gib,response_kib,\
latency_objective_ms
web,front,1,2,100,20,x86_64 arm64,3,2,true,,,40,150

stock,back,2,8,50.5,,,,,,true,100,,
"""
CALLS = "caller,callee,calls_per_request,request_kib,response_kib\nweb,stock,1.5,1,8\n"
FLEET = """\
service,place,instance_type,purchase,count
web,aws/us-east-1,m5.xlarge,,2
stock,aws/eu-west-1,m5.xlarge,spot,1
"""
GOOD = {"origins_csv": ORIGINS, "services_csv": SERVICES, "calls_csv": CALLS, "fleet_csv": FLEET}


def _facts(world: World) -> list[list[tuple[object, ...]]]:
    """What the tables say, without where it is written."""
    return [
        [(o.name, o.coordinates, o.country, o.continent) for o in world.origins],
        [(s.name, s.replica, s.team, s.architectures, s.min_replicas, s.stateful, s.state_gib,
          s.spot_tolerant, s.max_places, s.response_kib) for s in world.services],
        [(d.caller, d.callee, d.calls_per_request, d.request_kib, d.response_kib)
         for d in world.dependencies],
        [(g.service, g.place, g.instance_type, g.purchase, g.count) for g in world.fleet.groups],
    ]  # fmt: skip


def test_csv_says_the_same_as_yaml(
    write: Callable[..., Path], catalogue: Catalogue, world: World
) -> None:
    from_tables = build_world(read_world(write(text=HEAD, **GOOD)), catalogue)
    assert _facts(from_tables) == _facts(world)
    lines = [(Path(s.at.file).name, s.at.line) for s in from_tables.services]
    assert lines == [("services.csv", 2), ("services.csv", 4)]
    latency = from_tables.rules[0]
    assert (latency.name, latency.at.line) == ("latency:web", 2)


def test_parquet_says_the_same_as_yaml(
    write: Callable[..., Path], catalogue: Catalogue, world: World
) -> None:
    path = write(text=HEAD.replace(".csv}\nd", ".parquet}\nd"), **GOOD)
    frame = pd.read_csv(path.parent / "services.csv")
    frame["architectures"] = [["x86_64", "arm64"], ["x86_64"]]
    frame["stateful"] = [False, True]
    frame["spot_tolerant"] = [True, False]
    frame.to_parquet(path.parent / "services.parquet")
    from_tables = build_world(read_world(path), catalogue)
    assert _facts(from_tables) == _facts(world)
    assert [s.at.line for s in from_tables.services] == [1, 2]


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "message", "suggestion"),
    [
        ("services", "replica_memory_gib", "replica_memory_mib", 1,
         "unknown column 'replica_memory_mib'", "use 'replica_memory_gib', in GiB: divide"),
        ("services", "replica_memory_gib", "memory", 1, "unknown column 'memory'",
         "use 'replica_memory_gib'"),
        ("services", "replica_memory_gib", "x", 1, "missing columns: replica_memory_gib", "name"),
        ("services", "team,", "name,", 1, "the column 'name' stands twice", "remove one"),
        ("services", "web,front,1,2,100", "web,front,1,2GB,100", 2,
         "replica.memory_gib must be a number, not '2GB'", "write 1.86265 (GiB"),
        ("services", "stock,back,2,8", "stock,back,,8", 4, "replica.vcpus is missing",
         "vCPUs that one replica takes"),
        ("services", "stock,back,2,8", "stock,back,nan,8", 4, "must be a number, not 'nan'", ""),
        ("services", "x86_64 arm64", "x86_64 arm", 2, "architectures[2] cannot be 'arm'", "arm64"),
        ("services", ",true,,,40", ",yes,,,40", 2, "must be true or false", "write true"),
        ("services", "web,front,1", "web,front,1,9", 2, "15 cells in a table of 14 columns",
         "double quotes"),
        ("services", "stock,back", "web,back", 4, "the service 'web' stands twice", "own"),
        ("services", "web,front", "\x07web,front", 2, "control characters", "printable"),
        ("origins", "aws/eu-west-1", "aws/eu-west-9", 2, "unknown place", "'aws/eu-west-1'"),
        ("origins", "40.7,-74,US", "40.7,-74,usa", 3, "ISO 3166", "such as DE"),
        ("calls", "web,stock", "web,stok", 2, "unknown service 'stok'", "'stock'"),
        ("calls", "1.5", "-1", 2, "calls_per_request must be greater than 0", ""),
        ("fleet", "m5.xlarge,,2", "m5.xlarge,,0", 2, "count must be at least 1", ""),
        ("fleet", "m5.xlarge,spot", "m5.xlrge,spot", 3, "unknown instance type", "'m5.xlarge'"),
        ("fleet", "m5.xlarge,spot", "m5.xlarge,sopt", 3, "purchase cannot be 'sopt'", "'spot'"),
    ],
)  # fmt: skip
def test_faulty_table(
    faults_of: Faults, file: str, old: str, new: str, line: int, message: str, suggestion: str
) -> None:
    text = GOOD[f"{file}_csv"]
    assert old in text
    faults = faults_of(text=HEAD, **{**GOOD, f"{file}_csv": text.replace(old, new, 1)})
    fault = next((fault for fault in faults if message in fault.message), None)
    assert fault is not None, [str(fault) for fault in faults]
    assert (Path(fault.at.file).name, fault.at.line) == (f"{file}.csv", line)
    assert suggestion in fault.suggestion


def test_faults_of_all_tables_at_once(faults_of: Faults) -> None:
    faults = faults_of(
        text=HEAD,
        **{
            **GOOD,
            "services_csv": SERVICES.replace("50.5", "many"),
            "calls_csv": CALLS.replace("1.5", "0"),
            "fleet_csv": FLEET.replace("aws/us-east-1", "aws/us-east-9"),
        },
    )
    assert sorted(Path(fault.at.file).name for fault in faults) == [
        "calls.csv", "fleet.csv", "services.csv"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file 'fleet.csv' is empty"),
        ('service,place\n"open', "missing columns"),
        ('service,place,instance_type,count\n"open,1,2,3', "not CSV"),
    ],
)
def test_unreadable_table(faults_of: Faults, content: str, message: str) -> None:
    faults = faults_of(text=HEAD, **{**GOOD, "fleet_csv": content})
    assert any(message in fault.message for fault in faults), [str(fault) for fault in faults]


def test_damaged_parquet_table(write: Callable[..., Path], faults_of: Faults) -> None:
    path = write(text=HEAD, **GOOD)
    (path.parent / "fleet.parquet").write_bytes(b"PAR1 this is no table PAR1")
    (fault,) = faults_of(text=HEAD.replace("fleet.csv", "fleet.parquet"), **GOOD)
    assert "not readable Parquet" in fault.message


def test_names_of_origins_before_the_world_is_built(write: Callable[..., Path]) -> None:
    faulty = ORIGINS.replace("40.7", "north")
    path = write(text=HEAD, **{**GOOD, "origins_csv": faulty})
    assert origin_names(read_world(path)) == {"europe", "america"}


def test_missing_table(faults_of: Faults) -> None:
    (fault,) = faults_of(text=HEAD.replace("fleet.csv", "flet.csv"), **GOOD)
    assert "the file 'flet.csv' does not exist" in fault.message
    assert (Path(fault.at.file).name, fault.at.line) == ("world.yaml", 7)
