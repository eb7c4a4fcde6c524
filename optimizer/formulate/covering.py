"""Which options of one place stay: covering by dynamic programming over whole replicas.

The compiled part of ``optimizer.formulate.dominance``, which says what it is for. Plain loops
over whole arrays: they compile in a fraction of the time that array expressions take.
"""

from __future__ import annotations

import numpy as np

from optimizer.compiled import compiled
from optimizer.problem import Bools, Floats, Ints

SAME_PRICE = 1e-12
"""Relative difference below which two sums of prices are equal."""
BEATEN, FREE, SHARED, COUNTED = range(4)
"""Kinds of options: counted by no quota and no spot share, by a spot share alone, by a quota."""


@compiled
def unbeaten(
    starts: Ints,
    size: Ints,
    price: Floats,
    paid: Floats,
    budgeted: bool,
    vcpus: Floats,
    spot: Bools,
    signature: Ints,
    of_class: Ints,
    classes: Ints,
    most: Ints,
    spot_limited: Bools,
    alone: Bools,
    narrower: Bools,
    by_instances: Bools,
) -> Bools:
    """[option]: whether it stays. Options ``starts[p]:starts[p + 1]`` share a service and place.

    ``most`` [p] caps what replicas are worth; ``spot_limited`` [p]: a spot share holds there;
    ``alone`` [p]: instances count there, so that only one may take the place of one.
    ``signature`` [option] says by which quotas an option is counted (0: by none), ``narrower``
    [a, b] whether those of signature a are all among those of b, and ``by_instances``
    [signature] whether one of them counts instances. ``of_class`` [option] is its commitment
    class, one of the ``classes`` [p] of its place (0: what no commitment covers). ``price`` is
    what counts in the decision; where ``budgeted``, what takes an option's place must not be
    dearer by what is ``paid`` of it either.
    """
    stays = np.zeros(len(size), np.bool_)
    kind = np.empty(len(size), np.int64)
    worth = np.empty(len(size), np.int64)
    for p in range(len(starts) - 1):
        low, high = starts[p], starts[p + 1]
        widest = 0
        for i in range(low, high):
            # Under a spot share even idle replicas on demand count: they let more spot run.
            worth[i] = size[i] if spot_limited[p] else min(size[i], most[p])
            widest = max(widest, worth[i])
            shared = spot[i] and spot_limited[p]
            kind[i] = COUNTED if signature[i] > 0 else (SHARED if shared else FREE)
        covers = np.empty((classes[p], widest + 1))
        covers_paid = np.empty((classes[p], widest + 1))
        for covering in (FREE, SHARED):
            if covering == SHARED and not spot_limited[p]:
                break
            for c in range(classes[p] - 1, -1, -1):
                _sweep(
                    low, high, covering, c, alone[p], worth, price, paid, budgeted, of_class, kind,
                    stays, covers[c], covers_paid[c],
                )  # fmt: skip
            for i in range(low, high):
                if (
                    kind[i] > covering
                    and (covering == FREE or spot[i])
                    and covers[of_class[i], worth[i]] <= price[i] * (1 + SAME_PRICE)
                    and covers_paid[of_class[i], worth[i]] <= paid[i] * (1 + SAME_PRICE)
                ):
                    kind[i] = BEATEN
        for b in range(low, high):
            stays[b] |= kind[b] == COUNTED and not _beaten_within_quotas(
                b, low, high, size, price, paid, vcpus, spot, signature, of_class, kind, narrower,
                by_instances, alone[p],
            )  # fmt: skip
    return stays


@compiled
def _sweep(
    low: int,
    high: int,
    covering: int,
    c: int,
    alone: bool,
    worth: Ints,
    price: Floats,
    paid: Floats,
    budgeted: bool,
    of_class: Ints,
    kind: Ints,
    stays: Bools,
    best: Floats,
    best_paid: Floats,
) -> None:
    """Let the options of a kind and class stay that no others cover for no more money.

    Then ``best`` [q] is the least that at least q replicas cost in these, and ``best_paid`` [q]
    what is paid of it; exactly q of SHARED ones, which go only where others match them. Called
    class by class, at last for those of no class (0), for which what any class keeps may stand in.
    Combinations need only smaller options: when any cover will do, a larger option that is no
    dearer stands in alone.
    """
    if budgeted:
        order = _undercut_by_none(low, high, covering, c, worth, price, paid, of_class, kind, stays)
    else:
        order = _cheapest_of_each_size(
            low, high, covering, c, worth, price, of_class, kind, stays, len(best)
        )
    kept = np.empty(len(order), np.int64)
    count = 0
    looked_at = 0
    best[0] = 0.0
    best_paid[0] = 0.0
    for q in range(1, len(best)):
        best[q] = np.inf
        best_paid[q] = np.inf
        for k in range(0 if alone else count):
            j = kept[k]
            usd = price[j] + best[q - worth[j]]
            if usd < best[q]:
                best[q] = usd
                best_paid[q] = paid[j] + best_paid[q - worth[j]]
        while looked_at < len(order) and worth[order[looked_at]] == q:
            i = order[looked_at]
            looked_at += 1
            limit = 1 + SAME_PRICE
            if best[q] <= price[i] * limit and best_paid[q] <= paid[i] * limit:
                continue
            stays[i] = True
            kept[count] = i
            count += 1
            covered = 1 if covering == FREE else q  # a FREE one also covers less
            for k in range(covered, q + 1):
                if price[i] < best[k]:
                    best[k] = price[i]
                    best_paid[k] = paid[i]


@compiled
def _undercut_by_none(
    low: int,
    high: int,
    covering: int,
    c: int,
    worth: Ints,
    price: Floats,
    paid: Floats,
    of_class: Ints,
    kind: Ints,
    stays: Bools,
) -> Ints:
    """The options that ``_sweep`` looks at where budgets count, smallest first: those that no
    other of a kind and class undercuts alone, in what counts and in what is paid.
    """
    order = np.empty(high - low, np.int64)
    count = 0
    for i in range(low, high):
        if kind[i] != covering or not (of_class[i] == c or (c == 0 and stays[i])):
            continue
        undercut = False
        for j in range(low, high):
            if (
                j != i
                and kind[j] == covering
                and (of_class[j] == c or (c == 0 and stays[j]))
                and (worth[j] == worth[i] or (covering == FREE and worth[j] > worth[i]))
                and price[j] <= price[i]
                and paid[j] <= paid[i]
            ):
                same = worth[j] == worth[i] and price[j] == price[i] and paid[j] == paid[i]
                undercut |= not same or (stays[j] and not stays[i])
                undercut |= same and j < i and stays[j] == stays[i]
        if not undercut:
            at = count
            while at > 0 and (
                worth[order[at - 1]] > worth[i]
                or (worth[order[at - 1]] == worth[i] and price[order[at - 1]] > price[i])
            ):
                order[at] = order[at - 1]
                at -= 1
            order[at] = i
            count += 1
    return order[:count]


@compiled
def _cheapest_of_each_size(
    low: int,
    high: int,
    covering: int,
    c: int,
    worth: Ints,
    price: Floats,
    of_class: Ints,
    kind: Ints,
    stays: Bools,
    sizes: int,
) -> Ints:
    """The options that ``_sweep`` looks at, smallest first: the cheapest of each size, less those
    than which a larger one is no dearer.
    """
    at = np.empty(sizes, np.int64)
    for q in range(sizes):
        at[q] = -1
    for i in range(low, high):
        if kind[i] == covering and (of_class[i] == c or (c == 0 and stays[i])):
            j = at[worth[i]]
            if j < 0 or price[i] < price[j] or (price[i] == price[j] and stays[i] and not stays[j]):
                at[worth[i]] = i
    if covering == FREE:
        cheapest = np.inf
        for q in range(sizes - 1, 0, -1):
            if at[q] >= 0:
                if price[at[q]] < cheapest:
                    cheapest = price[at[q]]
                else:
                    at[q] = -1
    return at[at >= 0]


@compiled
def _beaten_within_quotas(
    b: int,
    low: int,
    high: int,
    size: Ints,
    price: Floats,
    paid: Floats,
    vcpus: Floats,
    spot: Bools,
    signature: Ints,
    of_class: Ints,
    kind: Ints,
    narrower: Bools,
    by_instances: Bools,
    alone: bool,
) -> bool:
    """Of options that quotas count: b goes when some number of another holds exactly as many
    replicas for no more money and no more of every quota that counts it.

    Of two that beat each other, the first stays.
    """
    for a in range(low, high):
        if a == b or kind[a] != COUNTED or size[b] % size[a] != 0 or spot[a] != spot[b]:
            continue
        times = size[b] // size[a]  # instances of a for one of b
        if (
            (of_class[b] == 0 or of_class[a] == of_class[b])
            and times * price[a] <= price[b] * (1 + SAME_PRICE)
            and times * paid[a] <= paid[b] * (1 + SAME_PRICE)
            and times * vcpus[a] <= vcpus[b]
            and narrower[signature[a], signature[b]]
            and (times == 1 or not (by_instances[signature[a]] or alone))
        ):
            returned = (
                times == 1
                and (of_class[a] == 0 or of_class[a] == of_class[b])
                and price[b] <= price[a] * (1 + SAME_PRICE)
                and paid[b] <= paid[a] * (1 + SAME_PRICE)
                and vcpus[b] <= vcpus[a]
                and narrower[signature[b], signature[a]]
            )
            if a < b or not returned:
                return True
    return False
