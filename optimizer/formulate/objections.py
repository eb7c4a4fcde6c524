"""What rules have against places, in numbers and in words."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import overload

import numpy as np
import pandas as pd

from models.placement import EXCLUSION_COLUMNS
from models.places import Region
from models.rules import (
    AllowedPlacesRule,
    CertificationRule,
    LatencyRule,
    ResidencyRule,
    Rule,
    WorkflowRule,
)
from models.world import World
from optimizer.problem import Bools, Floats, Ints

NOTHING_FITS = "offerings"
"""Stands for the rule's name where a place has no instance type that holds the service."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Service ``service`` must not serve ``origin`` ("" for all) from ``place``."""

    service: str
    origin: str
    place: str
    rule: str
    reason: str


@dataclass(frozen=True, eq=False)
class Found:
    """Exclusions in numbers, parallel arrays.

    ``rule`` is an index of the world's rules, -1 where nothing fits; ``origin`` is -1 where all
    are meant; ``least_ms`` is what the fastest path of a workflow takes.
    """

    rule: Ints
    service: Ints
    origin: Ints
    region: Ints
    least_ms: Floats

    @classmethod
    def of(
        cls, rule: Ints | int, service: Ints, origin: Ints | int, region: Ints,
        least_ms: Floats | float = np.nan,
    ) -> Found:  # fmt: skip
        """Numbers that hold for all are given once."""
        size = len(service)
        return cls(
            np.broadcast_to(rule, size),
            service,
            np.broadcast_to(origin, size),
            region,
            np.broadcast_to(least_ms, size),
        )

    def __len__(self) -> int:
        return len(self.service)

    def where(self, keep: Bools | Ints) -> Found:
        return Found(*(getattr(self, field.name)[keep] for field in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Found]) -> Found:
        """All of the parts, one after another."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def in_order_of_rules(self) -> Found:
        return self.where(np.argsort(self.rule, kind="stable"))

    def in_order_of_origins(self) -> Found:
        return self.where(np.argsort(self.origin, kind="stable"))


@dataclass(frozen=True, eq=False)
class Exclusions(Sequence[Exclusion]):
    """Every exclusion of a world, put into words when it is looked at.

    ``from_origin_ms`` [origin, region]; ``missing`` says why a service (index) has no option in
    a region (index).
    """

    world: World
    from_origin_ms: Floats
    missing: Mapping[tuple[int, int], str]
    found: Found

    def __len__(self) -> int:
        return len(self.found)

    @overload
    def __getitem__(self, i: int) -> Exclusion: ...
    @overload
    def __getitem__(self, i: slice) -> Exclusions: ...
    def __getitem__(self, i: int | slice) -> Exclusion | Exclusions:
        if isinstance(i, slice):
            return self.only(np.arange(len(self))[i])
        found = self.found
        s, g, r = int(found.service[i]), int(found.origin[i]), int(found.region[i])
        return Exclusion(
            self.world.services[s].name,
            self.world.origins[g].name if g >= 0 else "",
            self.world.regions[r].place,
            NOTHING_FITS if found.rule[i] < 0 else self.world.rules[found.rule[i]].name,
            self._reason(int(found.rule[i]), s, g, r, float(found.least_ms[i])),
        )

    def __iter__(self) -> Iterator[Exclusion]:
        return (self[i] for i in range(len(self)))

    def only(self, keep: Bools | Ints) -> Exclusions:
        """Some of the exclusions, by mask or index."""
        return Exclusions(self.world, self.from_origin_ms, self.missing, self.found.where(keep))

    def of(self, service: int, region: int) -> Exclusions:
        """What keeps a service out of a region."""
        return self.only((self.found.service == service) & (self.found.region == region))

    def _reason(self, rule: int, s: int, g: int, r: int, least_ms: float) -> str:
        if rule < 0:
            return self.missing[s, r]
        match self.world.rules[rule]:
            case LatencyRule(within_ms=within_ms):
                users, trip_ms = self.world.origins[g].name, self.from_origin_ms[g, r]
                own_ms = self.world.services[s].replica.service_time_ms
                return (
                    f"answers users of {users} in {trip_ms + own_ms:.0f} ms "
                    f"({trip_ms:.0f} ms round trip + {own_ms:g} ms), not within {within_ms:g} ms"
                )
            case WorkflowRule(workflow=workflow, within_ms=within_ms):
                users = self.world.origins[g].name
                at_best = "no path is left"
                if np.isfinite(least_ms):
                    at_best = f"it takes at least {least_ms:.0f} ms, not {within_ms:g} ms"
                return f"workflow {workflow} for users of {users}: through this place {at_best}"
            case other:
                return objection(other, self.world.regions[r])

    def by(self, rules: Container[str]) -> Exclusions:
        """Those of some rules, by name."""
        meant = [rule.name in rules for rule in self.world.rules]
        return self.only(np.array([*meant, NOTHING_FITS in rules], np.bool_)[self.found.rule])

    def table(self) -> pd.DataFrame:
        """All of them, with ``EXCLUSION_COLUMNS`` as categories: texts are kept once.

        Those that hold for one origin only say so in their reason.
        """
        found = self.found
        rules = [rule.name for rule in self.world.rules]
        names = list(dict.fromkeys([NOTHING_FITS, *rules]))
        code = {name: i for i, name in enumerate(names)}
        of_rule = np.array([*(code[name] for name in rules), code[NOTHING_FITS]])
        columns = (
            pd.Categorical.from_codes(
                found.service, pd.Index([s.name for s in self.world.services])
            ),
            pd.Categorical.from_codes(
                found.region, pd.Index([r.place for r in self.world.regions])
            ),
            pd.Categorical.from_codes(of_rule[found.rule], pd.Index(names)),
            self._reasons(),
        )
        return pd.DataFrame(dict(zip(EXCLUSION_COLUMNS, columns, strict=True)))

    def _reasons(self) -> pd.Categorical[str]:
        """The reason of each. Equal causes are worded once: those of latency by how long the
        service takes, not by its name.
        """
        found, rules = self.found, self.world.rules
        within = [rule.within_ms if isinstance(rule, LatencyRule) else np.nan for rule in rules]
        within_ms = np.array([*within, np.nan])[found.rule]
        by_time = ~np.isnan(within_ms)
        takes = np.array([service.replica.service_time_ms for service in self.world.services])
        said = {text: code for code, text in enumerate(dict.fromkeys(self.missing.values()))}
        missing = np.full(len(found), -1)
        for i in np.flatnonzero(found.rule < 0).tolist():
            missing[i] = said[self.missing[int(found.service[i]), int(found.region[i])]]
        causes = pd.DataFrame(
            {
                "rule": np.where(by_time, -2, found.rule),
                "within_ms": within_ms,
                "takes_ms": np.where(by_time, takes[found.service], found.least_ms),
                "origin": found.origin,
                "region": found.region,
                "missing": missing,
            }
        )
        cause = causes.groupby(list(causes), sort=False, dropna=False).ngroup().to_numpy(np.int64)
        first = np.flatnonzero(~pd.Series(cause).duplicated())  # causes number as they appear
        code: dict[str, int] = {}
        codes = np.array([code.setdefault(_for_one(self[i]), len(code)) for i in first.tolist()])
        return pd.Categorical.from_codes(
            codes.astype(np.int64)[cause], pd.Index(list(code), dtype=str)
        )


def _for_one(e: Exclusion) -> str:
    """The reason, with the origin that it holds for."""
    return e.reason if not e.origin or e.origin in e.reason else f"{e.origin}: {e.reason}"


def objection(rule: Rule, region: Region) -> str:
    """Why the rule shuts the region out, in words; empty when it does not."""
    match rule:
        case ResidencyRule() if not rule.jurisdictions & region.jurisdictions:
            own = ", ".join(sorted(region.jurisdictions)) or "no known law"
            asked = " or ".join(sorted(rule.jurisdictions))
            return f"stands under the law of {own}, not of {asked}"
        case CertificationRule() if missing := rule.certificates - region.certifications:
            return f"does not hold {', '.join(sorted(missing))}"
        case AllowedPlacesRule(allow=allow) if allow is not None and not allow.holds(region):
            return f"is not among the allowed places ({allow.in_words})"
        case AllowedPlacesRule(forbid=forbid) if forbid is not None and forbid.holds(region):
            return f"is forbidden ({forbid.in_words})"
        case _:
            return ""
