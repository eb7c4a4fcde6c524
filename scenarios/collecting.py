"""Collection files: read, checked, and turned into what a collection needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from models.errors import Location, raise_alone
from models.inventory import Instance, InstanceGroup
from scenarios.collect_entries import CollectionFile, LabelledEntry, ServicesEntry
from scenarios.credentials import check_address, refuse_secrets
from scenarios.documents import check_version
from scenarios.faults import Faults
from scenarios.lines import Mapped, line_at, read_yaml
from scenarios.schema import DIALECT

CLOUDS: Final = ("aws", "gcp", "azure", "simulated")
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
    refuse_secrets(data, str(path), faults, _NO_SECRETS)
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


def _check_endpoints(collection: Collection, faults: Faults) -> None:
    for cloud in ("aws", "gcp", "azure"):
        entry = getattr(collection.content, cloud)
        for key in ("endpoint", "prices_endpoint"):
            address = getattr(entry, key, None)
            if address is not None:
                at = collection.at(cloud, key)
                check_address(address, f"{cloud}.{key}", at, faults, secret=True)


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
