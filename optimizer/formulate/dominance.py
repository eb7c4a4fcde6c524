"""Drops dominated options before any solver sees them.

An option *b* goes when other options of the same service and place, together and any number of
times, do at least as much for no more money:

    min { Σ_a m_a p_a : Σ_a m_a k_a ≥ k_b, m ∈ ℕ } ≤ p_b    (k replicas, p cost in USD per hour)

No plan gets dearer by that, and none loses capacity to the failure of a zone: replicas on more
instances are never worse spread. Rules that look at more than capacity and price narrow it down:
quotas count vCPUs and instances, spot shares count spot replicas, spot risks what each pool holds,
commitments make some options cheaper than their price. Cost is what counts in the decision, priced
carbon included. Budgets count what is paid: where there are any, what takes an option's place must
not be dearer by that either. Of the combinations of least cost only one is tried then, so that a
few options may stay that could go.

First come options that nothing but capacity and price tells apart: no quota counts them, and no
spot share. They may stand in for any other. Then spot replicas under a share, which only the same
number of spot replicas, or the former, may replace; then what quotas count, which must not use
more of a quota than before. Under a spot risk the options of a pool give way only to each other
and to what is never interrupted, and nothing gives way to them. Where starts of instances count,
an option gives way to single others only, and what runs today stays an option. In each of these
steps an option that commitments of one class cover gives way only to options of that class, which
the commitment makes cheaper by as much. One that none covers gives way to all: what a commitment
takes off the price of those can only help.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.rules import BudgetRule, QuotaRule, SpotRiskRule, SpotShareRule
from models.world import World
from optimizer.formulate.covering import unbeaten
from optimizer.formulate.market import Options, counted_by, family_codes
from optimizer.formulate.standing import is_counted_by_instance, runs_now
from optimizer.problem import Bools, Ints

SPOT_LIMITED = 1
"""A spot share binds the service."""
POOLS_AT_RISK = 2
"""Losses of its spot pools are bounded."""
BY_INSTANCE = 4
"""Each instance that starts counts, whatever it holds."""


def drop_dominated(
    options: Options,
    world: World,
    most_replicas: Ints,
    commitment_class: Ints | None = None,
) -> tuple[Options, int]:
    """Options without those that others make useless, and how many were dropped.

    ``most_replicas`` [service]: the most replicas that any rule or hour asks for; what an
    instance holds beyond that is of no use. ``commitment_class`` [option]: equal numbers for
    options that commitments cover on the same terms, -1 for those that none covers (None: all).
    """
    rules = Treatment.of(world)
    stays = rules.unbeaten(options, most_replicas, rules.manner, commitment_class)
    stays |= runs_now(options, world)
    return options.where(stays), int(len(options) - stays.sum())


@dataclass(frozen=True, eq=False)
class Treatment:
    """What a world's rules look at in options, apart from capacity and price.

    ``manner`` [service] adds up which of ``SPOT_LIMITED``, ``POOLS_AT_RISK`` and ``BY_INSTANCE``
    hold. ``budgeted``: there is a budget. ``signature`` [offering] says by which quotas the options
    of a row of the price book are counted: 0 by none; the rest in ``quotas`` [signature, quota],
    and ``by_instances`` [quota] where instances are counted. ``family`` [offering] tells spot
    pools of a place apart.
    """

    manner: Ints
    family: Ints
    budgeted: bool
    signature: Ints
    quotas: Bools
    by_instances: Bools
    places: int

    @classmethod
    def of(cls, world: World) -> Treatment:
        """The treatment that the rules of ``world`` ask for."""
        rules = [rule for rule in world.rules if isinstance(rule, QuotaRule)]
        kinds = np.zeros((1, len(rules)), np.bool_)
        signature = np.zeros(len(world.book.offerings), np.int64)
        if rules:
            counted = np.stack([counted_by(rule, world) for rule in rules], axis=1)
            kinds, signature = np.unique(
                np.concatenate([kinds, counted]), axis=0, return_inverse=True
            )  # nothing but False sorts first
            signature = signature.ravel()[1:].astype(np.int64)
        return cls(
            _manner(world),
            family_codes(world) if _names(world, SpotRiskRule) else np.zeros(0, np.int64),
            any(isinstance(rule, BudgetRule) for rule in world.rules),
            signature,
            kinds,
            np.array([rule.instances_at_most is not None for rule in rules], np.bool_),
            len(world.regions),
        )

    def unbeaten(
        self,
        options: Options,
        most_replicas: Ints,
        manner: Ints,
        commitment_class: Ints | None = None,
    ) -> Bools:
        """[option]: whether it stays. ``most_replicas`` and ``manner`` are by
        ``options.service``, which may count whatever stands for services.
        """
        at_risk = options.spot & (manner[options.service] & POOLS_AT_RISK > 0)
        stays = np.zeros(len(options), np.bool_)

        def judge(rivals: Bools, judged: Bools) -> None:
            classes = None if commitment_class is None else commitment_class[rivals]
            kept = self._unbeaten(options.where(rivals), most_replicas, manner, classes)
            stays[np.flatnonzero(rivals)[kept & judged[rivals]]] = True

        judge(~at_risk, ~at_risk)
        if at_risk.any():
            pool = self.family[options.offering]
            for family in np.unique(pool[at_risk]):
                own = at_risk & (pool == family)
                judge(own | (stays & ~at_risk), own)
        return stays

    def _unbeaten(
        self,
        options: Options,
        most_replicas: Ints,
        manner: Ints,
        commitment_class: Ints | None,
    ) -> Bools:
        owners = len(most_replicas)
        place = options.service * self.places + options.region
        of_class, classes = _numbered(place, owners * self.places, commitment_class)
        cost, paid = options.cost_usd_per_hour, options.price_usd_per_hour
        budgeted = self.budgeted and bool(options.carbon_usd_per_hour.any())
        narrower = ~np.any(self.quotas[:, None, :] & ~self.quotas[None, :, :], axis=2)
        return unbeaten(
            np.searchsorted(place, np.arange(owners * self.places + 1)),
            options.replicas,
            cost,
            paid if budgeted else cost,
            budgeted,
            options.vcpus,
            options.spot,
            self.signature[options.offering],
            of_class,
            classes,
            np.repeat(np.maximum(most_replicas, 1), self.places),
            np.repeat(manner & SPOT_LIMITED > 0, self.places),
            np.repeat(manner & BY_INSTANCE > 0, self.places),
            narrower,
            np.any(self.quotas & self.by_instances, axis=1),
        )


def _numbered(place: Ints, places: int, commitment_class: Ints | None) -> tuple[Ints, Ints]:
    """Classes numbered 1, 2, … in each place, 0 for none, and how many each place has."""
    if commitment_class is None:
        return np.zeros(len(place), np.int64), np.ones(places, np.int64)
    width = int(commitment_class.max(initial=-1)) + 2
    none = np.arange(places) * width
    of_option = place * width + np.maximum(commitment_class, -1) + 1
    known, number = np.unique(np.concatenate([none, of_option]), return_inverse=True)
    first = np.searchsorted(known, np.arange(places + 1) * width)
    of_class = number.ravel()[places:] - first[place]
    return of_class.astype(np.int64), np.diff(first)


def _manner(world: World) -> Ints:
    limited, at_risk = _names(world, SpotShareRule), _names(world, SpotRiskRule)
    spot_rules = np.array(
        [
            SPOT_LIMITED * (service.name in limited) + POOLS_AT_RISK * (service.name in at_risk)
            for service in world.services
        ],
        np.int64,
    )
    return spot_rules + BY_INSTANCE * is_counted_by_instance(world)


def _names(world: World, kind: type[SpotShareRule | SpotRiskRule]) -> set[str]:
    """Services that a rule of the kind binds."""
    return {
        name
        for rule in world.rules
        if isinstance(rule, kind) and not (isinstance(rule, SpotShareRule) and rule.at_most >= 1)
        for name in rule.services
    }
