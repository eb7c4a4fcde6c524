"""Every kind of rule that a person can write, checked against what a plan does.

``check_rule`` names every kind: a kind that is new does not pass the type checker until somebody
says here how it is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import numpy as np

from models.places import Region
from models.rules import (
    AllowedPlacesRule,
    BudgetRule,
    CertificationRule,
    DisruptionRule,
    Extent,
    LatencyRule,
    MaxPlacesRule,
    MinReplicasRule,
    QuotaRule,
    ResidencyRule,
    Rule,
    SpotRiskRule,
    SpotShareRule,
    SpreadRule,
    WorkflowRule,
)
from optimizer.verify.billing import Spending
from optimizer.verify.case import TOLERANCE, Bools, Case, Floats, Ints
from optimizer.verify.findings import Violation
from optimizer.verify.givens import hours_of
from optimizer.verify.law import (
    Bound,
    PlaceRule,
    binds_traffic_only,
    bound_workflows,
    ends_ms,
    services_of,
    shut,
)
from optimizer.verify.outages import check_spot_risk
from optimizer.verify.reroute import unserved


def check_rule(rule: Rule, case: Case, allowed: Bools, spending: Spending) -> Iterator[Violation]:
    """Every way in which the plan breaks ``rule``.

    ``allowed`` [service, origin, region] is where traffic may lawfully go.
    """
    match rule:
        case MinReplicasRule() | MaxPlacesRule() | SpreadRule() | SpotShareRule():
            yield from check_alone(rule, case, allowed)
        case LatencyRule() | ResidencyRule() | CertificationRule() | AllowedPlacesRule():
            yield from _places(rule, case)
        case WorkflowRule():
            yield from _workflow(rule, case)
        case SpotRiskRule():
            for name in rule.services:
                s = case.services[name]
                yield from check_spot_risk(rule, case, s, allowed[s])
        case QuotaRule():
            yield from _quota(rule, case)
        case BudgetRule():
            yield from _budget(rule, case, spending)
        case DisruptionRule():
            pass  # about changes of what runs today: see ``optimizer.verify.changes``
        case _:
            assert_never(rule)


def check_alone(
    rule: MinReplicasRule | MaxPlacesRule | SpreadRule | SpotShareRule, case: Case, allowed: Bools
) -> Iterator[Violation]:
    """Rules that a service keeps by itself, by what runs of it."""
    match rule:
        case MinReplicasRule():
            yield from _min_replicas(rule, case)
        case MaxPlacesRule():
            yield from _max_places(rule, case)
        case SpreadRule():
            for name in rule.services:
                yield from _spread(rule, case, case.services[name], allowed)
        case SpotShareRule():
            yield from _spot_share(rule, case)
        case _:
            assert_never(rule)


def _broken(
    rule: Rule,
    what: str,
    *,
    service: str = "",
    place: str = "",
    hours: tuple[int, ...] = (),
    by: float,
    unit: str,
) -> Violation:
    return Violation(rule.name, rule.in_words, rule.at, what, service, place, hours, by, unit)


def _places(rule: PlaceRule, case: Case) -> Iterator[Violation]:
    for name in services_of(rule):
        s = case.services[name]
        closed = shut(case, rule, s)
        served = case.shares(s) * case.highest_rps[s][:, None, :]
        wrong: Bools = (served > 0) & closed[:, :, None]
        stands = case.replicas(s) * np.logical_and.reduce(closed, axis=0)[:, None]
        if binds_traffic_only(rule):
            stands = np.zeros_like(stands)
        for r in np.flatnonzero(wrong.any(axis=(0, 2)) | stands.any(axis=1)).tolist():
            place = case.place_names[r]
            users = [o for o, g in case.origins.items() if wrong[g, r].any()]
            whom = f"serves users of {', '.join(users)} from" if users else "runs in"
            by, unit = float((served * wrong)[:, r].sum(axis=0).max()), "rps"
            if isinstance(rule, LatencyRule):
                own_ms = case.world.services[s].replica.service_time_ms
                takes = case.from_origin_ms[[case.origins[o] for o in users], r] + own_ms
                by, unit = float(takes.max()) - rule.within_ms, "ms"
            elif not users:
                by, unit = float(stands[r].max()), "replicas"
            hours = hours_of(np.concatenate([wrong[:, r], stands[r][None] > 0]))
            yield _broken(
                rule, f"{name} {whom} {place}", service=name, place=place, hours=hours, by=by,
                unit=unit,
            )  # fmt: skip


def _workflow(rule: WorkflowRule, case: Case) -> Iterator[Violation]:
    for bound in bound_workflows(case):
        if bound.rule is not rule:
            continue
        at = [case.used(s)[bound.origin] for s in bound.services.tolist()]
        ends = ends_ms(case, bound, at, slowest=True)
        takes = max(float(end.max()) for end in ends)
        if takes > rule.within_ms * (1 + TOLERANCE):
            users = [*case.origins][bound.origin]
            path = " → ".join(_slowest_path(case, bound, ends))
            what = f"takes up to {takes:,.1f} ms for users of {users}: {path}"
            yield _broken(rule, what, by=takes - rule.within_ms, unit="ms")


def _slowest_path(case: Case, bound: Bound, ends: list[Floats]) -> list[str]:
    """The steps of a slowest path with their places, in order."""
    j = int(np.argmax([end.max() for end in ends]))
    r = int(np.argmax(ends[j]))
    index = {step.service: i for i, step in enumerate(bound.steps)}
    path = []
    while True:
        path.append(f"{bound.steps[j].service} in {case.place_names[r]}")
        if not bound.steps[j].after:
            return path[::-1]
        before = [index[name] for name in bound.steps[j].after]
        arrivals = [ends[i] + case.between_ms[:, r] for i in before]
        j = before[int(np.argmax([arrival.max() for arrival in arrivals]))]
        r = int(np.argmax(ends[j] + case.between_ms[:, r]))


def _min_replicas(rule: MinReplicasRule, case: Case) -> Iterator[Violation]:
    s = case.services[rule.service]
    held = case.replicas(s)
    if not case.world.services[s].stateful:
        yield from _too_few(rule, held.sum(axis=0), "")
        return
    opened = held.any(axis=1)
    if not opened.any():
        yield from _too_few(rule, held.sum(axis=0), "")
    for r in np.flatnonzero(opened).tolist():
        yield from _too_few(rule, held[r], case.place_names[r])


def _too_few(rule: MinReplicasRule, held: Ints, place: str) -> Iterator[Violation]:
    wrong = held < rule.at_least
    if wrong.any():
        where = f" in {place}" if place else ""
        yield _broken(
            rule,
            f"{rule.service} runs {int(held.min())} of {rule.at_least} replicas{where}",
            service=rule.service,
            place=place,
            hours=hours_of(wrong[None]),
            by=float(rule.at_least - held.min()),
            unit="replicas",
        )


def _max_places(rule: MaxPlacesRule, case: Case) -> Iterator[Violation]:
    s = case.services[rule.service]
    opened = case.replicas(s).any(axis=1) | case.used(s).any(axis=0)
    places = [case.place_names[r] for r in np.flatnonzero(opened)]
    if len(places) > rule.at_most:
        what = f"{rule.service} runs in {len(places)} places: {', '.join(places)}"
        by = float(len(places) - rule.at_most)
        yield _broken(rule, what, service=rule.service, by=by, unit="places")


def _spread(rule: SpreadRule, case: Case, s: int, allowed: Bools) -> Iterator[Violation]:
    """Every loss in every hour: what is left is rerouted, origin by origin."""
    service = case.world.services[s]
    asked = rule.share * case.demand.total_rps[s].T  # [hour, origin]
    for lost, left in _losses(rule.survives, case, s):
        capacity = (left.T * service.replica.throughput_rps).astype(np.float64)
        short = unserved(asked, capacity, allowed[s])
        wrong = short > TOLERANCE * (1.0 + asked.sum(axis=1))
        if wrong.any():
            worst = int(np.argmax(short))
            total = float(case.demand.total_rps[s][:, worst].sum())
            kept = 1.0 - (short[worst] + (1.0 - rule.share) * total) / total
            yield _broken(
                rule,
                f"without {lost}, {service.name} serves {kept:.1%} of demand, not {rule.share:.1%}",
                service=service.name,
                hours=hours_of(wrong[None]),
                by=float(short[worst]),
                unit="rps",
            )


def _losses(extent: Extent, case: Case, s: int) -> Iterator[tuple[str, Ints]]:
    """Every loss that can hit the service, and the replicas [region, hour] that it leaves."""
    held = case.replicas(s)
    regions = case.world.regions
    standing = np.flatnonzero(held.any(axis=1)).tolist()
    match extent:
        case Extent.CLOUD:
            for cloud in dict.fromkeys(regions[r].cloud for r in standing):
                left = held.copy()
                left[[region.cloud is cloud for region in regions]] = 0
                yield cloud.value, left
        case Extent.REGION:
            for r in standing:
                left = held.copy()
                left[r] = 0
                yield regions[r].place, left
        case Extent.ZONE:
            for r in standing:
                left = held.copy()
                left[r] = _left_without_a_zone(case, s, r, regions[r])
                zone = "a zone of " if regions[r].zones > 1 else "the one zone of "
                yield f"{zone}{regions[r].place}", left
        case _:
            assert_never(extent)


def _left_without_a_zone(case: Case, s: int, r: int, region: Region) -> Ints:
    """Replicas [hour]; equal instances stand evenly, and all have their fullest zone in common."""
    left = np.zeros(case.hours, np.int64)
    own = case.groups.of(s)
    own = own[case.groups.region[own] == r]
    for offering in np.unique(case.groups.offering[own]).tolist():
        rows = own[case.groups.offering[own] == offering]
        count = case.groups.count[rows].sum(axis=0)
        gone = -(-count // region.zones)
        left += (count - gone) * int(case.groups.replicas[rows[0]])
    return left


def _spot_share(rule: SpotShareRule, case: Case) -> Iterator[Violation]:
    for name in rule.services:
        s = case.services[name]
        held = case.replicas(s)
        spot = np.zeros_like(held)
        own = case.groups.of(s)
        own = own[case.groups.spot[own]]
        replicas = case.groups.count[own] * case.groups.replicas[own, None]
        np.add.at(spot, case.groups.region[own], replicas)
        beyond = spot - rule.at_most * held
        wrong = beyond > TOLERANCE * (1.0 + held)
        for r in np.flatnonzero(wrong.any(axis=1)).tolist():
            worst = int(np.argmax(beyond[r]))
            yield _broken(
                rule,
                f"{name} runs {spot[r, worst]} of {held[r, worst]} replicas in "
                f"{case.place_names[r]} on spot",
                service=name,
                place=case.place_names[r],
                hours=hours_of(wrong[r]),
                by=float(beyond[r, worst]),
                unit="replicas",
            )


def _quota(rule: QuotaRule, case: Case) -> Iterator[Violation]:
    offered = case.world.book.offerings.iloc[case.groups.offering]
    counted = np.ones(len(offered), np.bool_)
    if rule.families:
        counted &= offered["family"].astype(str).isin(rule.families).to_numpy()
    if rule.spot is not None:
        counted &= case.groups.spot == rule.spot
    sizes = offered["vcpus"].to_numpy(np.float64)
    limits = (
        (rule.vcpus_at_most, sizes, "vCPUs"),
        (rule.instances_at_most, np.ones(len(sizes)), "instances"),
    )
    for limit, size, unit in limits:
        if limit is None:
            continue
        used = np.zeros((len(case.places), case.hours))
        amounts = case.groups.count[counted] * size[counted, None]
        np.add.at(used, case.groups.region[counted], amounts)
        for r, region in enumerate(case.world.regions):
            wrong = used[r] > limit * (1 + TOLERANCE)
            if rule.where.holds(region) and wrong.any():
                most = float(used[r].max())
                yield _broken(
                    rule,
                    f"{most:g} {unit} run in {region.place}, {limit:g} are allowed",
                    place=region.place,
                    hours=hours_of(wrong[None]),
                    by=most - limit,
                    unit=unit,
                )


def _budget(rule: BudgetRule, case: Case, spending: Spending) -> Iterator[Violation]:
    least = spending.least_usd_per_month(rule.team, rule.cloud, rule.usd_per_month)
    if least > rule.usd_per_month * (1 + TOLERANCE):
        what = f"costs {least:,.2f} USD per month"
        by = least - rule.usd_per_month
        yield _broken(rule, what, by=by, unit="USD per month")
