"""Which regions of which projects are looked at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import Queue
from threading import Lock
from time import monotonic
from typing import Final

from google.cloud import compute_v1

from models.cloud_errors import CloudFailed, NotFound, Unavailable
from providers.gcp.clients import CLOUD, Clients, asked
from providers.gcp.names import last
from providers.seam import Scope, Scopes, Unreached
from scenarios.faults import nearest

KEPT_S: Final = 3600.0
"""How long a project's regions and their zones are not asked for again."""
GONE: Final = frozenset({"OBSOLETE", "DELETED"})

_Zones = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Project:
    """What a project said. ``zones`` by the regions that can be looked at."""

    read_at: float
    zones: _Zones
    unusable: dict[str, CloudFailed]


@dataclass(eq=False)
class Regions:
    """The regions of every project that are open there and asked for. For several threads at once.

    ``wanted`` None: all. Each project is asked once; failures are asked again.
    """

    clients: Clients
    projects: tuple[str, ...]
    wanted: tuple[str, ...] | None
    page_rows: int
    _known: dict[str, _Project] = field(default_factory=dict)
    _locks: dict[str, Lock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._locks = {project: Lock() for project in self.projects}

    def scopes(self) -> Scopes:
        """All projects are asked at once."""
        found: list[Scope] = []
        unreached: list[Unreached] = []
        for project, answer in self._answers():
            if isinstance(answer, CloudFailed):
                unreached.append(Unreached(Scope(CLOUD, project, ""), answer))
                continue
            found += [Scope(CLOUD, project, region) for region in answer.zones]
            for region, why in answer.unusable.items():
                unreached.append(Unreached(Scope(CLOUD, project, region), why))
        unreached.sort(key=lambda one: one.scope)
        return Scopes(tuple(sorted(found)), tuple(unreached))

    def markets(self) -> Scopes:
        """Every region that a project can look at; what none can is unreached, as they say.

        A project that does not answer hides only regions that no other project has.
        """
        scopes = self.scopes()
        regions = sorted({scope.region for scope in scopes.found})
        whys: dict[str, CloudFailed] = {}
        for one in scopes.unreached:
            if one.scope.region and one.scope.region not in regions:
                whys.setdefault(one.scope.region, one.failure)
        unreached = [Unreached(Scope(CLOUD, "", region), whys[region]) for region in sorted(whys)]
        if not regions:
            unreached += [one for one in scopes.unreached if not one.scope.region]
        found = tuple(Scope(CLOUD, "", region) for region in regions)
        return Scopes(found, tuple(sorted(unreached, key=lambda one: one.scope)))

    def with_region(self, region: str) -> tuple[Scope, ...]:
        """Where ``region`` can be looked at, by what is known already where anything is."""
        known = {
            project: self._known[project] for project in self.projects if project in self._known
        }
        if not any(region in one.zones for one in known.values()):
            known = {project: one for project, one in self._answers() if isinstance(one, _Project)}
        return tuple(
            Scope(CLOUD, project, region) for project, one in known.items() if region in one.zones
        )

    def zones(self, scope: Scope) -> tuple[str, ...]:
        known = self._known.get(scope.account)
        if known is not None and monotonic() - known.read_at <= KEPT_S:
            zones = known.zones.get(scope.region)
            if zones is not None:
                return zones
        return _zones_of(self.read(scope))

    def read(self, scope: Scope) -> compute_v1.Region:
        """A region as it is now."""
        what = asked("compute.regions.get", scope.account, scope.region)
        client = self.clients.compute(compute_v1.RegionsClient)
        request = compute_v1.GetRegionRequest(project=scope.account, region=scope.region)
        return self.clients.call(what, client.get, request)

    def _answers(self) -> Iterator[tuple[str, _Project | CloudFailed]]:
        """What each project says, in the order in which they are listed."""
        came: Queue[tuple[str, _Project | Exception]] = Queue()

        def ask(project: str) -> None:
            try:
                came.put((project, self._of(project)))
            except Exception as error:  # noqa: BLE001  raised where answers are waited for
                came.put((project, error))

        projects = tuple(dict.fromkeys(self.projects))
        for project in projects:
            # Daemons: a project that never answers must not keep the process alive.
            threading.Thread(target=ask, args=(project,), daemon=True).start()
        answers = dict(came.get() for _ in projects)
        for project in projects:
            answer = answers[project]
            if isinstance(answer, Exception) and not isinstance(answer, CloudFailed):
                raise answer
            yield project, answer

    def _of(self, project: str) -> _Project:
        with self._locks[project]:
            known = self._known.get(project)
            if known is None or monotonic() - known.read_at > KEPT_S:
                known = self._known[project] = self._read(project)
            return known

    def _read(self, project: str) -> _Project:
        what = asked("compute.regions.list", project)
        client = self.clients.compute(compute_v1.RegionsClient)
        request = compute_v1.ListRegionsRequest(project=project, max_results=self.page_rows)
        zones: _Zones = {}
        unusable: dict[str, CloudFailed] = {}
        seen: set[str] = set()
        for page in self.clients.pages(what, client.list, request):
            for one in page.items:
                seen.add(one.name)
                if self.wanted is not None and one.name not in self.wanted:
                    continue
                looking = asked("compute.regions.list", project, one.name)
                if one.status == "DOWN":
                    unusable[one.name] = Unavailable(looking, "DOWN", "Google says it is down")
                elif one.deprecated.state in GONE:
                    said = f"the region is {one.deprecated.state.lower()}"
                    unusable[one.name] = NotFound(looking, one.deprecated.state, said)
                else:
                    zones[one.name] = _zones_of(one)
        for name in self.wanted or ():
            if name not in seen:
                looking = asked("compute.regions.list", project, name)
                hint = nearest(name, seen)
                said = f"{project} has no region {name!r}" + (f"; {hint}" if hint else "")
                unusable[name] = NotFound(looking, "NoRegion", said)
        return _Project(monotonic(), zones, unusable)


def _zones_of(one: compute_v1.Region) -> tuple[str, ...]:
    return tuple(sorted(last(url) for url in one.zones))
