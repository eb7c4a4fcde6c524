"""Azure's stand-in, empty but for a template and prices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure_sandbox import AzureSandbox, azure


@pytest.fixture
def box() -> Iterator[AzureSandbox]:
    with azure() as made:
        yield made
