"""Where an invented company may run, and what it runs today."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scenarios.generate.chance import Chance, Floats
from scenarios.generate.company import ORIGINS, Company

CLOUDS: Final = ("aws", "azure", "gcp")
NEAREST: Final[dict[str, tuple[str, str, str]]] = {
    "asia-pacific": ("aws/ap-southeast-1", "azure/southeastasia", "gcp/asia-southeast1"),
    "europe": ("aws/eu-west-1", "azure/westeurope", "gcp/europe-west1"),
    "north-america": ("aws/us-east-1", "azure/eastus", "gcp/us-central1"),
}
"""The nearest place of each cloud, in the order of ``CLOUDS``."""
PLACES: Final = tuple(sorted(place for near in NEAREST.values() for place in near))
SIZES: Final = ((2, 8.0), (8, 32.0), (16, 64.0))  # vCPUs and GiB of the types below
TYPES: Final[dict[str, tuple[str, str, str]]] = {
    "aws": ("m5.large", "m5.2xlarge", "m5.4xlarge"),
    "azure": ("Standard_D2s_v3", "Standard_D8s_v3", "Standard_D16s_v3"),
    "gcp": ("n1-standard-2", "n1-standard-8", "n1-standard-16"),
}
GPU_TYPE: Final = "g4dn.xlarge"  # on AWS, the only cloud with GPUs near every origin
HEADROOM: Final = 0.9


def todays_fleet(company: Company, demand_rps: Floats, chance: Chance) -> pd.DataFrame:
    """The groups that a company without a plan runs: on demand, for 1.5 times the peak.

    ``demand_rps`` has shape [service, origin, period]. A service lives in one cloud, near its
    users or, one in three, in a single place that serves everybody.
    """
    services = company.services
    count = len(services)
    gpu = services["replica_gpus"].to_numpy() > 0
    cloud = np.where(gpu, 0, np.array(chance.pick((0, 1, 2), (60, 25, 15), count)))
    alone = chance.uniform(0, 1, count) < 1 / 3
    home = chance.below(np.full(count, len(ORIGINS)))
    size, fits = _size(services, chance)
    per_instance_rps = fits * services["replica_throughput_rps"].to_numpy()
    by_origin = demand_rps.max(axis=2)
    in_all = demand_rps.sum(axis=1).max(axis=1)
    rows = []
    for i, name in enumerate(company.names):
        provider = CLOUDS[cloud[i]]
        kind = GPU_TYPE if gpu[i] else TYPES[provider][size[i]]
        served = by_origin[i] > 0
        lonely = alone[i] or not served.any()
        for j, origin in enumerate(ORIGINS):
            if j == home[i] if lonely else served[j]:
                peak_rps = in_all[i] if lonely else by_origin[i, j]
                needed = int(np.ceil(1.5 * peak_rps / per_instance_rps[i]))
                rows.append((name, NEAREST[origin][cloud[i]], kind, "on_demand", max(1, needed)))
    return pd.DataFrame(rows, columns=["service", "place", "instance_type", "purchase", "count"])


def _size(services: pd.DataFrame, chance: Chance) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """An instance size per service, and the whole replicas that one instance holds."""
    vcpus = services["replica_vcpus"].to_numpy()
    memory_gib = services["replica_memory_gib"].to_numpy()
    fits = np.array(
        [
            np.floor(np.minimum(v * HEADROOM / vcpus, m * HEADROOM / memory_gib) + 1e-9)
            for v, m in SIZES
        ]
    ).astype(np.int64)
    smallest = (fits > 0).argmax(axis=0)
    # Many teams take the next size up, because the last incident taught them to.
    size = np.minimum(smallest + chance.below(np.full(len(services), 2)), len(SIZES) - 1)
    gpu = services["replica_gpus"].to_numpy() > 0
    return size, np.where(gpu, 1, fits[size, np.arange(len(services))])
