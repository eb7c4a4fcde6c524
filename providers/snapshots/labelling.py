"""Which service instances run, said once the groups that they are in are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow as pa

from models.inventory import Instance, InstanceGroup
from providers.snapshots.tables import rows_of, schema_of

ServiceOf = Callable[[Instance | InstanceGroup, InstanceGroup | None], str]
"""The service that something runs, given the group that it is in; empty when nobody says."""


class Labels:
    """Fills the column ``service`` of instances; ``groups``: all that were read."""

    def __init__(self, groups: Iterable[InstanceGroup], service_of: ServiceOf) -> None:
        self._groups = {(one.account, one.place, one.id): one for one in groups}
        self._service_of = service_of

    def on(self, instances: pa.Table) -> pa.Table:
        """The same instances, with the services that they run."""
        services = [
            self._service_of(one, self._groups.get((one.account, one.place, one.group)))
            for one in rows_of(instances, Instance)
        ]
        index = instances.schema.get_field_index("service")
        field = schema_of("instances").field(index)
        return instances.set_column(index, field, pa.array(services, field.type))
