"""One small Google Cloud for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gcp_sandbox import GcpSandbox, gcp


@pytest.fixture
def sandbox() -> Iterator[GcpSandbox]:
    with gcp() as made:
        yield made
