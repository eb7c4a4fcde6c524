"""AWS's public price files: one per region, for everybody, without credentials."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Any, Final

import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.response import StreamingBody
from botocore.utils import get_environ_proxies

from models.cloud_errors import Asked, NotFound, Unavailable
from providers.aws.clients import CLOUD, Manners
from providers.aws.errors import GARBLED, translated
from providers.aws.price_documents import Product, is_plain, product_from
from providers.seam import Scope, Scopes, Unreached
from scenarios.faults import nearest

ADDRESS: Final = "https://pricing.us-east-1.amazonaws.com"
INDEX: Final = "/offers/v1.0/aws/AmazonEC2/current/region_index.json"
FILE_SOURCE: Final = "AWS price files"
AT_ONCE: Final = 2
"""Files read at the same time: each has hundreds of megabytes, of which some ten are kept."""
_CHUNK: Final = 1 << 16
_OK: Final = 200
_MISSING: Final = (403, 404)
_PUBLISHED: Final = "Publication Date"
_COLUMNS: Final = {
    "instanceType": "Instance Type", "regionCode": "Region Code",
    "operatingSystem": "Operating System", "tenancy": "Tenancy",
    "preInstalledSw": "Pre Installed S/W", "capacitystatus": "CapacityStatus",
    "marketoption": "MarketOption", "licenseModel": "License Model", "operation": "operation",
}  # fmt: skip
"""Where a file has the attributes that the price list service tells by other names."""
_TERM_COLUMNS: Final = ("LeaseContractLength", "OfferingClass", "PurchaseOption")


@dataclass(frozen=True, slots=True)
class PriceFiles:
    """The files at an address."""

    manners: Manners
    address: str = ADDRESS
    _turns: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(AT_ONCE))

    def markets(self, wanted: Sequence[str] | None) -> Scopes:
        """Regions that have a file; ``wanted`` None: all of AWS's ordinary ones."""
        known = self._files()
        ordinary = frozenset(botocore.session.Session().get_available_regions("ec2"))
        named = sorted(ordinary & known.keys() if wanted is None else set(wanted))
        return Scopes(
            tuple(Scope(CLOUD, "", one) for one in named if one in known),
            tuple(
                Unreached(Scope(CLOUD, "", one), _no_file(one, known))
                for one in named
                if one not in known
            ),
        )

    def products(self, market: Scope) -> Iterator[Product]:
        """The plain instance types of a region. Terms of one stand far apart in a file, so products
        come at its end; a file that breaks off has none.
        """
        files = self._files()
        if market.region not in files:
            raise _no_file(market.region, files)
        with self._turns:
            asked = _asked("GetPriceFile", market.region)
            with translated(asked):
                documents = _documents(self._lines(asked, files[market.region]), asked)
                found = [product_from(one, market.place, FILE_SOURCE) for one in documents]
            yield from (product for product in found if product is not None)

    def _files(self) -> dict[str, str]:
        """The path of each region's file."""
        asked = _asked("GetPriceFileIndex", "")
        with translated(asked):
            index = json.loads(b"".join(self._lines(asked, INDEX)))
            return {
                name: str(one["currentVersionUrl"]).removesuffix(".json") + ".csv"
                for name, one in index["regions"].items()
            }

    def _lines(self, asked: Asked, path: str) -> Iterator[bytes]:
        """Lines of a file as they arrive; raises where it breaks off."""
        url = self.address.rstrip("/") + path
        settings: dict[str, Any] = {
            "verify": os.environ.get("AWS_CA_BUNDLE") or True,
            "proxies": get_environ_proxies(url),
            "timeout": (self.manners.connect_s, self.manners.read_s),
        }
        with closing(URLLib3Session(**settings)) as session:
            request: Any = AWSRequest("GET", url, stream_output=True)
            answer: Any = session.send(request.prepare())
            with closing(answer.raw):
                if answer.status_code != _OK:
                    kind = NotFound if answer.status_code in _MISSING else Unavailable
                    raise kind(asked, str(answer.status_code), f"{path} is not to be had")
                body = StreamingBody(answer.raw, answer.headers.get("content-length"))
                yield from body.iter_lines(_CHUNK)


def _documents(lines: Iterator[bytes], asked: Asked) -> list[dict[str, Any]]:
    """A document for each plain product, like those of the price list service."""
    published, columns = "", []
    for cells in csv.reader(line.decode() for line in lines):
        if cells[0] == _PUBLISHED:
            published = cells[1]
        elif cells[0] == "SKU":
            columns = cells
            break
    if not columns:
        raise Unavailable(asked, GARBLED, "the file has no columns")
    found: dict[str, dict[str, Any]] = {}
    # Most lines are about something else, and reading them whole takes most of the time.
    plain = (line.decode() for line in lines if b'"Linux"' in line and b'"Shared"' in line)
    for cells in csv.reader(plain):
        _note(found, dict(zip(columns, cells, strict=True)), published)
    return list(found.values())


def _note(found: dict[str, dict[str, Any]], row: Mapping[str, str], published: str) -> None:
    """A rate of a term of a product, if that is a plain instance."""
    about = {name: row[column] for name, column in _COLUMNS.items()}
    product = {"productFamily": row["Product Family"], "attributes": about}
    if row["TermType"] not in ("OnDemand", "Reserved") or not is_plain(product, about):
        return
    document = found.setdefault(row["SKU"], {
        "product": product, "publicationDate": published,
        "terms": {"OnDemand": {}, "Reserved": {}},
    })  # fmt: skip
    term = document["terms"][row["TermType"]].setdefault(row["OfferTermCode"], {
        "termAttributes": {name: row[name] for name in _TERM_COLUMNS}, "priceDimensions": {},
    })  # fmt: skip
    term["priceDimensions"][row["RateCode"]] = {
        "unit": row["Unit"], "pricePerUnit": {row["Currency"]: row["PricePerUnit"]},
    }  # fmt: skip


def _asked(operation: str, region: str) -> Asked:
    return Asked(CLOUD, operation, "", f"{CLOUD}/{region}")


def _no_file(region: str, known: Mapping[str, str]) -> NotFound:
    said = f"AWS has no price file of {region}; {nearest(region, tuple(known))}"
    return NotFound(_asked("GetPriceFileIndex", region), "UnknownRegion", said)
