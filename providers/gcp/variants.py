"""What sets an instance apart from the machines that prices are of."""

from __future__ import annotations

import re
from typing import Final

from google.cloud import compute_v1

from providers.gcp.names import last

_PROJECT: Final = re.compile(r"projects/([^/]+)/")
_WINDOWS: Final = frozenset({"windows-cloud", "windows-sql-cloud"})
_FREE: Final = frozenset({
    "almalinux-cloud", "centos-cloud", "compute-image-tools", "cos-cloud", "debian-cloud",
    "fedora-cloud", "fedora-coreos-cloud", "freebsd-org-cloud-dev", "gke-node-images",
    "opensuse-cloud", "oracle-linux-cloud", "rocky-linux-cloud", "ubuntu-os-cloud",
    "ubuntu-os-gke-cloud", "vm-options",
})  # fmt: skip
"""Projects whose licences cost nothing; vm-options only says what a machine can do."""
_OWN: Final = re.compile(r".*-byo[sl](-.*)?")
"""Licences that somebody brought along."""


def variant_of(one: compute_v1.Instance) -> str:
    """``dedicated``, ``flex-start``, ``windows``, or the names of other licences, sorted and with
    commas between them; empty for Linux on shared hardware.

    A licence that is not known to be free counts as one to pay for.
    """
    found: set[str] = set()
    if one.scheduling.node_affinities:
        found.add("dedicated")
    if one.scheduling.provisioning_model == "FLEX_START":
        found.add("flex-start")  # sold at rates of its own
    for disk in one.disks:
        for url in disk.licenses:
            match = _PROJECT.search(url)
            project = match[1] if match else ""
            if project in _WINDOWS:
                found.add("windows")
            elif project not in _FREE and not _OWN.fullmatch(last(url)):
                found.add(last(url))
    return ", ".join(sorted(found))
