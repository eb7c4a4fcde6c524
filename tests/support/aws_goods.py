"""Rows as AWS's price list, spot history, savings plans and quotas give them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from aws_sold import Facts, now

PLAIN: Final = {
    "operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA",
    "capacitystatus": "Used", "marketoption": "OnDemand", "licenseModel": "No License required",
    "operation": "RunInstances",
}  # fmt: skip


def product(
    instance_type: str,
    region: str,
    usd: str,
    reserved: tuple[Facts, ...] = (),
    published: datetime | None = None,
    currency: str = "USD",
    unit: str = "Hrs",
    changed: Mapping[str, str] = MappingProxyType({}),
) -> Facts:
    """A document of the price list; ``changed`` attributes are not those of a plain instance."""
    at = (published or now()).strftime("%Y-%m-%dT%H:%M:%SZ")
    sku = f"{instance_type}-{region}-{usd}"
    return {
        "product": {
            "productFamily": "Compute Instance",
            "sku": sku,
            "attributes": {"instanceType": instance_type, "regionCode": region, **PLAIN,
                           **changed},
        },
        "serviceCode": "AmazonEC2",
        "terms": {
            "OnDemand": {f"{sku}.JRTCKXETXF": {
                "priceDimensions": {"d": {"unit": unit, "pricePerUnit": {currency: usd}}},
                "effectiveDate": at, "termAttributes": {},
            }},
            "Reserved": {f"{sku}.{i}": term for i, term in enumerate(reserved)},
        },
        "version": "20260101000000",
        "publicationDate": at,
    }  # fmt: skip


def reservation_term(
    years: int, upfront: str, hourly: str, option: str = "Partial Upfront", kind: str = "standard"
) -> Facts:
    return {
        "priceDimensions": {
            "q": {"unit": "Quantity", "pricePerUnit": {"USD": upfront}},
            "h": {"unit": "Hrs", "pricePerUnit": {"USD": hourly}},
        },
        "termAttributes": {
            "LeaseContractLength": f"{years}yr",
            "OfferingClass": kind,
            "PurchaseOption": option,
        },
    }


def spot_price(
    instance_type: str,
    zone: str,
    usd: str,
    at: datetime | None = None,
    description: str = "Linux/UNIX",
) -> Facts:
    return {
        "InstanceType": instance_type, "AvailabilityZone": zone, "SpotPrice": usd,
        "ProductDescription": description, "Timestamp": at or now(),
    }  # fmt: skip


def rate(instance_type: str, region: str, usd: str, **changed: Any) -> Facts:
    """A rate of a savings plan; ``changed``: members of the offering, of the row, or properties."""
    properties = {
        "region": region, "instanceType": instance_type, "tenancy": "shared",
        "instanceFamily": instance_type.partition(".")[0], "productDescription": "Linux/UNIX",
    }  # fmt: skip
    offering: Facts = {
        "offeringId": "11111111-2222-3333-4444-555555555555", "paymentOption": "No Upfront",
        "planType": "Compute", "durationSeconds": 31_536_000, "currency": "USD",
    }  # fmt: skip
    row: Facts = {
        "rate": usd, "unit": "Hrs", "productType": "EC2", "serviceCode": "AmazonEC2",
        "usageType": f"BoxUsage:{instance_type}", "operation": "RunInstances",
    }  # fmt: skip
    for part in (properties, offering, row):
        part.update({key: value for key, value in changed.items() if key in part})
    told = [{"name": name, "value": value} for name, value in properties.items()]
    return {"savingsPlanOffering": offering, **row, "properties": told}


def quota(code: str, name: str, limit: float, usage_class: str = "") -> Facts:
    metric = {
        "MetricNamespace": "AWS/Usage", "MetricName": "ResourceCount",
        "MetricDimensions": {"Class": usage_class, "Resource": "vCPU", "Service": "EC2",
                             "Type": "Resource"},
        "MetricStatisticRecommendation": "Maximum",
    }  # fmt: skip
    return {
        "ServiceCode": "ec2", "QuotaCode": code, "QuotaName": name, "Value": limit,
        "Unit": "None", **({"UsageMetric": metric} if usage_class else {}),
    }  # fmt: skip
