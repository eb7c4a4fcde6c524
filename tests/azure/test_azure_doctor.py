"""What the doctor finds of Azure: by subscription, region and permission, each with a remedy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure_sandbox import AzureSandbox, access, entry, made
from azure_server import Answer, refused
from azure_state import SUBSCRIPTION

from providers.azure.provider import provider
from providers.seam import Finding, Provider, Severity

OTHER = "99999999-2222-3333-4444-555555555555"


class NoCredential:
    """Nobody is signed in."""

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        raise ClientAuthenticationError(message="nobody signed in")


def _findings(cloud: Provider) -> dict[str, Finding]:
    """By what they are about; every one that is not fine says what to do."""
    found = list(cloud.doctor.findings())
    assert all(one.remedy for one in found if one.severity is not Severity.FINE)
    return {one.about: one for one in found}


def _fresh(box: AzureSandbox) -> None:
    """Prices that came into force lately."""
    lately = datetime.now(UTC) - timedelta(days=20)
    for item in box.stand.cloud.retail:
        item["effectiveStartDate"] = lately.isoformat()


def test_the_doctor_finds_nothing_wrong(box: AzureSandbox) -> None:
    _fresh(box)
    found = _findings(box.provider)
    assert {one.severity for one in found.values()} == {Severity.FINE}
    assert {"credentials", "clock", "prices", f"subscription {SUBSCRIPTION}"} <= set(found)
    assert f"permission to read savings plans of {SUBSCRIPTION}" in found


def test_without_credentials_it_says_how_to_sign_in(box: AzureSandbox) -> None:
    first = next(iter(made(box.stand, credential=NoCredential()).doctor.findings()))
    assert (first.about, first.severity) == ("credentials", Severity.FAILED)
    assert "az login" in first.remedy


def test_a_clock_that_is_off_is_seen(box: AzureSandbox) -> None:
    off = provider(
        entry(box.stand), Path(), access(box.stand),
        clock=lambda: datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    clock = _findings(off)["clock"]
    assert clock.severity is Severity.FAILED
    assert "NTP" in clock.remedy


def test_a_clock_that_nobody_tells_is_not_called_fine(box: AzureSandbox) -> None:
    box.stand.faults.append(
        lambda call: Answer(drop=True) if call.operation == "retailPrices" else None
    )
    found = _findings(box.provider)
    assert found["clock"].severity is Severity.WARNING
    assert found["prices"].severity is Severity.FAILED


def test_what_is_not_reached_is_found_by_subscription_and_region(box: AzureSandbox) -> None:
    places = entry(
        box.stand, subscriptions=(SUBSCRIPTION, OTHER), regions=("westeurope", "westeuropa")
    )
    found = _findings(provider(places, Path(), access(box.stand)))
    denied = found[f"subscription {OTHER}"]
    assert (denied.severity, "role" in denied.remedy) == (Severity.FAILED, True)
    unknown = found[f"region westeuropa of subscription {SUBSCRIPTION}"]
    assert "did you mean 'westeurope'" in unknown.said
    assert "`regions`" in unknown.remedy
    assert found[f"subscription {SUBSCRIPTION}"].severity is Severity.FINE


@pytest.mark.parametrize(
    ("operation", "what", "remedy"),
    [
        ("usage.list", "quotas", "role"),
        ("resourceSkus.list", "sizes", "role"),
        ("savingsPlans.listAll", "savings plans", "tenant"),
        ("reservation.listAll", "reservations", "tenant"),
    ],
)
def test_a_permission_that_lacks_is_named(
    box: AzureSandbox, operation: str, what: str, remedy: str
) -> None:
    box.stand.faults.append(
        lambda call: refused(403, "AuthorizationFailed") if call.operation == operation else None
    )
    one = _findings(box.provider)[f"permission to read {what} of {SUBSCRIPTION}"]
    assert one.severity is Severity.FAILED
    assert remedy in one.remedy


def test_a_failure_that_is_no_matter_of_roles_is_not_mended_by_one(box: AzureSandbox) -> None:
    box.stand.faults.append(
        lambda call: refused(503, "ServerTimeout") if call.operation == "usage.list" else None
    )
    one = _findings(box.provider)[f"permission to read quotas of {SUBSCRIPTION}"]
    assert "role" not in one.remedy
    assert "network" in one.remedy


def test_a_list_in_which_nothing_has_moved_is_not_called_fine(box: AzureSandbox) -> None:
    market = box.provider.price_list.markets().found[0]
    quiet = _findings(box.provider)[f"prices of {market.place}"]
    assert quiet.severity is Severity.WARNING
    assert "does not date its list" in quiet.said
    _fresh(box)
    fresh = _findings(box.provider)[f"prices of {market.place}"]
    assert fresh.severity is Severity.FINE
    assert "does not date its list" in fresh.said
