"""The small cloud on loopback takes only what Google's discovery documents have."""

from __future__ import annotations

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from gcp_contract import Refused, call_of
from gcp_server import server

BASE = "/compute/v1/projects/p/regions/europe-west1/instanceGroupManagers"
GROUP = {"name": "web", "targetSize": 1}


@pytest.mark.parametrize(
    ("verb", "target", "body", "said"),
    [
        ("GET", "/compute/v1/projects/p/region", None, "there is no"),
        ("PUT", BASE, GROUP, "there is no"),
        ("GET", f"{BASE}?pageSize=5", None, "no parameter pageSize"),
        ("GET", f"{BASE}?maxResults=many", None, "is no number"),
        ("POST", f"{BASE}/web/resize", None, "needs size"),
        ("POST", f"{BASE}/web/resize?size=1", GROUP, "takes no body"),
        ("POST", BASE, {**GROUP, "spotShare": 0.5}, "no field spotShare"),
        ("POST", BASE, {**GROUP, "targetSize": "one"}, "cannot be 'one'"),
        ("POST", BASE, {**GROUP, "updatePolicy": {"type": "NOW"}}, "cannot be 'NOW'"),
        ("POST", BASE, {**GROUP, "versions": {}}, "is no list"),
        ("GET", "/v1/services/x/skus?maxResults=5", None, "no parameter maxResults"),
    ],
)
def test_what_google_does_not_have(
    verb: str, target: str, body: dict[str, object] | None, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        call_of(verb, target, json.dumps(body).encode() if body else b"")


@pytest.mark.parametrize(
    ("verb", "target", "body", "name"),
    [
        ("GET", f"{BASE}?maxResults=5&alt=json", None, "regionInstanceGroupManagers.list"),
        ("POST", f"{BASE}?requestId=1", GROUP, "regionInstanceGroupManagers.insert"),
        ("PATCH", f"{BASE}/web", {"versions": None}, "regionInstanceGroupManagers.patch"),
    ],
)
def test_what_google_has(verb: str, target: str, body: dict[str, object] | None, name: str) -> None:
    _, call = call_of(verb, target, json.dumps(body).encode() if body else b"")
    assert call.verb == f"compute.{name}"
    assert call.path["region"] == "europe-west1"


def test_refusals_are_answers_too() -> None:
    made = server()
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(f"{made.address}/compute/v1/projects/p/everything"))
    with caught.value as answer:
        assert answer.code == 400
        assert json.load(answer)["error"]["errors"][0]["reason"] == "invalid"
    with made.lock:
        made.reset()
