"""One sandbox per provider; the contract's tests run in each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandboxes import SANDBOXES, Sandbox


@pytest.fixture(params=sorted(SANDBOXES))
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with SANDBOXES[request.param]() as made:
        yield made
