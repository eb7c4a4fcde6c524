"""How much of a service one instance carries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.services import Replica

SLACK = 1e-9
"""Forgiven to floating point, so that 4 GiB holds exactly two replicas of 2 GiB at headroom 1."""


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
    fits = _fits(offerings, headroom, replica.vcpus, replica.memory_gib)
    if replica.gpus > 0:
        gpus = offerings["gpus"].to_numpy(np.float64)
        if replica.gpu_models:
            right = offerings["gpu_model"].isin(replica.gpu_models).to_numpy()
            gpus = np.where(right, gpus, 0.0)
        fits = np.minimum(fits, gpus / replica.gpus)
    return np.floor(fits + SLACK).astype(np.int64)


def replicas_row_by_row(
    replicas: Sequence[Replica], offerings: pd.DataFrame, headroom: float
) -> NDArray[np.int64]:
    """As ``replicas_per_instance``, each row of ``offerings`` with a replica of its own."""
    vcpus, memory_gib, asked = (
        np.array([getattr(replica, field) for replica in replicas], np.float64)
        for field in ("vcpus", "memory_gib", "gpus")
    )
    models = zip(replicas, offerings["gpu_model"], strict=True)
    right = np.array([not r.gpu_models or model in r.gpu_models for r, model in models], np.bool_)
    gpus = np.where(right, offerings["gpus"].to_numpy(np.float64), 0.0)
    enough = np.divide(gpus, asked, out=np.full(len(gpus), np.inf), where=asked > 0)
    fits = np.minimum(_fits(offerings, headroom, vcpus, memory_gib), enough)
    whole: NDArray[np.int64] = np.floor(fits + SLACK).astype(np.int64)
    return whole


def _fits(
    offerings: pd.DataFrame,
    headroom: float,
    vcpus: float | NDArray[np.float64],
    memory_gib: float | NDArray[np.float64],
) -> NDArray[np.float64]:
    fits: NDArray[np.float64] = np.minimum(
        offerings["baseline_vcpus"].fillna(0.0).to_numpy(np.float64) * headroom / vcpus,
        offerings["memory_gib"].to_numpy(np.float64) * headroom / memory_gib,
    )
    return fits
