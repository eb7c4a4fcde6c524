"""AWS's public price files, made of the same products as the answers of the price list service."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from aws_sold import Facts, Sold

OFFERS: Final = "/offers/v1.0/aws/AmazonEC2/"
_VERSION: Final = "20260101000000"
_OF_ATTRIBUTES: Final = {
    "Instance Type": "instanceType", "Tenancy": "tenancy", "Operating System": "operatingSystem",
    "License Model": "licenseModel", "operation": "operation", "CapacityStatus": "capacitystatus",
    "MarketOption": "marketoption", "Pre Installed S/W": "preInstalledSw",
    "Region Code": "regionCode",
}  # fmt: skip
_COLUMNS: Final = (
    "SKU", "OfferTermCode", "RateCode", "TermType", "PriceDescription", "EffectiveDate", "Unit",
    "PricePerUnit", "Currency", "LeaseContractLength", "PurchaseOption", "OfferingClass",
    "Product Family", "serviceCode", *_OF_ATTRIBUTES,
)  # fmt: skip


def offered(sold: Sold, path: str, start: Any) -> Iterable[bytes]:
    """An index of regions, or the file of one."""
    regions = {one["product"]["attributes"]["regionCode"] for one in sold.products}
    name = path.removeprefix(OFFERS)
    region = name.removeprefix(f"{_VERSION}/").removesuffix("/index.csv")
    if name == "current/region_index.json":
        body = json.dumps({"formatVersion": "v1.0", "regions": {
            one: {"regionCode": one, "currentVersionUrl": f"{OFFERS}{_VERSION}/{one}/index.json"}
            for one in sorted(regions)
        }}, indent=2).encode()  # fmt: skip
    elif name.startswith(_VERSION) and region in regions:
        body = _file(sold.products, region)
    else:
        start("404 Not Found", [("Content-Length", "0")])
        return []
    whole = len(body)
    if name.endswith(".csv") and "files" in sold.break_at:
        body = body[: sold.break_at["files"]]
    start("200 OK", [("Content-Length", str(whole))])
    return [body]


def _file(products: list[Facts], region: str) -> bytes:
    of_region = [one for one in products if one["product"]["attributes"]["regionCode"] == region]
    out = io.StringIO()
    write = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow
    write(["FormatVersion", "v1.0"])
    write(["Disclaimer", "This pricing list is for informational purposes only."])
    write(["Publication Date", of_region[0]["publicationDate"]])
    write(["Version", _VERSION])
    write(["OfferCode", "AmazonEC2"])
    write(_COLUMNS)
    rows = [row for one in of_region for row in _rows(one)]
    for row in sorted(rows, key=lambda one: str(one["RateCode"])[::-1]):  # far apart, as AWS does
        write([row.get(column, "") for column in _COLUMNS])
    return out.getvalue().encode()


def _rows(one: Facts) -> Iterator[Facts]:
    product = one["product"]
    for kind, terms in one["terms"].items():
        for name, term in terms.items():
            for rate, dimension in term["priceDimensions"].items():
                ((currency, usd),) = dimension["pricePerUnit"].items()
                yield {
                    "SKU": product["sku"], "OfferTermCode": name, "RateCode": f"{name}.{rate}",
                    "TermType": kind, "Unit": dimension["unit"], "PricePerUnit": usd,
                    "Currency": currency, "Product Family": product["productFamily"],
                    "serviceCode": "AmazonEC2", **term["termAttributes"],
                    **{column: product["attributes"].get(key, "")
                       for column, key in _OF_ATTRIBUTES.items()},
                }  # fmt: skip
