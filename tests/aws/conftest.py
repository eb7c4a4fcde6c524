"""A sandbox of AWS; whatever a test lets the product call must be documented as needed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aws_policies import ACTING, BILLED, READING, needed
from aws_sandbox import AwsSandbox
from aws_sandbox import aws as make


@pytest.fixture
def aws() -> Iterator[AwsSandbox]:
    with make() as sandbox:
        yield sandbox
        assert needed(sandbox.product_calls) <= READING | ACTING | BILLED
