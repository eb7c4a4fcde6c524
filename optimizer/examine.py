"""Have every cloud looked at, all at once, by its doctor."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from queue import Empty, Queue
from time import monotonic

from models.cloud_errors import CloudFailed, reason
from providers.seam import Finding, Provider, Severity

_Told = Queue[tuple[int, Finding | BaseException | None]]
"""What is told of which provider; None: that was all."""


def examine(providers: Sequence[Provider], deadline_s: float) -> Iterator[Finding]:
    """What all doctors find, as they find it. A cloud that has not told all after ``deadline_s``
    seconds is a finding, too.
    """
    told: _Told = Queue()
    for i, provider in enumerate(providers):
        # Daemons: a cloud that never answers must not keep the process alive.
        threading.Thread(target=_ask, args=(i, provider, told), daemon=True).start()
    ends = monotonic() + deadline_s
    left = dict(enumerate(providers))
    while left:
        try:
            i, one = told.get(timeout=max(ends - monotonic(), 0.0))
        except Empty:
            break
        if isinstance(one, BaseException):
            raise one
        if one is None:
            del left[i]
        else:
            yield one
    for provider in left.values():
        said = f"had not told all after {deadline_s:g} s"
        remedy = "check the network and the cloud's status page, or give it longer (--deadline)"
        yield Finding(provider.cloud, "reachability", Severity.FAILED, said, remedy)


def _ask(i: int, provider: Provider, told: _Told) -> None:
    try:
        for one in provider.doctor.findings():
            told.put((i, one))
    except Exception as error:  # noqa: BLE001  a finding: the other clouds are looked at all the same
        told.put((i, _failed(provider.cloud, error)))
    except BaseException as error:  # noqa: BLE001  raised where findings are waited for
        told.put((i, error))
    told.put((i, None))


def _failed(cloud: str, error: Exception) -> Finding:
    said = reason(error)
    if isinstance(error, CloudFailed):
        return Finding(cloud, error.asked.operation, Severity.FAILED, said, error.next_step)
    return Finding(cloud, "trimtab", Severity.FAILED, said, "report it, with the version")
