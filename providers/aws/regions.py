"""Which accounts are looked at in which regions."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from models.cloud_errors import CloudFailed, NotFound
from providers.aws.clients import CLOUD, HOME_REGION, Account
from providers.aws.errors import translated
from providers.seam import Scope, Scopes, Unreached

ASK_HERE_FIRST = HOME_REGION
"""Any region knows all regions."""


@dataclass(eq=False)
class Regions:
    """The regions of every account that are enabled there and asked for.

    ``wanted`` None: all that are enabled. Asked once per account; failures are asked again.
    """

    accounts: tuple[Account, ...]
    wanted: tuple[str, ...] | None = None
    _enabled: dict[str, frozenset[str]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def account(self, scope: Scope) -> Account:
        for account in self.accounts:
            if account.name == scope.account:
                return account
        asked = self.accounts[0].asked("", scope.region)
        raise NotFound(asked, "UnknownAccount", f"no account is called {scope.account!r}")

    def enabled_in(self, account: Account) -> frozenset[str]:
        """All regions that ``account`` may use."""
        with self._lock:
            if account.name not in self._enabled:
                with translated(account.asked("DescribeRegions", ASK_HERE_FIRST)):
                    answer = account.ec2(ASK_HERE_FIRST).describe_regions(AllRegions=False)
                    names = frozenset(one["RegionName"] for one in answer["Regions"])
                self._enabled[account.name] = names
            return self._enabled[account.name]

    def of(self, account: Account) -> frozenset[str]:
        """Regions of ``account`` that are looked at."""
        enabled = self.enabled_in(account)
        return enabled if self.wanted is None else enabled & frozenset(self.wanted)

    def scopes(self) -> Scopes:
        """Every account in its regions, and once without a region: contracts are of none."""
        found: list[Scope] = []
        unreached: list[Unreached] = []
        for account in self.accounts:
            of_none = Scope(CLOUD, account.name, "")
            try:
                regions = self.of(account)
            except CloudFailed as error:
                unreached.append(Unreached(of_none, error))
            else:
                found += [of_none, *(Scope(CLOUD, account.name, region) for region in regions)]
        return Scopes(tuple(sorted(found)), tuple(unreached))

    def markets(self) -> Scopes:
        """All regions of all accounts."""
        regions = {scope.region for scope in self.scopes().found if scope.region}
        return Scopes(tuple(Scope(CLOUD, "", region) for region in sorted(regions)))

    def buyer_in(self, region: str) -> Account:
        """The first account that has ``region``: it asks for prices."""
        for account in self.accounts:
            if region in self._enabled.get(account.name, ()):
                return account
        return self.accounts[0]
