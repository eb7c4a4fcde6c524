"""Which accounts are looked at in which regions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock

from models.cloud_errors import CloudFailed, NotFound
from providers.aws.clients import CLOUD, HOME_REGION, Account
from providers.aws.errors import translated
from providers.seam import Scope

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

    def scopes(self) -> tuple[Scope, ...]:
        """Every account in its regions, and once without a region: contracts are of none.

        An account that does not answer has only the latter, where every reading says why. Raises
        what the first account raised when none answers.
        """
        return tuple(sorted(self._scopes()))

    def markets(self) -> tuple[Scope, ...]:
        """All regions of all accounts."""
        answered = [scope.region for scope in self._scopes() if scope.region]
        return tuple(Scope(CLOUD, "", region) for region in sorted(set(answered)))

    def buyer_in(self, region: str) -> Account:
        """The first account that has ``region``: it asks for prices."""
        for account in self.accounts:
            if region in self._enabled.get(account.name, ()):
                return account
        return self.accounts[0]

    def check(self, account: Account) -> None:
        """Raise why ``account`` has no regions, if it still does not answer."""
        self.enabled_in(account)

    def _scopes(self) -> Iterator[Scope]:
        first: CloudFailed | None = None
        answered = False
        for account in self.accounts:
            yield Scope(CLOUD, account.name, "")
            try:
                regions = self.of(account)
            except CloudFailed as error:
                first = first or error
            else:
                answered = True
                yield from (Scope(CLOUD, account.name, region) for region in regions)
        if first is not None and not answered:
            raise first
