"""Secrets have no place in files, nor travel where others can read them."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final
from urllib.parse import urlsplit

from models.errors import Location
from models.secrets import holds_credentials
from scenarios.faults import Faults
from scenarios.lines import Mapped, line_at

_SECRETS: Final = (
    "access_key", "access_key_id", "aws_access_key_id", "secret_key", "secret_access_key",
    "aws_secret_access_key", "session_token", "password", "pwd", "client_secret", "secret", "token",
    "auth_token", "access_token", "refresh_token", "credentials", "private_key", "api_key",
    "account_key", "connection_string", "sas_token", "bearer_token", "authorization",
)  # fmt: skip
_THIS_MACHINE: Final = ("127.0.0.1", "localhost", "::1")


def refuse_secrets(
    node: Any, file: str, faults: Faults, hint: str, known: Collection[str] = ()
) -> None:
    """Secrets in a file are a fault, wherever they stand; their values are not repeated, but
    removed from ``node``. Keys in ``known`` are no secrets here.
    """
    if isinstance(node, Mapped):
        for key in list(node):
            value = node[key]
            name = spelled(key) if isinstance(key, str) else ""
            secret = name in _SECRETS and name not in known
            if secret or (isinstance(value, str) and holds_credentials(value)):
                at = Location(file, line_at(node, (key,)))
                faults.add(at, f"{key}: credentials must not stand in files", hint)
                del node[key]
            else:
                refuse_secrets(node[key], file, faults, hint, known)
    elif isinstance(node, list):
        for i, item in enumerate(node):
            if isinstance(item, str) and holds_credentials(item):
                at = Location(file, line_at(node, (i,)))
                faults.add(at, "credentials must not stand in files", hint)
                node[i] = ""
            refuse_secrets(node[i], file, faults, hint, known)


def spelled(key: str) -> str:
    """``secretAccessKey`` and ``SECRET-ACCESS-KEY`` as ``secret_access_key``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().replace("-", "_")


def check_address(address: str, name: str, at: Location, faults: Faults, *, secret: bool) -> None:
    """``address`` is such, and what is ``secret`` travels unencrypted to this machine only."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        faults.add(at, f"{name} is no address", "write https://host:port")
        return
    if parts.query or parts.fragment:
        faults.add(at, f"{name} has more than an address", "leave out what follows ? or #")
    if secret and parts.scheme == "http" and host not in _THIS_MACHINE:
        faults.add(at, f"credentials would travel to {host} unencrypted", "use https://")
