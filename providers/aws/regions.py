"""Which accounts are looked at in which regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Final, TypeVar

from models.cloud_errors import CloudFailed, Denied, NotFound
from providers.aws.clients import CLOUD, Account
from providers.aws.errors import translated
from providers.seam import Scope, Scopes, Unreached
from scenarios.faults import nearest

ACCOUNTS_AT_ONCE: Final = 16
KEPT_S: Final = 600.0
"""How long an account's regions are taken to be the same, in seconds."""
_NOT_ENABLED: Final = "not-opted-in"

Asked = TypeVar("Asked")
Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class Known:
    """The regions that AWS has, and those of them that an account may use."""

    all: frozenset[str]
    enabled: frozenset[str]


@dataclass(eq=False)
class _RegionsOf:
    """What one account says; failures are asked again, but not by those who waited meanwhile."""

    account: Account
    said: Known | None = None
    _failed: CloudFailed | None = None
    _at: float = float("-inf")
    _lock: Lock = field(default_factory=Lock)

    def known(self) -> Known:
        began = monotonic()
        with self._lock:
            if self._failed is not None and began <= self._at:
                raise self._failed
            if self.said is None or monotonic() - self._at > KEPT_S:
                self.said, self._failed = None, None
                try:
                    self.said = self.account.anywhere(self._ask)
                except CloudFailed as error:
                    self._failed = error
                    raise
                finally:
                    self._at = monotonic()
            return self.said

    def _ask(self, region: str) -> Known:
        with translated(self.account.asked("DescribeRegions", region)):
            rows = self.account.ec2(region).describe_regions(AllRegions=True)["Regions"]
            return Known(
                frozenset(one["RegionName"] for one in rows),
                frozenset(one["RegionName"] for one in rows if one["OptInStatus"] != _NOT_ENABLED),
            )


class Regions:
    """The regions of every account that are enabled there and asked for.

    ``wanted`` None: all that are enabled. What an account says holds for ``KEPT_S``.
    """

    def __init__(
        self, accounts: tuple[Account, ...], wanted: tuple[str, ...] | None = None
    ) -> None:
        self.accounts, self.wanted = accounts, wanted
        self._of = {account.name: _RegionsOf(account) for account in accounts}

    def account(self, scope: Scope) -> Account:
        if (found := self._of.get(scope.account)) is not None:
            return found.account
        asked = self.accounts[0].asked("", scope.region)
        raise NotFound(asked, "UnknownAccount", f"no account is called {scope.account!r}")

    def known_in(self, account: Account) -> Known:
        """All regions that there are, and those that ``account`` may use."""
        return self._of[account.name].known()

    def of(self, account: Account) -> Scopes:
        """The regions of ``account`` that are looked at, and those asked for that cannot be."""
        known = self.known_in(account)
        wanted = known.enabled if self.wanted is None else self.wanted
        return Scopes(
            tuple(sorted(Scope(CLOUD, account.name, one) for one in known.enabled & set(wanted))),
            tuple(
                Unreached(Scope(CLOUD, account.name, one), _why_not(account, one, known))
                for one in sorted(set(wanted) - known.enabled)
            ),
        )

    def scopes(self) -> Scopes:
        """Every account in its regions, and once without a region: contracts are of none."""
        found: list[Scope] = []
        unreached: list[Unreached] = []
        answers = at_once(self.of, self.accounts, ACCOUNTS_AT_ONCE)
        for account, answer in zip(self.accounts, answers, strict=True):
            of_none = Scope(CLOUD, account.name, "")
            if isinstance(answer, Scopes):
                found += [of_none, *answer.found]
                unreached += answer.unreached
            else:
                unreached.append(Unreached(of_none, answer))
        return Scopes(tuple(sorted(found)), tuple(sorted(unreached, key=lambda one: one.scope)))

    def markets(self) -> Scopes:
        """All regions of all accounts, once; those that none of them can look at, and why."""
        scopes = self.scopes()
        regions = {scope.region for scope in scopes.found if scope.region}
        failures = {
            one.scope.region: one.failure
            for one in reversed(scopes.unreached)
            if one.scope.region or not scopes.found
        }
        return Scopes(
            tuple(Scope(CLOUD, "", region) for region in sorted(regions)),
            tuple(
                Unreached(Scope(CLOUD, "", region), failures[region])
                for region in sorted(failures.keys() - regions)
            ),
        )

    def buyer_in(self, region: str) -> Account:
        """The first account that is known to have ``region``: it asks for prices."""
        for account in self.accounts:
            said = self._of[account.name].said
            if said is not None and region in said.enabled:
                return account
        return self.accounts[0]


def _why_not(account: Account, region: str, known: Known) -> CloudFailed:
    asked = account.asked("DescribeRegions", region)
    near = nearest(region, known.enabled)
    if region not in known.all:
        said = f"AWS has no region called {region}"
        return NotFound(asked, "UnknownRegion", f"{said}; {near}" if near else said)
    said = f"{region} is not enabled in the account: enable it, or take it out of `regions`"
    return Denied(asked, "RegionNotEnabled", said)


def at_once(
    ask: Callable[[Asked], Said], items: Sequence[Asked], most: int
) -> list[Said | CloudFailed]:
    """What ``ask`` says of each item, or why it cannot; ``most`` are asked at the same time."""
    waiting: SimpleQueue[int] = SimpleQueue()
    answers: SimpleQueue[tuple[int, Said | BaseException]] = SimpleQueue()
    for i in range(len(items)):
        waiting.put(i)

    def work() -> None:
        while True:
            try:
                i = waiting.get_nowait()
            except Empty:
                return
            try:
                answers.put((i, ask(items[i])))
            except BaseException as error:  # noqa: BLE001  raised where answers are waited for
                answers.put((i, error))

    for _ in range(min(most, len(items))):
        # Daemons: a cloud that never answers must not keep the process alive.
        Thread(target=work, daemon=True).start()
    found: dict[int, Said | CloudFailed] = {}
    for _ in items:
        i, answer = answers.get()
        if isinstance(answer, BaseException) and not isinstance(answer, CloudFailed):
            raise answer
        found[i] = answer
    return [found[i] for i in range(len(items))]
