"""Azure's APIs over TLS on loopback, for real clients. Paths, versions, parameters and bodies are
checked against the SDK's own (``azure_contract``); how it behaves is ours (``azure_state``).
"""

from __future__ import annotations

import copy
import json
import re
import ssl
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from azure_contract import Route, faults_of, route_of
from azure_state import REGIONS, Cloud, Json, Machine, Refused, ScaleSet
from own_certificate import self_signed

PAGE_ROWS = 50
SECRET = "planted-secret-token-that-must-never-show"


@dataclass(frozen=True)
class Call:
    """What was asked."""

    operation: str
    place: dict[str, str]
    parameters: dict[str, str]
    headers: dict[str, str]
    body: Json | None


@dataclass(frozen=True)
class Answer:
    """What is answered. ``raw``: instead of ``body``; ``cut``: break off in the middle."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    drop: bool = False


def refused(status: int, code: str, message: str = "no", **headers: str) -> Answer:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Answer(status, {"error": {"code": code, "message": message}}, named)


Fault = Callable[[Call], Answer | None]


@dataclass(eq=False)
class StandIn:
    """The server's state; ``reset`` between tests. A fault that answers goes before everything;
    ``lose_next``: answers to changes that get lost, after the change.
    """

    address: str = ""
    ca_file: str = ""
    cloud: Cloud = field(default_factory=Cloud)
    calls: list[Call] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    lose_next: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def reset(self) -> None:
        with self.lock:
            self.cloud, self.calls, self.faults, self.lose_next = Cloud(), [], [], 0

    def asked(self, operation: str) -> list[Call]:
        return [call for call in self.calls if call.operation == operation]

    def answer(self, method: str, url: str, headers: dict[str, str], data: bytes) -> Answer:
        with self.lock:
            try:
                return self._answer(method, url, headers, data)
            except Refused as error:
                return refused(error.status, error.code, error.message)

    def _answer(self, method: str, url: str, headers: dict[str, str], data: bytes) -> Answer:
        asked = urlsplit(url)
        found = route_of(method, unquote(asked.path))
        if found is None:
            raise Refused(404, "InvalidResourceType", f"{method} {asked.path} is no operation")
        route, place = found
        parameters = dict(parse_qsl(asked.query))
        body = json.loads(data) if data else None
        call = Call(route.operation, place, parameters, headers, body)
        self.calls.append(call)
        self._check(route, call)
        for fault in self.faults:
            answer = fault(call)
            if answer is not None:
                return answer
        answer = _HANDLERS[route.operation](self, call)
        if method != "GET" and route.operation != "metrics.getBatch" and self.lose_next:
            self.lose_next -= 1
            return Answer(drop=True)
        return answer

    def _check(self, route: Route, call: Call) -> None:
        if call.parameters.get("api-version") != route.version:
            raise Refused(400, "InvalidApiVersionParameter", "no such version")
        odd = set(call.parameters) - route.parameters
        if odd:
            raise Refused(400, "InvalidQueryParameter", f"unknown: {sorted(odd)}")
        signed = call.headers.get("authorization")
        if route.operation == "retailPrices":
            if signed is not None:
                raise Refused(400, "BadRequest", "a token was sent where none is asked for")
        elif signed != f"Bearer {SECRET}":
            raise Refused(401, "InvalidAuthenticationToken", "The access token is invalid.")
        place = call.place.get("sub", self.cloud.subscription)
        if place != self.cloud.subscription:
            raise Refused(404, "SubscriptionNotFound", f"The subscription '{place}' is not found.")
        if route.body is not None:
            faults = faults_of(call.body, route.body)
            if faults:
                raise Refused(400, "InvalidRequestContent", "; ".join(faults))

    def page(self, call: Call, rows: list[Json]) -> Answer:
        """Some rows, and a link to the next."""
        start = int(call.parameters.get("skip", "0"))
        body: Json = {"value": rows[start : start + PAGE_ROWS]}
        if start + PAGE_ROWS < len(rows):
            body["nextLink"] = self.link(call, start + PAGE_ROWS)
        return Answer(body=body)

    def link(self, call: Call, skip: int) -> str:
        path = _PATHS[call.operation].format(**call.place)
        return f"{self.address}{path}?{urlencode({**call.parameters, 'skip': str(skip)})}"

    def taken_on(self, call: Call, error: Json | None, body: object, status: int) -> Answer:
        """An operation under way: where to look after it."""
        number = self.cloud.operation(error)
        address = (
            f"{self.address}/subscriptions/{call.place['sub']}/providers/Microsoft.Compute"
            f"/locations/westeurope/operations/{number}?api-version=2026-04-01"
        )
        return Answer(status, body, {"Azure-AsyncOperation": address})


_PATHS = {
    "virtualMachines.listByLocation": "/subscriptions/{sub}/providers/Microsoft.Compute/locations"
                                      "/{location}/virtualMachines",
    "virtualMachines.listAll": "/subscriptions/{sub}/providers/Microsoft.Compute/virtualMachines",
    "virtualMachineScaleSets.listByLocation": "/subscriptions/{sub}/providers/Microsoft.Compute"
                                              "/locations/{location}/virtualMachineScaleSets",
    "virtualMachineScaleSetVMs.list": "/subscriptions/{sub}/resourceGroups/{group}/providers"
                                      "/Microsoft.Compute/virtualMachineScaleSets/{name}"
                                      "/virtualMachines",
    "resourceSkus.list": "/subscriptions/{sub}/providers/Microsoft.Compute/skus",
    "usage.list": "/subscriptions/{sub}/providers/Microsoft.Compute/locations/{location}/usages",
    "reservation.listAll": "/providers/Microsoft.Capacity/reservations",
    "savingsPlans.listAll": "/providers/Microsoft.BillingBenefits/savingsPlans",
    "retailPrices": "/api/retail/prices",
}  # fmt: skip


def _machines_of_region(self: StandIn, call: Call) -> Answer:
    rows = [
        self.cloud.machine_json(machine, False) for machine in self.cloud.singles()
        if machine.location == call.place["location"]
    ]  # fmt: skip
    return self.page(call, rows)


def _all_machines(self: StandIn, call: Call) -> Answer:
    machines = self.cloud.singles()
    if call.parameters.get("statusOnly") == "true":
        rows = [
            {"id": self.cloud.machine_id(one), "name": one.name, "location": one.location,
             "properties": {"instanceView": one.view()}} for one in machines
        ]  # fmt: skip
        return self.page(call, rows)
    match = re.fullmatch(
        r"'virtualMachineScaleSet/id' eq '(?P<id>[^']+)'", call.parameters.get("$filter", "")
    )
    if match is None:
        raise Refused(400, "BadRequest", "expand needs a filter")
    rows = [
        self.cloud.machine_json(one, True) for one in machines
        if one.scale_set and match["id"].lower()
        == self.cloud.set_id(self.cloud.found(one.group, one.scale_set)).lower()
    ]  # fmt: skip
    return self.page(call, rows)


def _machine(self: StandIn, call: Call) -> Machine:
    return self.cloud.machine(call.place["group"], call.place["name"])


def _get_machine(self: StandIn, call: Call) -> Answer:
    view = "$expand" in call.parameters
    return Answer(body=self.cloud.machine_json(_machine(self, call), view))


def _view_machine(self: StandIn, call: Call) -> Answer:
    return Answer(body=_machine(self, call).view())


def _update_machine(self: StandIn, call: Call) -> Answer:
    machine = _machine(self, call)
    body = call.body or {}
    if set(body) == {"tags"}:
        machine.tags = body["tags"]
        return self.taken_on(call, None, self.cloud.machine_json(machine, False), 200)
    if body != {"properties": {"virtualMachineScaleSet": None}}:
        raise Refused(400, "InvalidParameter", f"the stand-in cannot do {body}")
    if machine.scale_set:
        one = self.cloud.found(machine.group, machine.scale_set)
        machine.scale_set = ""
        one.capacity -= 1
        one.version += 1
    return self.taken_on(call, None, self.cloud.machine_json(machine, False), 200)


def _restart(self: StandIn, call: Call) -> Answer:
    machine = _any_machine(self, call)
    machine.power = "starting"
    self.cloud.restarts.append(machine.name)
    return self.taken_on(call, None, None, 202)


def _start(self: StandIn, call: Call) -> Answer:
    machine = _any_machine(self, call)
    error = None
    if machine.size in self.cloud.lacking:
        error = {"code": "AllocationFailed", "message": "no room for it"}
    else:
        machine.power = "starting"
    return self.taken_on(call, error, None, 202)


def _any_machine(self: StandIn, call: Call) -> Machine:
    if "member" not in call.place:
        return _machine(self, call)
    one = _set(self, call)
    key = call.place["member"] if one.flexible else f"{one.name}/{call.place['member']}"
    return self.cloud.machine(call.place["group"], key)


def _set(self: StandIn, call: Call) -> ScaleSet:
    return self.cloud.found(call.place["group"], call.place["name"])


def _sets_of_region(self: StandIn, call: Call) -> Answer:
    rows = [
        self.cloud.set_json(one) for one in self.cloud.sets.values()
        if one.body["location"] == call.place["location"]
    ]  # fmt: skip
    return self.page(call, rows)


def _get_set(self: StandIn, call: Call) -> Answer:
    return Answer(body=self.cloud.set_json(_set(self, call)))


def _put_set(self: StandIn, call: Call) -> Answer:
    key = call.place["group"].lower(), call.place["name"].lower()
    if call.headers.get("if-none-match") == "*" and key in self.cloud.sets:
        raise Refused(412, "PreconditionFailed", "The condition was not met.")
    body = copy.deepcopy(call.body or {})
    policy = body["properties"].get("priorityMixPolicy")
    if policy and body["properties"]["virtualMachineProfile"].get("priority") != "Spot":
        raise Refused(400, "InvalidParameter", "a priority mix needs priority Spot")
    group = next(one.group for one in self.cloud.sets.values() if one.group.lower() == key[0])
    one = ScaleSet(call.place["name"], group, body)
    self.cloud.check_quota(one, one.capacity)
    self.cloud.sets[key] = one
    error = self.cloud.grow(one)
    return self.taken_on(call, error, self.cloud.set_json(one), 201)


def _update_set(self: StandIn, call: Call) -> Answer:
    one, body = _set(self, call), call.body or {}
    if call.headers.get("if-match") not in (None, "*", one.etag):
        raise Refused(412, "PreconditionFailed", "The condition was not met.")
    capacity = body.get("sku", {}).get("capacity", one.capacity)
    self.cloud.check_quota(one, capacity)
    profile = one.properties.get("virtualMachineProfile", {})
    changed = body.get("properties", {})
    if "priorityMixPolicy" in changed and profile.get("priority") != "Spot":
        raise Refused(400, "InvalidParameter", "a priority mix needs priority Spot")
    if "skuProfile" in changed and not one.flexible:
        raise Refused(400, "InvalidParameter", "a SKU profile needs flexible orchestration")
    one.body["sku"] = {**one.body["sku"], **body.get("sku", {})}
    one.properties.update(changed)
    if "tags" in body:
        one.body["tags"] = body["tags"]
    one.version += 1
    error = self.cloud.grow(one)
    return self.taken_on(call, error, self.cloud.set_json(one), 200)


def _delete_set(self: StandIn, call: Call) -> Answer:
    one = _set(self, call)
    one.capacity = 0
    self.cloud.grow(one)
    del self.cloud.sets[call.place["group"].lower(), call.place["name"].lower()]
    return self.taken_on(call, None, None, 202)


def _members(self: StandIn, call: Call) -> Answer:
    one = _set(self, call)
    view = "$expand" in call.parameters
    machines = self.cloud.members(one)
    return self.page(call, [self.cloud.member_json(one, machine, view) for machine in machines])


def _get_member(self: StandIn, call: Call) -> Answer:
    view = "$expand" in call.parameters
    return Answer(body=self.cloud.member_json(_set(self, call), _any_machine(self, call), view))


def _delete_member(self: StandIn, call: Call) -> Answer:
    self.cloud.end(_any_machine(self, call), _set(self, call))
    return self.taken_on(call, None, None, 202)


def _skus(self: StandIn, call: Call) -> Answer:
    match = re.fullmatch(r"location eq '(?P<place>\w+)'", call.parameters.get("$filter", ""))
    if match is None:
        raise Refused(400, "BadRequest", "the list of all sizes is never asked for")
    rows = [
        {**one, "locations": [match["place"]], "locationInfo": [
            {"location": match["place"],
             "zones": [] if match["place"] == "westus" else ["1", "3", "2"]}]}
        for one in self.cloud.skus
    ]  # fmt: skip
    return self.page(call, rows)


def _usages(self: StandIn, call: Call) -> Answer:
    sizes = {one["name"]: one["family"] for one in self.cloud.skus if "family" in one}
    here = [one for one in self.cloud.machines.values() if one.location == call.place["location"]]
    counts = {"cores": 0, "lowPriorityCores": 0}
    families = dict.fromkeys(sizes.values(), 0)
    for machine in here:
        vcpus = 4 if "D4" in machine.size else 2
        counts["lowPriorityCores" if machine.spot else "cores"] += vcpus
        families[sizes[machine.size]] += 0 if machine.spot else vcpus
    rows = [
        _usage(name, used, self.cloud.cores)
        for name, used in [*counts.items(), *families.items(), ("virtualMachines", len(here)),
                           ("availabilitySets", 0), ("PremiumDiskCount", 3)]
    ]  # fmt: skip
    return self.page(call, rows)


def _usage(name: str, used: int, limit: int) -> Json:
    named = {"value": name, "localizedValue": name}
    return {"unit": "Count", "currentValue": used, "limit": limit, "name": named}


def _reservations(self: StandIn, call: Call) -> Answer:
    return self.page(call, self.cloud.reservations)


def _savings_plans(self: StandIn, call: Call) -> Answer:
    return self.page(call, self.cloud.savings_plans)


def _provider(self: StandIn, call: Call) -> Answer:
    places = [*REGIONS.values(), "East US 2 EUAP"]
    return Answer(body={
        "namespace": "Microsoft.Compute", "registrationState": "Registered",
        "resourceTypes": [{"resourceType": "disks", "locations": ["Mars"]},
                          {"resourceType": "virtualMachines", "locations": places}],
    })  # fmt: skip


def _operation(self: StandIn, call: Call) -> Answer:
    return Answer(body=self.cloud.operations[call.place["name"]])


def _retail(self: StandIn, call: Call) -> Answer:
    match = re.fullmatch(
        r"serviceName eq 'Virtual Machines' and armRegionName eq '(?P<region>\w+)'"
        r"(?P<reserved> and priceType eq 'Reservation')?|armSkuName eq '(?P<name>\w+)'"
        r"|serviceName eq 'Virtual Machines' and priceType eq 'Consumption'"
        r" and \(armSkuName eq '(?P<one>\w+)' or armSkuName eq '(?P<other>\w+)'\)",
        call.parameters["$filter"],
    )
    if match is None:
        raise Refused(400, "BadRequest", f"the stand-in cannot filter {call.parameters}")
    rows = [
        item for item in self.cloud.retail
        if match["name"] in (None, item.get("armSkuName"))
        and (not match["one"] or item.get("armSkuName") in match.group("one", "other"))
        and match["region"] in (None, item.get("armRegionName", match["region"]))
        and (not match["reserved"] or item.get("type") == "Reservation")
    ]  # fmt: skip
    start = int(call.parameters.get("skip", "0"))
    more = start + PAGE_ROWS < len(rows)
    # Links name a host and port of their own, as Azure's do.
    link = self.link(call, start + PAGE_ROWS).replace(self.address, "https://prices.invalid:443")
    return Answer(body={
        "BillingCurrency": "USD", "Items": rows[start : start + PAGE_ROWS],
        "NextPageLink": link if more else None, "Count": len(rows),
    })  # fmt: skip


def _metrics(self: StandIn, call: Call) -> Answer:
    starts = datetime.fromisoformat(call.parameters["starttime"])
    ends = datetime.fromisoformat(call.parameters["endtime"])
    grain = {"PT1H": 3600, "PT1M": 60, "PT5M": 300, "P1D": 86_400}[call.parameters["interval"]]
    name = call.parameters["metricnames"]
    told: list[list[dict[str, Any]]] = [[]]
    if "filter" in call.parameters:
        dimension = call.parameters["filter"].partition(" ")[0]
        ends_in = "~http" if dimension == "BackendSettingsPool" else ""
        most = int(call.parameters.get("top", "10"))
        told = [
            [{"name": {"value": dimension.lower()}, "value": f"{pool}{ends_in}"}]
            for pool in self.cloud.pools[:most]
        ]
    data, at = [], starts
    while at < ends:
        measured = {} if at in self.cloud.quiet else {"average": 25.0, "total": 7200.0}
        data.append({"timeStamp": at.isoformat(), **measured})
        at += timedelta(seconds=grain)
    values = [
        {"starttime": call.parameters["starttime"], "endtime": call.parameters["endtime"],
         "resourceid": resource, "value": [{
             "id": f"{resource}/providers/Microsoft.Insights/metrics/{name}", "type": "t",
             "name": {"value": name}, "unit": "Count",
             "timeseries": [{"metadatavalues": one, "data": data} for one in told]}]}
        for resource in reversed((call.body or {})["resourceids"])
    ]  # fmt: skip
    return Answer(body={"values": values})


_HANDLERS: dict[str, Callable[[StandIn, Call], Answer]] = {
    "virtualMachines.listByLocation": _machines_of_region,
    "virtualMachines.listAll": _all_machines,
    "virtualMachines.get": _get_machine,
    "virtualMachines.instanceView": _view_machine,
    "virtualMachines.update": _update_machine,
    "virtualMachines.restart": _restart,
    "virtualMachines.start": _start,
    "virtualMachineScaleSets.listByLocation": _sets_of_region,
    "virtualMachineScaleSets.get": _get_set,
    "virtualMachineScaleSets.createOrUpdate": _put_set,
    "virtualMachineScaleSets.update": _update_set,
    "virtualMachineScaleSets.delete": _delete_set,
    "virtualMachineScaleSetVMs.list": _members,
    "virtualMachineScaleSetVMs.get": _get_member,
    "virtualMachineScaleSetVMs.delete": _delete_member,
    "virtualMachineScaleSetVMs.restart": _restart,
    "virtualMachineScaleSetVMs.start": _start,
    "resourceSkus.list": _skus,
    "usage.list": _usages,
    "reservation.listAll": _reservations,
    "savingsPlans.listAll": _savings_plans,
    "providers.get": _provider,
    "operations.get": _operation,
    "retailPrices": _retail,
    "metrics.getBatch": _metrics,
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    stand_in: StandIn

    def _do(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {key.lower(): value for key, value in self.headers.items()}
        answer = self.stand_in.answer(self.command, self.path, headers, data)
        if answer.drop:
            self.close_connection = True
            return
        body = answer.raw
        if body is None:
            body = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for key, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = _do  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@cache
def stand_in() -> StandIn:
    """The server of this process, started when it is first asked for."""
    made = StandIn()
    folder = Path(tempfile.mkdtemp(prefix="azure-stand-in-"))
    made.ca_file, key_file = map(str, self_signed(folder))

    class Handler(_Handler):
        stand_in = made

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.ca_file, key_file)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    made.address = f"https://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return made
