"""Collection files: read, checked, and turned into what a collection needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from models.errors import Location, raise_alone
from models.inventory import Instance, InstanceGroup
from models.secrets import holds_credentials
from scenarios.collect_entries import CollectionFile, LabelledEntry, ServicesEntry
from scenarios.documents import check_version
from scenarios.faults import Faults
from scenarios.lines import Mapped, line_at, read_yaml
from scenarios.schema import DIALECT

CLOUDS: Final = ("aws", "gcp", "azure", "simulated")
_SECRETS: Final = (
    "access_key", "access_key_id", "aws_access_key_id", "secret_key", "secret_access_key",
    "aws_secret_access_key", "session_token", "password", "pwd", "client_secret", "secret", "token",
    "auth_token", "access_token", "refresh_token", "credentials", "private_key", "api_key",
    "account_key", "connection_string", "sas_token",
)  # fmt: skip
_NO_SECRETS: Final = (
    "remove it: each cloud's SDK finds credentials in its own way (profiles, roles, "
    "application default credentials, az login)"
)


@dataclass(frozen=True, eq=False)
class Collection:
    """A collection file without faults."""

    path: Path
    content: CollectionFile
    data: Mapped

    def at(self, *path: str | int) -> Location:
        """Where the node on ``path`` stands."""
        return Location(str(self.path), line_at(self.data, path))

    def service_of(self, row: Instance | InstanceGroup, group: InstanceGroup | None = None) -> str:
        """The service that something in ``group`` runs; empty when the file says nothing."""
        return service_of(self.content.services, row, group)


def read_collection(path: Path) -> Collection:
    """Read a collection file; raises ``FaultyInput`` with every fault of it."""
    data = read_yaml(path)
    check_version(path, data, "collect", {"world", "scenario", "changes", "pods"})
    faults = Faults()
    _refuse_secrets(data, str(path), faults)
    try:
        content = CollectionFile.model_validate(data)
    except ValidationError as error:
        faults.add_all(error, CollectionFile, data, str(path))
        raise_alone(faults.refusal())  # the error repeats what was given
    collection = Collection(path, content, data)
    if not any(getattr(content, cloud) for cloud in CLOUDS):
        at = collection.at("collect")
        faults.add(at, "no cloud is named", f"add one of: {', '.join(CLOUDS)}")
    if content.simulated and (content.aws or content.gcp or content.azure):
        at = collection.at("simulated")
        hint = "collect them from files of their own"
        faults.add(at, "simulated clouds do not mix with real ones", hint)
    if content.aws is not None:
        _check_names(collection, faults)
    _check_endpoints(collection, faults)
    if faults.count:
        raise faults.refusal()
    return collection


def collection_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of collection files."""
    schema = CollectionFile.model_json_schema()
    return {"$schema": DIALECT, **schema, "title": "trimtab collection"}


def _refuse_secrets(node: Any, file: str, faults: Faults) -> None:
    """Secrets in a file are a fault, wherever they stand; their values are not repeated."""
    if isinstance(node, Mapped):
        for key in list(node):
            value = node[key]
            secret = isinstance(key, str) and _spelled(key) in _SECRETS
            if secret or (isinstance(value, str) and holds_credentials(value)):
                at = Location(file, line_at(node, (key,)))
                faults.add(at, f"{key}: credentials must not stand in files", _NO_SECRETS)
                del node[key]
            else:
                _refuse_secrets(node[key], file, faults)
    elif isinstance(node, list):
        for i, item in enumerate(node):
            if isinstance(item, str) and holds_credentials(item):
                at = Location(file, line_at(node, (i,)))
                faults.add(at, "credentials must not stand in files", _NO_SECRETS)
                node[i] = ""
            _refuse_secrets(node[i], file, faults)


def _spelled(key: str) -> str:
    """``secretAccessKey`` and ``SECRET-ACCESS-KEY`` as ``secret_access_key``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().replace("-", "_")


def _check_endpoints(collection: Collection, faults: Faults) -> None:
    """Addresses are such, and credentials travel unencrypted to this machine only."""
    for cloud in ("aws", "gcp", "azure"):
        entry = getattr(collection.content, cloud)
        for key in ("endpoint", "prices_endpoint"):
            address = getattr(entry, key, None)
            if address is None:
                continue
            try:
                parts = urlsplit(address)
                host, _ = parts.hostname, parts.port
            except ValueError:
                at, message = collection.at(cloud, key), f"{cloud}.{key} is no address"
                faults.add(at, message, "write https://host:port")
                continue
            if parts.query or parts.fragment:
                message = f"{cloud}.{key} has more than an address"
                faults.add(collection.at(cloud, key), message, "leave out what follows ? or #")
            if parts.scheme == "http" and host not in _THIS_MACHINE:
                message = f"credentials would travel to {host} unencrypted"
                faults.add(collection.at(cloud, key), message, "use https://")


_THIS_MACHINE: Final = ("127.0.0.1", "localhost", "::1")


def _check_names(collection: Collection, faults: Faults) -> None:
    names: set[str] = set()
    aws = collection.content.aws
    for i, account in enumerate(aws.accounts if aws else ()):
        if account.name in names:
            at = collection.at("aws", "accounts", i, "name")
            faults.add(at, f"two accounts are called {account.name!r}", "rename one")
        names.add(account.name)
        if account.external_id is not None and account.role_arn is None:
            at = collection.at("aws", "accounts", i, "external_id")
            faults.add(at, "an external id goes with a role", "add role_arn, or remove it")


def service_of(
    services: ServicesEntry, row: Instance | InstanceGroup, group: InstanceGroup | None = None
) -> str:
    """The first rule that matches, else what the label says, else what ``group`` runs, the one that
    an instance is in; empty when nothing says it.
    """
    labels = dict(row.labels)
    names = _names(row if group is None else group)
    for rule in services.rules:
        if _matches(rule, row, names, labels):
            return rule.service
    own = labels.get(services.label, "") if services.label is not None else ""
    return service_of(services, group) if not own and group is not None else own


def _names(row: Instance | InstanceGroup) -> tuple[str, ...]:
    return (row.name, row.id) if isinstance(row, InstanceGroup) else (row.group or row.id,)


def _matches(
    rule: LabelledEntry,
    row: Instance | InstanceGroup,
    names: tuple[str, ...],
    labels: Mapping[str, str],
) -> bool:
    return (
        rule.cloud in (None, row.place.partition("/")[0])
        and rule.account in (None, row.account)
        and rule.place in (None, row.place)
        and (rule.name is None or any(fnmatchcase(name, rule.name) for name in names))
        and all(fnmatchcase(labels.get(key, ""), value) for key, value in rule.labels.items())
    )
