"""What running instances emit: estimated from their size, the cloud's buildings and the grid.

Watts per vCPU and GiB and the power usage effectiveness (PUE) are those of Cloud Carbon Footprint
(*Methodology*, appendix I, https://www.cloudcarbonfootprint.org/docs/methodology): servers in the
SPECpower results at rest and at full load, half of the way between them, which is the mean
utilisation of large data centres. All memory counts, although a server's power at rest holds some
of it already. Only operation counts: no making of machines, no disks, no network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.places import Cloud, Region

KG_PER_TONNE: Final = 1000.0
UTILISATION: Final = 0.5
WATTS_PER_VCPU: Final[dict[Cloud, tuple[float, float]]] = {
    Cloud.AWS: (0.74, 3.5),
    Cloud.AZURE: (0.78, 3.76),
    Cloud.GCP: (0.71, 4.26),
}
"""At rest and at full load."""
WATTS_PER_GIB: Final = 0.392
PUE: Final[dict[Cloud, float]] = {Cloud.AWS: 1.135, Cloud.AZURE: 1.185, Cloud.GCP: 1.1}
GPU_BOARD_WATTS: Final[dict[str, float]] = {
    "A100": 400, "A10G": 150, "H100": 700, "H200": 700, "K520": 225, "K80": 300, "L4": 72,
    "L40S": 350, "M60": 300, "MI25": 300, "P100": 300, "P40": 250, "T4": 70, "T4G": 70,
    "V100": 300, "V520": 225,
}  # fmt: skip
"""What the makers rate a GPU at; a model that is not here counts as the hungriest that is."""
GPU_LOAD: Final = 0.57
"""Share of the rated watts at half load: 11.5 % at rest, 102 % at full load (appendix III)."""


def kwh_per_hour(offerings: pd.DataFrame) -> NDArray[np.float64]:
    """Energy that an instance of each offering draws from the grid in an hour, kWh.

    ``offerings`` has the columns ``cloud``, ``vcpus``, ``memory_gib``, ``gpus`` and ``gpu_model``.
    """
    cloud = offerings["cloud"].astype(str)
    per_vcpu = {
        name.value: rest + UTILISATION * (full - rest)
        for name, (rest, full) in WATTS_PER_VCPU.items()
    }
    gpus = offerings["gpus"].to_numpy(np.float64)
    hungriest = max(GPU_BOARD_WATTS.values())
    per_gpu = offerings["gpu_model"].astype(str).map(GPU_BOARD_WATTS).fillna(hungriest)
    watts = (
        offerings["vcpus"].to_numpy(np.float64) * cloud.map(per_vcpu).to_numpy(np.float64)
        + offerings["memory_gib"].to_numpy(np.float64) * WATTS_PER_GIB
        + gpus * per_gpu.to_numpy(np.float64) * GPU_LOAD
    )
    pue = cloud.map({name.value: factor for name, factor in PUE.items()}).to_numpy(np.float64)
    kwh: NDArray[np.float64] = np.asarray(watts * pue / 1000.0, np.float64)
    return kwh


def emitted_kg_per_hour(
    offerings: pd.DataFrame, regions: Mapping[str, Region]
) -> NDArray[np.float64]:
    """Operational emissions of an instance of each offering, kg CO2e per hour, by location.

    ``regions`` by place; NaN where the grid's intensity is not known.
    """
    grid = {
        place: np.nan if region.gco2e_per_kwh is None else region.gco2e_per_kwh
        for place, region in regions.items()
    }
    place = offerings["cloud"].astype(str) + "/" + offerings["region"].astype(str)
    grams = kwh_per_hour(offerings) * place.map(grid).to_numpy(np.float64)
    kg: NDArray[np.float64] = np.asarray(grams / 1000.0, np.float64)
    return kg
