"""Every fault of a world file is told with its line and with what to do.

``# HERE`` marks the line that a fault must point to.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import Fault, FaultyInput
from scenarios.documents import read_world

Faults = Callable[..., list[Fault]]
WEB = "    replica: {vcpus: 1, memory_gib: 2, throughput_rps: 100, service_time_ms: 20}\n"


def _replica(fields: str) -> tuple[str, str]:
    return WEB, f"    replica: {{{fields}}}  # HERE\n"


def _policy(fields: str) -> tuple[str, str]:
    old = "policy: {horizon_hours: 48, headroom: 0.8, purchases: [on_demand, spot]}"
    return old, f"policy: {{{fields}}}  # HERE"


def _rule(text: str) -> tuple[str, str]:
    return "rules:\n", f"rules:\n  - {text}  # HERE\n"


def _after_web(text: str) -> tuple[str, str]:
    return "    max_places: 2\n", f"    max_places: 2\n    {text}  # HERE\n"


Case = tuple[tuple[str, str], str, str]
SHAPES: list[Case] = [
    # keys
    (("description: Sells", "descriptio: Sells"), "unknown key descriptio",
     "did you mean 'description'"),
    (_after_web("min_replica: 3"), "unknown key services[1].min_replica", "'min_replicas'"),
    (_replica("vcpus: 1, memory_gib: 2, throughput_rps: 9, memory_mib: 2048"),
     "unknown key services[1].replica.memory_mib", "use 'memory_gib', in GiB: divide MiB by 1024"),
    (_replica("vcpus: 1, memory_gib: 2, throughput_rps: 9, memory_gb: 2"), "memory_gb",
     "use 'memory_gib', in GiB"),
    (_replica("vcpus: 1, memory_gib: 2, throughput_rps: 9, memory: 2"), "replica.memory",
     "use 'memory_gib', in GiB"),
    (_replica("cpu: 1, vcpus: 1, memory_gib: 2, throughput_rps: 9"), "replica.cpu", "use 'vcpus'"),
    (_after_web("latency_s: 0.2"), "latency_s",
     "use 'latency_objective_ms', in milliseconds: multiply seconds by 1000"),
    (_after_web("price_usd_per_hour: 3"), "price_usd_per_hour", "prices come from the price book"),
    (_rule("{kind: budget, usd_per_year: 5}"), "usd_per_year", "use 'usd_per_month'"),
    (_rule("{kind: budget, usd_per_month: 5, tema: back}"), "tema", "did you mean 'team'"),
    (_rule("{kind: spread, services: {teem: back}, survives: zone}"), "teem", "'team'"),
    # missing and empty
    (("world: corner shop\n", ""), "world is missing", "add 'world: ...': Name of the world."),
    (_replica("vcpus: 1, memory_gib: 2"), "services[1].replica.throughput_rps is missing",
     "Requests per second"),
    (_replica("vcpus: , memory_gib: 2, throughput_rps: 1"), "replica.vcpus is empty",
     "give a number, or remove the key"),
    (_policy("purchases: []"), "policy.purchases is empty", ""),
    (_rule("{kind: residency, services: [], within: [EU]}"), "services is empty", ""),
    (_rule("{services: all, within: [EU]}"), "does not say of what kind", "one of residency"),
    # units in values
    (_replica("vcpus: 1, memory_gib: 4GB, throughput_rps: 9"), "must be a number, not '4GB'",
     "write 3.72529 (GiB, without the unit)"),
    (_replica("vcpus: 500m, memory_gib: 4, throughput_rps: 9"), "not '500m'", "write 0.5 (vCPUs"),
    (_replica("vcpus: 1, memory_gib: 512Mi, throughput_rps: 9"), "not '512Mi'", "write 0.5 (GiB"),
    (_after_web("state_gib: 1 TiB"), "not '1 TiB'", "write 1024 (GiB"),
    (("latency_objective_ms: 150", "latency_objective_ms: 0.5s  # HERE"), "not '0.5s'",
     "write 500 (milliseconds"),
    (_policy("horizon_hours: 2d"), "not '2d'", "write 48 (hours"),
    (_policy("headroom: 80%"), "not '80%'", "write 0.8 (a plain number)"),
    (_rule("{kind: budget, usd_per_month: '$5,000'}"), "not '$5,000'", "write 5000 (USD"),
    (_replica("vcpus: '1', memory_gib: 4, throughput_rps: 9"), "not '1'", "write 1 (vCPUs"),
    (_replica("vcpus: lots, memory_gib: 4, throughput_rps: 9"), "not 'lots'",
     "write a plain number"),
    # types
    (("world: corner shop", "world: 7  # HERE"), "world must be text, not 7", "in quotes: '7'"),
    (("team: back\n", "team: true  # HERE\n"), "must be text, not true", "in quotes: 'true'"),
    (("spot_tolerant: true", "spot_tolerant: yes  # HERE"), "must be true or false, not 'yes'",
     "write true"),
    (("stateful: true", "stateful: off  # HERE"), "must be true or false", "write false"),
    (("min_replicas: 3", "min_replicas: 2.5  # HERE"), "must be a whole number, not 2.5", ""),
    (_rule("{kind: residency, services: all, within: EU}"), "within must be a list, not 'EU'",
     "[EU]"),
    (_rule("{kind: residency, services: every, within: [EU]}"), "services cannot be 'every'",
     "all"),
    (_rule("just words"), "rules[1] must be a mapping", ""),
    (("places: {continents: [Europe, North America]}", "places: [aws/eu-west-1]  # HERE"),
     "places must be a mapping", ""),
    # ranges
    (_replica("vcpus: .nan, memory_gib: 2, throughput_rps: 9"), "must be a finite number", ""),
    (_replica("vcpus: 1, memory_gib: .inf, throughput_rps: 9"), "must be a finite number", ""),
    (_replica("vcpus: 1, memory_gib: 2, throughput_rps: 1e999"), "must be a finite number", ""),
    (_replica("vcpus: 0, memory_gib: 2, throughput_rps: 9"), "must be at least 0.001, not 0", ""),
    (_replica("vcpus: 1, memory_gib: -2, throughput_rps: 9"), "must be at least 0.001", ""),
    (_policy("count_hours: 0"), "policy.count_hours must be at least 1", ""),
    (_policy("route_hours: 745"), "policy.route_hours must be at most 744", ""),
    (_policy("headroom: 0"), "policy.headroom must be greater than 0", ""),
    (_policy("headroom: 1.1"), "policy.headroom must be at most 1", ""),
    (_policy("demand_quantile: 1"), "must be at most 0.99", ""),
    (_policy("demand_quantile: 90"), "must be at most 0.99", ""),
    (_policy("purchases: [on_demnd]"), "cannot be 'on_demnd'", "did you mean 'on_demand'"),
    (_rule("{kind: spread, services: all, survives: zone, share: 1.5}"), "at most 1", ""),
    (_rule("{kind: spread, services: all, survives: zoen}"), "cannot be 'zoen'", "'zone'"),
    (_rule("{kind: spot_share, services: all, at_most: 50}"), "at_most must be at most 1", ""),
    (_policy("minimum_run_hours: 0"), "minimum_run_hours must be at least 1", ""),
    (_policy("minimum_run_hours: 1d"), "not '1d'", "write 24 (hours"),
    (_after_web("minimum_run_hours: 1.5"), "must be a whole number", ""),
    (_policy("changes: {minimum_saving_share: 5%}"), "not '5%'", "write 0.05"),
    (_policy("changes: {usd_per_started_instance: -1}"), "must be at least 0", ""),
    (_policy("changes: {amortise_over_hours: 0}"), "amortise_over_hours must be at least 1", ""),
    (_policy("changes: {minimum_saving: 5}"), "minimum_saving", "minimum_saving_"),
    (_rule("{kind: disruption, services: all, at_most_per_day: -1}"), "must be at least 0", ""),
    (_rule("{kind: spot_risk, services: all, chance_at_most: 0, interruptions_per_month: 1}"),
     "chance_at_most must be greater than 0", ""),
    (_rule("{kind: spot_risk, services: all, chance_at_most: 0.1%, interruptions_per_month: 1}"),
     "not '0.1%'", "write 0.001"),
    (_rule("{kind: spot_risk, services: all, chance_at_most: 0.1}"),
     "interruptions_per_month is missing", "How often a pool"),
    (_rule("{kind: budget, usd_per_month: 0}"), "usd_per_month must be greater than 0", ""),
    (_rule("{kind: budget, usd_per_month: 9, cloud: asw}"), "cloud cannot be 'asw'", "'aws'"),
    (_rule("{kind: residenc, services: all, within: [EU]}"), "unknown kind 'residenc'",
     "did you mean 'residency'"),
    (("count: 2}", "count: 0}  # HERE"), "fleet[1].count must be at least 1, not 0", ""),
    (("count: 2}", "count: -3}  # HERE"), "fleet[1].count must be at least 1, not -3", ""),
    (("longitude_deg: -74", "longitude_deg: 274  # HERE"), "must be at most 180", ""),
    (("country: US", "country: us  # HERE"), "ISO 3166", "did you mean 'US'"),
    (("architectures: [x86_64, arm64]", "architectures: [x86]  # HERE"), "cannot be 'x86'",
     "x86_64"),
    (("calls_per_request: 1.5", "calls_per_request: 0"), "calls_per_request must be greater", ""),
    # text
    (('world: corner shop', 'world: "corner\\nshop"  # HERE'), "control characters", "printable"),
    (('world: corner shop', 'world: "corner\\u202eshop"  # HERE'), "control characters", ""),
    (('world: corner shop', 'world: "  "  # HERE'), "world is blank", ""),
    (('world: corner shop', f'world: {"x" * 101}  # HERE'), "at most 100 characters", ""),
    (("name: buy", 'name: "b\\auy"  # HERE'), "control characters: 'b\\x07uy'", ""),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message", "suggestion"), SHAPES)
def test_shape(faults_of: Faults, change: tuple[str, str], message: str, suggestion: str) -> None:
    _check(faults_of(dict([change])), change, message, suggestion)


CALL = "  - {caller: web, callee: stock, calls_per_request: 1.5, request_kib: 1, response_kib: 8}\n"
AT_IRELAND = "place: aws/eu-west-1, instance_type: m5.xlarge, purchase: spot"
AT_VIRGINIA = "place: aws/us-east-1, instance_type: m5.xlarge"
NAMES: list[Case] = [
    (("near: aws/eu-west-1", "near: aws/eu-wset-1"), "unknown place 'aws/eu-wset-1'",
     "did you mean 'aws/eu-west-1'"),
    (("near: aws/eu-west-1}", "near: aws/eu-west-1, country: IE}  # HERE"),
     "has 'near' and country", "give 'near', or all of the others"),
    (("{name: europe, near: aws/eu-west-1}", "{name: europe, latitude_deg: 5}  # HERE"),
     "longitude_deg, country, continent missing", "near: cloud/region"),
    (("name: europe, near", "name: aws/us-east-1, near"), "has the name of a place", ""),
    (("    continent: North America", "    continent: Norh America  # HERE"),
     "unknown continent 'Norh America'", "'North America'"),
    (("continents: [Europe, North America]", "continents: [Europ]"), "unknown continent 'Europ'",
     "did you mean 'Europe'"),
    (("continents: [Europe, North America]", "countries: [IR]"), "unknown country 'IR'", "IE"),
    (("continents: [Europe, North America]", "jurisdictions: [UE]"), "unknown jurisdiction", "EU"),
    (("continents: [Europe, North America]", "places: [aws/us-east-2]"), "unknown place",
     "'aws/us-east-1'"),
    (("continents: [Europe, North America]", "places: [azure/japaneast, aws/us-east-1]"),
     "azure/japaneast has no prices in the book 'tiny'", "remove it"),
    (("continents: [Europe, North America]", "countries: [JP]"), "no known region with a price",
     "fewer"),
    (("{continents: [Europe, North America]}", "{}  # HERE"), "an empty set of places", "clouds"),
    (("gcp/europe-west1: [own", "gcp/europe-west9: [own"), "unknown place 'gcp/europe-west9'",
     "'gcp/europe-west1'"),
    (_rule("{kind: residency, services: [stok], within: [EU]}"), "unknown service 'stok'",
     "'stock'"),
    (_rule("{kind: residency, services: [web, web], within: [EU]}"), "'web' stands twice", ""),
    (_rule("{kind: residency, services: all, within: [UE]}"), "unknown jurisdiction 'UE'", "EU"),
    (_rule("{kind: residency, services: all, within: [EU], origins: [europa]}"),
     "unknown origin 'europa'", "'europe'"),
    (_rule("{kind: certification, services: all, certificates: [pci]}"),
     "unknown certificate 'pci'", "pci-dss"),
    (_rule("{kind: certification, services: {team: frnt}, certificates: [pci-dss]}"),
     "unknown team 'frnt'", "'front'"),
    (_rule("{kind: allowed_places, services: all}"), "allows and forbids nothing", "'forbid'"),
    (_rule("{kind: allowed_places, services: all, allow: {places: [aws/eu-west-2]}}"),
     "unknown place 'aws/eu-west-2'", "'aws/eu-west-1'"),
    (_rule("{kind: quota, where: {clouds: [aws]}, families: [m55], vcpus_at_most: 1}"),
     "unknown family 'm55'", "'m5'"),
    (_rule("{kind: quota, where: {clouds: [aws]}}"), "a quota without a limit", "vcpus_at_most"),
    (_rule("{kind: disruption, services: all}"), "without a limit", "'at_most_per_day'"),
    (_rule("{kind: budget, usd_per_month: 5, team: bakc}"), "unknown team 'bakc'", "'back'"),
    (_rule("{kind: budget, name: 'latency:web', usd_per_month: 5}"), "already in use",
     "a name of its own"),
    (("name: front, usd", "name: total, usd"), "the rule name 'total' is already in use", "own"),
    (("  - name: stock\n", "  - name: web  # HERE\n"), "the service 'web' stands twice", "own"),
    (("  - name: america\n", "  - name: europe  # HERE\n"), "the origin 'europe' stands twice",
     "own"),
    (_replica("vcpus: 1, memory_gib: 2, throughput_rps: 1, gpus: 1, gpu_models: [T44]"),
     "unknown GPU model 'T44'", "T4"),
    (_replica("vcpus: 1, memory_gib: 2, throughput_rps: 1, gpu_models: [T4]"),
     "gpu_models without gpus", "gpus: 1"),
    (_after_web("state_gib: 4"), "has state_gib but is not stateful", "stateful: true"),
    # calls
    (("callee: stock", "callee: stok"), "unknown service 'stok'", "'stock'"),
    (("caller: web", "caller: wbe"), "unknown service 'wbe'", "'web'"),
    ((CALL, f"{CALL}  - {{caller: web, callee: stock, calls_per_request: 2}}  # HERE\n"),
     "of 'web' on 'stock' stands twice", "add up"),
    (("callee: stock", "callee: web"), "circle: web → web", "leave one"),
    (("after: [web]", "after: [wbe]"), "unknown step 'wbe'", "'web'"),
    (("{service: web}", "{service: cart}  # HERE"), "unknown service 'cart'", ""),
    (("{service: web}\n", "{service: web}\n      - {service: web}  # HERE\n"),
     "the step 'web' stands twice", "once"),
    (("origins: [europe]\n", "origins: [erope]  # HERE\n"), "unknown origin 'erope'", "'europe'"),
    # fleet
    (("service: web, place", "service: wbe, place"), "unknown service 'wbe'", "'web'"),
    (("place: aws/us-east-1, inst", "place: aws/us-east1, inst"), "unknown place 'aws/us-east1'",
     "'aws/us-east-1'"),
    (("instance_type: m5.xlarge, count", "instance_type: m5.xlrge, count"),
     "unknown instance type of aws 'm5.xlrge'", "'m5.xlarge'"),
    (("instance_type: m5.xlarge, count", "instance_type: n2-standard-8, count"),
     "unknown instance type of aws 'n2-standard-8'", ""),
    ((AT_IRELAND, "place: aws/eu-west-1, instance_type: g4dn.xlarge, purchase: on_demand"),
     "g4dn.xlarge in aws/eu-west-1 has no on_demand price", "unpriced: report"),
    ((AT_IRELAND, "place: aws/eu-west-1, instance_type: g4dn.xlarge, purchase: spot"),
     "no spot price (zero in the source)", "unpriced: report"),
    ((AT_VIRGINIA, "place: aws/us-east-1, instance_type: m5.xlarge, purchase: reserved_1y"),
     "has no reserved_1y price", "unpriced: report"),
    # reach
    ((f"dependencies:\n{CALL}", ""), "'stock' has neither demand history nor callers",
     "add its history"),
    # files
    (("history: demand.csv", "history: demnd.csv"), "the file 'demnd.csv' does not exist", "/"),
    (("history: demand.csv", "history: ../demand.csv"), "leads out of the folder", "beside"),
    (("history: demand.csv", "history: /etc/passwd"), "leads out of the folder", "beside"),
    (("history: demand.csv", "history: ."), "is not a regular file", ""),
    (("history: demand.csv", "history: world.yaml"), "neither .csv nor .parquet", "convert"),
    (("prices: {book: embedded}", "latency: {measured: ../../r.csv}  # HERE"), "leads out", ""),
    (("prices: {book: embedded}", "carbon: {file: ../../g.csv}  # HERE"), "leads out", ""),
    (("prices: {book: embedded}", "carbon: {elsewhere_gco2e_per_kwh: -1}  # HERE"),
     "elsewhere_gco2e_per_kwh", ""),
    (_policy("carbon_usd_per_tonne: 50"),
     "what the grid emits is not known for aws/eu-west-1, aws/us-east-1, gcp/europe-west1",
     "leave these places out"),
    (_policy("demand_scenarios: [{quantile: 0.5, probability: 0.5}]"), "sum to 0.5, not to 1", ""),
    (_policy("demand_scenarios: [{quantile: 0.5, probability: 0.5}, "
             "{quantile: 0.5, probability: 0.5}]"), "the quantile 0.5 stands twice", "add the two"),
    (_policy("demand_scenarios: [{quantile: 1.5, probability: 1}]"), "quantile", ""),
    (_policy("unmet_at_most: 0.1"), "demand may go unmet at no price", "of the policy"),
    (_policy("unmet_at_most: 0.9"), "unmet_at_most", ""),
    (_after_web("unmet_at_most: 0.1"), "demand for 'web' may go unmet at no price",
     "of the service or the policy"),
    (_policy("cvar: {level: 0.9, weight: 0.5}"), "there are not two to tell apart",
     "demand_scenarios"),
    (_policy("cvar: {level: 1, weight: 0.5}"), "level", ""),
    (_policy("carbon_usd_per_tonne: -5"), "carbon_usd_per_tonne", ""),
    (("{book: embedded}", "{book: embedded, file: x.csv}"), "not both", "remove one"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message", "suggestion"), NAMES)
def test_names(faults_of: Faults, change: tuple[str, str], message: str, suggestion: str) -> None:
    _check(faults_of(dict([change])), change, message, suggestion)


def _check(faults: list[Fault], change: tuple[str, str], message: str, suggestion: str) -> None:
    fault = next((f for f in faults if message in f.message), None)
    assert fault is not None, [str(f) for f in faults]
    assert suggestion in fault.suggestion
    assert Path(fault.at.file).name == "world.yaml"
    text = Path(fault.at.file).read_text(encoding="utf-8").splitlines()
    shown = text[fault.at.line - 1]
    if "# HERE" in change[1]:
        assert "# HERE" in shown
    elif change[1]:
        assert change[1].split("\n")[0] in shown


def test_all_faults_in_one_message(faults_of: Faults) -> None:
    faults = faults_of(
        {
            "team: back": "taem: back",
            "horizon_hours: 48": "horizon_hours: 48h",
        }
    )
    assert len(faults) == 2  # outside lists: what stands in lists is checked by field only
    faults = faults_of(
        {
            "near: aws/eu-west-1": "near: aws/eu-west-9",
            "    team: back\n": "    taem: back\n",
            "within: [EU]": "within: [UE]",
            "certificates: [iso-27001]": "certificates: [iso-27002]",
            "share: 0.5": "share: 5",
            "count: 2": "count: none",
            "after: [web]": "after: [wbe]",
            "usd_per_month: 5000": "usd_per_month: -1",
        },
        demand="ts,service,origin,rps\n2026-03-01T00:00:00Z,web,europe,-1\n",
    )
    said = "\n".join(str(fault) for fault in faults)
    for part in ("eu-west-9", "taem", "UE", "iso-27002", "share", "count", "wbe", "usd_per_month",
                 "negative rps", "one hour only"):  # fmt: skip
        assert part in said
    assert len(faults) == 10
    assert [f.at.line for f in faults if f.at.file.endswith(".yaml")] == sorted(
        f.at.line for f in faults if f.at.file.endswith(".yaml")
    )


def test_a_faulty_service_is_not_called_unknown(faults_of: Faults) -> None:
    (fault,) = faults_of({"memory_gib: 2,": "memory_gib: 2GiB,"})
    assert "must be a number, not '2GiB'" in fault.message
    assert "write 2 (GiB" in fault.suggestion


@pytest.mark.parametrize(
    ("old", "new", "message", "suggestion"),
    [
        ("trimtab: 1", "trimtab: 2", "unknown format version 2", "trimtab: 1"),
        ("trimtab: 1", "trimtab: true", "unknown format version true", "trimtab: 1"),
        ("trimtab: 1", "trimtab: '1'", "unknown format version '1'", "trimtab: 1"),
        ("trimtab: 1\n", "", "the format version is missing", "trimtab: 1"),
        ("world: corner shop", "scenario: sale", "this is not a world file", "world file"),
    ],
)
def test_version(faults_of: Faults, old: str, new: str, message: str, suggestion: str) -> None:
    (fault,) = faults_of({old: new})
    assert message in fault.message
    assert suggestion in fault.suggestion
    assert fault.at.line == 1


def test_service_that_nothing_can_hold(faults_of: Faults) -> None:
    (fault,) = faults_of({"vcpus: 1, memory_gib: 2,": "vcpus: 7, memory_gib: 20,"})
    assert "no offering holds a replica of 'web': it takes 7 vCPUs and 20 GiB" in fault.message
    assert "gcp/europe-west1 n2-standard-8 with 8 vCPUs, 32 GiB" in fault.suggestion
    assert "80% of vCPUs" in fault.suggestion
    assert fault.at.line == 18


def test_service_whose_gpu_is_not_sold_there(faults_of: Faults) -> None:
    (fault,) = faults_of(
        {
            "continents: [Europe, North America]": "places: [aws/eu-west-1]",
            "{book: embedded}": "{unpriced: report}",
            "{vcpus: 1, memory_gib: 2,": "{gpus: 1, gpu_models: [T4], vcpus: 1, memory_gib: 2,",
        }
    )
    assert "1 GPUs (T4)" in fault.message
    assert "no offering of that kind" in fault.suggestion


def test_burstable_types_count_only_when_allowed(faults_of: Faults) -> None:
    change = {"continents: [Europe, North America]": "clouds: [aws]",
              "vcpus: 1, memory_gib: 2,": "vcpus: 2, memory_gib: 20,"}  # fmt: skip
    (fault,) = faults_of(change)
    assert "t3" not in fault.suggestion


def test_fleet_in_a_place_that_is_no_candidate(faults_of: Faults) -> None:
    (fault,) = faults_of({"continents: [Europe, North America]": "continents: [Europe]"})
    assert "the fleet runs in aws/us-east-1" in fault.message
    assert "unpriced: report" in fault.suggestion
    assert fault.at.line == 54


def test_fleet_type_in_the_wrong_region(faults_of: Faults) -> None:
    old = "place: aws/eu-west-1, instance_type: m5.xlarge, purchase: spot"
    new = "place: gcp/europe-west1, instance_type: n2-standard-9, purchase: spot"
    (fault,) = faults_of({old: new})
    assert "unknown instance type of gcp 'n2-standard-9'" in fault.message
    assert "'n2-standard-8'" in fault.suggestion


def test_workflow_that_an_origin_cannot_run(faults_of: Faults) -> None:
    europe_only = "ts,service,origin,rps\n" + "".join(
        f"2026-03-01T0{hour}:00:00Z,web,europe,10\n" for hour in range(3)
    )
    (fault,) = faults_of({"origins: [europe]\n": "origins: [america]\n"}, demand=europe_only)
    assert "no traffic of 'america' reaches 'web', 'stock'" in fault.message
    assert fault.at.line == 38


def test_cycles_are_named(faults_of: Faults) -> None:
    text = "  - {name: till, replica: {vcpus: 1, memory_gib: 1, throughput_rps: 1}}\n"
    calls = "".join(
        f"  - {{caller: {caller}, callee: {callee}, calls_per_request: 1}}\n"
        for caller, callee in [("stock", "till"), ("till", "web")]
    )
    faults = faults_of(
        {
            "dependencies:\n": f"{text}dependencies:\n",
            CALL: CALL + calls,
            "{service: web}": "{service: web, after: [stock]}",
        }
    )
    said = {fault.at.line: fault.message for fault in faults}
    in_order = "web → stock → till → web → stock → till"
    circle = said[min(said)].removeprefix("dependencies run in a circle: ")
    assert circle.count(" → ") == 3
    assert circle in in_order
    assert min(said) in (37, 38, 39)
    assert re.search(
        "'buy' wait in a circle: (web → stock → web|stock → web → stock)", said[max(said)]
    )


def test_long_cycles_are_cut(faults_of: Faults) -> None:
    names = [f"s{i}" for i in range(50)]
    replica = "replica: {vcpus: 1, memory_gib: 1, throughput_rps: 1}"
    services = "".join(f"  - {{name: {name}, {replica}}}\n" for name in names)
    calls = "".join(
        f"  - {{caller: {name}, callee: {names[i - 1]}, calls_per_request: 1}}\n"
        for i, name in enumerate(names)
    )
    (fault,) = faults_of({"dependencies:\n": f"{services}dependencies:\n{calls}"})
    assert fault.message.count("→") == 10
    assert "(50 in all)" in fault.message


def test_links_may_not_leave_the_folder(faults_of: Faults, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    inside = tmp_path / "world"
    outside.mkdir()
    inside.mkdir()
    (outside / "demand.csv").write_text("secret\n", encoding="utf-8")
    (tmp_path / "demand.csv").unlink(missing_ok=True)
    (tmp_path / "linked.csv").symlink_to("/etc/hostname")
    (fault,) = faults_of({"history: demand.csv": "history: linked.csv"})
    assert "leads out of the folder" in fault.message
    assert "secret" not in str(fault)


def test_very_many_faults_are_counted(faults_of: Faults) -> None:
    broken = "".join(f"  - {{name: s{i}, replica: *r}}\n" for i in range(3000))
    anchor = "      vcpus: 2\n"
    faults = faults_of(
        {
            "    replica:\n": "    replica: &r\n",
            anchor: "",
            "dependencies:\n": f"{broken}dependencies:\n",
        }
    )
    assert len(faults) == 1001
    assert "2,001 more faults are not listed" in faults[0].message


def test_message_of_the_exception_holds_every_fault(write: Callable[..., Path]) -> None:
    path = write({"world: corner shop": "world: 1", "trimtab: 1": "trimtab: 1\nx: 1\ny: 2"})
    with pytest.raises(FaultyInput) as raised:
        read_world(path)
    text = str(raised.value)
    assert f"{path}:2: unknown key x" in text
    assert f"{path}:3: unknown key y" in text
    assert f"{path}:4: world must be text" in text
