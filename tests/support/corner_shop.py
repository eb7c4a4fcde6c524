"""A corner shop: two services, two origins, three priced regions, written by hand."""

from __future__ import annotations

from datetime import date

import pandas as pd

from models.egress import EgressPrice
from models.offerings import BOOK_COLUMNS, UNPRICED_COLUMNS, PriceBook
from models.places import Cloud, Coordinates, Region
from models.world import Catalogue

WORLD = """\
trimtab: 1
world: corner shop
description: Sells newspapers.
places: {continents: [Europe, North America]}
prices: {book: embedded}
certifications:
  gcp/europe-west1: [own-audit]
policy: {horizon_hours: 48, headroom: 0.8, purchases: [on_demand, spot]}
demand: {history: demand.csv, note: counted by hand}
origins:
  - {name: europe, near: aws/eu-west-1}
  - name: america
    latitude_deg: 40.7
    longitude_deg: -74
    country: US
    continent: North America
services:
  - name: web
    team: front
    replica: {vcpus: 1, memory_gib: 2, throughput_rps: 100, service_time_ms: 20}
    architectures: [x86_64, arm64]
    min_replicas: 3
    max_places: 2
    spot_tolerant: true
    response_kib: 40
    latency_objective_ms: 150
  - name: stock
    team: back
    replica:
      vcpus: 2
      memory_gib: 8
      throughput_rps: 50.5
    stateful: true
    state_gib: 100
dependencies:
  - {caller: web, callee: stock, calls_per_request: 1.5, request_kib: 1, response_kib: 8}
workflows:
  - name: buy
    latency_objective_ms: 400
    origins: [europe]
    steps:
      - {service: web}
      - {service: stock, after: [web]}
rules:
  - {kind: residency, name: eu-stock, services: [stock], within: [EU], origins: [europe], why: law}
  - {kind: certification, services: {team: front}, certificates: [iso-27001]}
  - {kind: allowed_places, services: all, forbid: {clouds: [azure]}}
  - {kind: spread, services: [web], survives: zone, share: 0.5}
  - {kind: spot_share, services: all, at_most: 0.5}
  - {kind: quota, where: {clouds: [aws]}, families: [m5], spot: false, vcpus_at_most: 512}
  - {kind: budget, name: total, usd_per_month: 5000}
  - {kind: budget, name: front, usd_per_month: 900, team: front, cloud: aws}
fleet:
  - {service: web, place: aws/us-east-1, instance_type: m5.xlarge, count: 2}
  - {service: stock, place: aws/eu-west-1, instance_type: m5.xlarge, purchase: spot, count: 1}
"""
DEMAND = """\
ts,service,origin,rps
2026-03-01T00:00:00Z,web,europe,10
2026-03-01T01:00:00Z,web,europe,12.5
2026-03-01T02:00:00Z,web,europe,0
2026-03-01T00:00:00Z,web,america,5
2026-03-01T01:00:00Z,web,america,6
2026-03-01T02:00:00Z,web,america,7
"""


def _region(cloud: Cloud, name: str, at: tuple[float, float], country: str, area: str) -> Region:
    european = area == "Europe"
    return Region(
        cloud=cloud,
        name=name,
        display_name=name,
        coordinates=Coordinates(*at),
        country=country,
        continent=area,
        jurisdictions=frozenset({country, "EU"} if european else {country}),
        zones=3,
        certifications=frozenset({"iso-27001", "pci-dss"}),
    )


def _book() -> PriceBook:
    shapes = [
        ("aws", "m5.xlarge", 4.0, 4.0, 16.0, "x86_64", "m5", 0.0, "", False),
        ("aws", "m6g.large", 2.0, 2.0, 8.0, "arm64", "m6g", 0.0, "", False),
        ("aws", "t3.2xlarge", 8.0, 3.2, 32.0, "x86_64", "t3", 0.0, "", True),
        ("aws", "g4dn.xlarge", 4.0, 4.0, 16.0, "x86_64", "g4dn", 1.0, "T4", False),
        ("gcp", "n2-standard-8", 8.0, 8.0, 32.0, "x86_64", "n2", 0.0, "", False),
    ]
    places = {"aws": ["eu-west-1", "us-east-1"], "gcp": ["europe-west1"]}
    rows = [
        {
            "cloud": cloud,
            "region": region,
            "instance_type": name,
            "purchase": purchase,
            "price_usd_per_hour": round(vcpus * price, 4),
            "vcpus": vcpus,
            "baseline_vcpus": baseline,
            "memory_gib": memory,
            "architecture": architecture,
            "family": family,
            "gpus": gpus,
            "gpu_model": gpu_model,
            "burstable": burstable,
            "source": "a list",
            "price_date": "2026-01-02",
        }
        for cloud, name, vcpus, baseline, memory, architecture, family, gpus, gpu_model, burstable
        in shapes
        for region in places[cloud]
        for purchase, price in (("on_demand", 0.05), ("spot", 0.02))
        if not (name == "g4dn.xlarge" and region == "eu-west-1")
    ]  # fmt: skip
    offerings = pd.DataFrame(rows, columns=list(BOOK_COLUMNS))
    unpriced = [("aws", "eu-west-1", "g4dn.xlarge", "spot", "zero in the source")]
    return PriceBook(
        name="tiny",
        as_of=date(2026, 1, 2),
        offerings=offerings.sort_values(list(BOOK_COLUMNS)[:4], ignore_index=True),
        unpriced=pd.DataFrame(unpriced, columns=list(UNPRICED_COLUMNS)),
    )


def corner_shop_catalogue() -> Catalogue:
    """Three priced regions, and a fourth that nothing is sold in."""
    regions = [
        _region(Cloud.AWS, "eu-west-1", (53.4, -6.3), "IE", "Europe"),
        _region(Cloud.AWS, "us-east-1", (38.9, -77.4), "US", "North America"),
        _region(Cloud.GCP, "europe-west1", (50.4, 3.8), "BE", "Europe"),
        _region(Cloud.AZURE, "japaneast", (35.7, 139.8), "JP", "Asia"),
    ]
    price = EgressPrice(0.01, 0.02, 0.09, "a list", date(2026, 1, 2))
    return Catalogue(
        regions={region.place: region for region in regions},
        book=_book(),
        egress={region.place: price for region in regions},
    )
