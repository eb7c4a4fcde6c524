"""Collection files: every fault with its line, secrets refused, services found by rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from models.errors import FaultyInput
from models.inventory import GroupKind, Instance, InstanceGroup, InstanceState
from models.offerings import Purchase
from scenarios.collecting import Collection, collection_schema, read_collection
from scenarios.lines import read_yaml

GOOD = """\
trimtab: 1
collect: production
aws:
  accounts:
    - {name: main, profile: prod}
    - {name: data, role_arn: 'arn:aws:iam::123456789012:role/read', external_id: x1}
  regions: [eu-west-1, us-east-1]
gcp: {projects: [shop-prod]}
azure: {subscriptions: [00000000-0000-0000-0000-000000000001], regions: all}
services:
  label: app
  rules:
    - {service: checkout, cloud: aws, name: 'checkout-*'}
    - {service: search, labels: {role: 'search*', tier: '*'}}
    - {service: data, account: '123', place: gcp/us-central1}
metrics: {days: 14}
limits: {at_once: 8, deadline_s: 300}
"""


def _read(tmp_path: Path, text: str) -> Collection:
    path = tmp_path / "clouds.yaml"
    path.write_text(text, encoding="utf-8")
    return read_collection(path)


def _faults(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    with pytest.raises(FaultyInput) as caught:
        _read(tmp_path, text)
    return [(fault.at.line, str(fault)) for fault in caught.value.faults]


def test_a_good_file(tmp_path: Path) -> None:
    content = _read(tmp_path, GOOD).content
    assert content.aws is not None
    assert content.aws.regions == ("eu-west-1", "us-east-1")
    assert content.azure is not None
    assert content.azure.regions == "all"
    jsonschema.validate(read_yaml(tmp_path / "clouds.yaml"), collection_schema())


def test_all_faults_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("days: 14", "days: -1").replace("at_once: 8", "at_onse: 8")
    text = text.replace("cloud: aws", "cloud: amazon")
    lines = [line for line, _ in _faults(tmp_path, text)]
    assert lines == [13, 16, 17]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("profile: prod", "secret_access_key: hunter2", 5, "credentials must not stand in files"),
        ("projects: [shop-prod]", "projects: [a], api-key: hunter2", 8, "credentials must not"),
        ("name: data", "name: main", 6, "two accounts are called 'main'"),
        ("role_arn: 'arn:aws:iam::123456789012:role/read', ", "", 6, "goes with a role"),
        ("aws:\n", "simulated: {world: shop}\naws:\n", 3, "do not mix"),
        ("profile: prod", "secretAccessKey: hunter2", 5, "credentials must not stand in files"),
        ("profile: prod", "auth-token: hunter2", 5, "credentials must not stand in files"),
        ("regions: all", "endpoint: 'https://x/?sig=hunter2'", 9, "leave out what follows"),
        ("regions: all", "endpoint: 'ftp://x'", 9, "endpoint"),
        ("regions: all", "endpoint: 'http://proxy.example:80/'", 9, "proxy.example unencrypted"),
        ("regions: all", "endpoint: 'http://[::1'", 9, "is no address"),
        ("regions: all", "endpoint: 'https://x:port/'", 9, "is no address"),
        ("regions: all", "endpoint: 'https://user:hunter2@x/'", 9, "credentials must not"),
        ("regions: all", "endpoint: 'https://user:hunter2/hunter2@x/'", 9, "credentials must not"),
        ("regions: all", "regions: al", 9, "azure.regions must be a list, not 'al'"),
        ("regions: all", "regions: [3]", 9, "azure.regions[1] must be text"),
        ("[eu-west-1, us", "['https://user:hunter2@x', us", 7, "credentials must not"),
    ],
)
def test_faults(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    found = _faults(tmp_path, GOOD.replace(old, new, 1))
    assert any(at == line and said in text for at, text in found), found
    assert not any("hunter2" in text or "user:" in text for _, text in found)


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    ((_, said),) = _faults(tmp_path, "trimtab: 1\nworld: shop\n")
    assert "this is not a collection file" in said


def test_a_cloud_must_be_named(tmp_path: Path) -> None:
    ((line, said),) = _faults(tmp_path, "trimtab: 1\ncollect: nothing\n")
    assert line == 2
    assert "no cloud is named" in said


def _instance(**changes: object) -> Instance:
    base = {
        "id": "i-1", "account": "1", "place": "aws/eu-west-1", "zone": "a",
        "instance_type": "m5.large", "purchase": Purchase.SPOT, "state": InstanceState.RUNNING,
        "launched": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    return Instance(**{**base, **changes})  # type: ignore[arg-type]


def _group(name: str, cloud: str = "aws") -> InstanceGroup:
    return InstanceGroup(
        f"id/{name}", name, GroupKind.AUTO_SCALING_GROUP, "1", f"{cloud}/x", (), 0, 1, 2, 1,
        ("m5.large",),
    )  # fmt: skip


def test_services_are_found_by_the_first_rule(tmp_path: Path) -> None:
    service_of = _read(tmp_path, GOOD).service_of
    assert service_of(_group("checkout-blue")) == "checkout"
    assert service_of(_group("checkout-blue", "gcp")) == ""
    assert service_of(_instance(labels=(("app", "web"),))) == "web"
    assert service_of(_instance(labels=(("app", "web"), ("role", "search2"), ("tier", "1")))) == (
        "search"
    )
    assert service_of(_instance(group="checkout-7")) == "checkout"
    assert service_of(_instance(account="123", place="gcp/us-central1")) == "data"
    assert service_of(_instance()) == ""


def test_instances_run_what_their_group_runs_unless_they_say_otherwise(tmp_path: Path) -> None:
    service_of = _read(tmp_path, GOOD).service_of
    blue, green = _group("checkout-blue"), _group("green")
    inside = _instance(group=blue.id)
    assert service_of(inside) == ""
    assert service_of(inside, blue) == "checkout"
    labelled = _instance(group=green.id, labels=(("app", "web"),))
    assert service_of(labelled, replace(green, labels=(("app", "api"),))) == "web"
    assert service_of(inside, replace(green, labels=(("app", "api"),))) == "api"
    rule = replace(green, labels=(("role", "search1"), ("tier", "2")))
    assert service_of(inside, rule) == "search"
    # Rules come before labels, in groups as elsewhere.
    assert service_of(replace(labelled, group=blue.id), blue) == "checkout"


def test_this_machine_may_be_asked_without_encryption(tmp_path: Path) -> None:
    for host in ("127.0.0.1:5000", "localhost", "[::1]:80"):
        text = GOOD.replace("regions: all", f"endpoint: 'http://{host}'")
        assert _read(tmp_path, text).content.azure is not None
