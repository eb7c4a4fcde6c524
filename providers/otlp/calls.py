"""From spans to requests at services and calls between them.

A request at a service is a span that came in from outside of it: of kind server or consumer, or
of any kind but client and producer when its parent is of another service. A span of kind server
below another span of the same instance that is no call going out is part of that span's request:
frameworks and servers that are both instrumented write two spans for one request.

A call goes from the service of a request's parent to the service of the request. What it took and
whether it failed is as the caller saw it when the parent is a client's span; both spans of a call
are of different clocks, and no time is ever worked out across them. A consumer that has no parent
elsewhere was called by everything that it is linked to.

A client's span that no request came from is a call, too: to a database, to a third party, or to a
service that did not answer. Its callee is whom other calls of the same service to the same peer
reached, or else the peer itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from providers.otlp.names import NOTHING
from providers.otlp.spans import CLIENT, CONSUMER, PRODUCER, SERVER

CALL: Final = np.dtype(
    [
        ("service", "i4"),
        ("instance", "i4"),
        ("callee", "i4"),  # a service; NOTHING: only its peer is known
        ("peer", "i4"),
        ("ms", "f8"),
        ("weight", "f8"),
        ("failed", "?"),
    ]
)


@dataclass(frozen=True, eq=False)
class Calls:
    """What happened in a step.

    ``requests`` are rows of dtype ``CALL`` without callee, ``calls`` with it, and ``unanswered``
    with a peer in its place. ``seen``: numbers of services that sent any span of the step.
    ``orphans``: requests whose parent was never seen; ``twice``: spans that came twice.
    """

    requests: NDArray[Any]
    calls: NDArray[Any]
    unanswered: NDArray[Any]
    seen: NDArray[np.int32]
    orphans: int
    twice: int


def calls_between(held: NDArray[Any], links: NDArray[Any], starts_ns: int, ends_ns: int) -> Calls:
    """The calls of the spans that ended in a step.

    ``held`` and ``links`` are all that is remembered, before and after the step: a parent ends
    after what it waited for, and a producer long before its consumer.
    """
    inside = (held["ended"] >= starts_ns) & (held["ended"] < ends_ns)
    spans = held[np.argsort(held["key"], kind="stable")]
    first = np.ones(len(spans), bool)
    first[1:] = spans["key"][1:] != spans["key"][:-1]
    spans = spans[first]
    now = (spans["ended"] >= starts_ns) & (spans["ended"] < ends_ns)
    twice = int(inside.sum() - now.sum())
    at, has = _found(spans["key"], spans["parent"])
    entry, elsewhere = _entries(spans, at, has)
    requests = spans[entry & now]
    direct = elsewhere & now
    orphans = int((entry & now & ~has & (spans["parent"] != 0)).sum())
    calls = [_direct(spans[direct], spans[at[direct]])]
    calls.append(_linked(spans, entry & now & ~direct & (spans["kind"] == CONSUMER), links))
    return Calls(
        _rows(requests, requests["service"]),
        np.concatenate(calls),
        _unanswered(spans, at, elsewhere, now),
        np.unique(spans["service"][now]),
        orphans,
        twice,
    )


def _found(
    keys: NDArray[np.uint64], wanted: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each of ``wanted`` stands among sorted ``keys``, and whether it does."""
    if not len(keys):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return at, (keys[at] == wanted) & (wanted != 0)


def _entries(
    spans: NDArray[Any], at: NDArray[np.int64], has: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which spans are requests, and which of them were called by their parent."""
    kind, above = spans["kind"], spans["kind"][at]
    own = has & (spans["service"][at] == spans["service"])
    received = own & (kind == CONSUMER) & (above == CLIENT)  # it fetched what it works on
    called = has & ~received & _one_of(above, CLIENT, PRODUCER)
    inner = own & ~called & ~received & (spans["instance"][at] == spans["instance"])
    enters = _one_of(kind, SERVER, CONSUMER) & ~inner
    kindless = has & ~own & ~_one_of(kind, CLIENT, PRODUCER)
    entry = enters | kindless
    return entry, entry & has & ~received


def _one_of(kinds: NDArray[np.uint8], *wanted: int) -> NDArray[np.bool_]:
    return np.isin(kinds, wanted)


def _direct(children: NDArray[Any], parents: NDArray[Any]) -> NDArray[Any]:
    calls = _rows(parents, children["service"])
    seen_by_caller = parents["kind"] == CLIENT
    calls["ms"] = np.where(seen_by_caller, parents["ms"], children["ms"])
    calls["failed"] = np.where(seen_by_caller, parents["failed"], children["failed"])
    calls["weight"] = children["weight"]
    return calls


def _linked(spans: NDArray[Any], which: NDArray[np.bool_], links: NDArray[Any]) -> NDArray[Any]:
    """Calls of producers to consumers that are linked to them, not below them."""
    links = np.unique(links)
    consumer, known = _found(spans["key"], links["key"])
    producer, found = _found(spans["key"], links["to"])
    real = known & found & which[consumer] if len(spans) else known
    children, parents = spans[consumer[real]], spans[producer[real]]
    calls = _rows(parents, children["service"])
    for name in ("ms", "failed", "weight"):
        calls[name] = children[name]
    return calls


def _unanswered(
    spans: NDArray[Any],
    at: NDArray[np.int64],
    elsewhere: NDArray[np.bool_],
    now: NDArray[np.bool_],
) -> NDArray[Any]:
    """Calls of clients from which no request came, and no call of a client further inside."""
    client = spans["kind"] == CLIENT
    answered = np.zeros(len(spans), bool)
    answered[at[elsewhere]] = True
    inner = client & client[at] & (spans["parent"] != 0)
    inner &= (spans["key"][at] == spans["parent"]) & (spans["service"][at] == spans["service"])
    answered[at[inner]] = True
    alone = spans[client & now & ~answered & (spans["peer"] != NOTHING)]
    return _rows(alone, np.full(len(alone), NOTHING))


def _rows(spans: NDArray[Any], callee: NDArray[Any]) -> NDArray[Any]:
    """Calls that the services of ``spans`` make."""
    rows = np.empty(len(spans), CALL)
    for name in ("service", "instance", "peer", "ms", "weight", "failed"):
        rows[name] = spans[name]
    rows["callee"] = callee
    return rows
