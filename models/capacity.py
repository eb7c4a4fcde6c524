"""How much of a service one instance carries."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.services import Replica


def replicas_per_instance(
    replica: Replica, offerings: pd.DataFrame, headroom: float
) -> NDArray[np.int64]:
    """Whole replicas that one instance of each offering holds: ⌊min over resources⌋.

    ``headroom`` is the share of vCPUs and memory that replicas may use, in (0, 1]; the rest is for
    the operating system and its agents. vCPUs are the *sustained* ones: a burstable type counts
    with its baseline, and holds nothing when its baseline is unknown. GPUs are not shared with
    the system, so headroom does not apply to them. Needs the columns ``baseline_vcpus``,
    ``memory_gib``, ``gpus`` and ``gpu_model``.
    """
    slack = 1e-9  # so that 4 GiB holds exactly two replicas of 2 GiB at headroom 1
    fits = np.minimum(
        offerings["baseline_vcpus"].fillna(0.0).to_numpy(np.float64) * headroom / replica.vcpus,
        offerings["memory_gib"].to_numpy(np.float64) * headroom / replica.memory_gib,
    )
    if replica.gpus > 0:
        gpus = offerings["gpus"].to_numpy(np.float64)
        if replica.gpu_models:
            right = offerings["gpu_model"].isin(replica.gpu_models).to_numpy()
            gpus = np.where(right, gpus, 0.0)
        fits = np.minimum(fits, gpus / replica.gpus)
    return np.floor(fits + slack).astype(np.int64)
