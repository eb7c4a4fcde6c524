"""Where a cloud can be asked, for tests that want to know why it cannot."""

from __future__ import annotations

from providers.seam import Scope, Scopes


def reached(scopes: Scopes) -> tuple[Scope, ...]:
    """All that was found; raises why an account was not reached."""
    for one in scopes.unreached:
        raise one.failure
    return scopes.found
