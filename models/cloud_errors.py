"""What clouds answer when they do not do what they were asked.

::

    TrimtabError
    └── CloudFailed        a cloud did not do what it was asked
        ├── CapacityLacking   it has no such machines left there now
        ├── QuotaReached      the account may not have more
        ├── Throttled         too many requests, also after waiting
        ├── Denied            credentials or permissions do not suffice
        ├── NotFound          there is no such thing
        ├── Conflicting       something else is under way, or already there
        ├── NotAccepted       the cloud finds the request itself wrong
        └── Unavailable       no usable answer: down, unreachable, late or garbled

Adapters translate their SDK's errors into one of these. What the cloud said is made plain, cut
and cleared of secrets (``models.secrets``) before it is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from models.errors import TrimtabError
from models.secrets import without_secrets


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of whom. ``operation`` is the cloud's own name of it."""

    cloud: str
    operation: str
    account: str = ""
    place: str = ""

    def __str__(self) -> str:
        where = " in ".join(part for part in (self.account, self.place) if part)
        return f"{self.cloud} {self.operation}" + (f" ({where})" if where else "")


class CloudFailed(TrimtabError):
    """A cloud did not do what it was asked. ``code`` is its own word for why."""

    next_step: ClassVar[str] = "look at what the cloud said"

    def __init__(self, asked: Asked, code: str, said: str) -> None:
        self.asked, self.code, self.said = asked, without_secrets(code), without_secrets(said)
        super().__init__(f"{asked}: {self.code}: {self.said}\n    → {self.next_step}")

    def __reduce__(self) -> tuple[type[CloudFailed], tuple[Asked, str, str]]:
        return type(self), (self.asked, self.code, self.said)


class CapacityLacking(CloudFailed):
    """The cloud has no such machines left there now."""

    next_step = "try another zone, instance type or purchase option, or this one later"


class QuotaReached(CloudFailed):
    """The account may not have more of it."""

    next_step = "ask the cloud for a higher quota, or use what another quota counts"


class Throttled(CloudFailed):
    """Too many requests, also after waiting and asking again."""

    next_step = "ask less at once (`at_once`), or later"


class Denied(CloudFailed):
    """Credentials are missing, expired or do not permit it."""

    next_step = "run `trimtab doctor`; docs/clouds/ lists what each command needs"


class NotFound(CloudFailed):
    """There is no such thing, or no longer."""

    next_step = "collect again: what it stood for may be gone"


class Conflicting(CloudFailed):
    """Something else is under way there, or the thing is there already in another shape."""

    next_step = "wait until what is under way has ended, then look again"


class NotAccepted(CloudFailed):
    """The cloud finds the request itself wrong."""

    next_step = "mend what the cloud names"


class Unavailable(CloudFailed):
    """No usable answer: the cloud is down, cannot be reached, is late, or its answer is garbled."""

    next_step = "check the network and the cloud's status page, then try again"


def reason(error: Exception) -> str:
    """Why a cloud did not answer: in its own words, or that trimtab broke down over its answer."""
    if isinstance(error, CloudFailed):
        return f"{error.code}: {error.said}"
    return f"a fault of trimtab's own: {type(error).__name__}: {without_secrets(str(error))}"
