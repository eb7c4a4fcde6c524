"""Values and keys in the wrong unit: what the writer most likely meant."""

from __future__ import annotations

import re
from typing import Final

_GIB_IN_GB = 1e9 / 2**30

_CONVERSIONS: Final[dict[str, dict[str, float]]] = {
    "gib": {
        "gib": 1, "gi": 1, "g": 1, "gb": _GIB_IN_GB, "mib": 2**-10, "mi": 2**-10,
        "m": 2**-10, "mb": _GIB_IN_GB / 1e3, "tib": 2**10, "ti": 2**10, "tb": _GIB_IN_GB * 1e3,
    },
    "kib": {
        "b": 2**-10, "kib": 1, "ki": 1, "k": 1, "kb": 1e3 / 2**10, "mib": 2**10, "mi": 2**10,
        "mb": 1e6 / 2**10,
    },
    "ms": {"us": 1e-3, "µs": 1e-3, "ms": 1, "s": 1e3, "sec": 1e3, "m": 6e4, "min": 6e4},
    "s": {"ms": 1e-3, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600},
    "hours": {"h": 1, "hours": 1, "hour": 1, "d": 24, "days": 24, "day": 24, "w": 168},
    "rps": {"rps": 1, "/s": 1, "qps": 1, "req/s": 1, "rpm": 1 / 60, "/min": 1 / 60},
    "vcpus": {"m": 1e-3, "vcpu": 1, "vcpus": 1, "cpu": 1, "cpus": 1, "cores": 1},
    "deg": {"deg": 1, "°": 1, "n": 1, "e": 1, "s": -1, "w": -1},
    "usd": {"usd": 1, "$": 1, "k": 1e3, "m": 1e6},
}  # fmt: skip
_PER_CENT: Final = {"%": 0.01}
UNITS: Final[dict[str, str]] = {
    "gib": "GiB", "kib": "KiB", "ms": "milliseconds", "s": "seconds", "hours": "hours",
    "rps": "requests per second", "vcpus": "vCPUs", "deg": "degrees", "usd": "USD",
}  # fmt: skip
_MEASURE = re.compile(r"\s*\$?\s*([-+]?[0-9][0-9_,']*(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)\s*(.*?)\s*")

MISNAMED: Final[dict[str, tuple[str, str]]] = {
    "memory": ("memory_gib", "in GiB"),
    "mem": ("memory_gib", "in GiB"),
    "ram": ("memory_gib", "in GiB"),
    "memory_gb": ("memory_gib", "in GiB: multiply GB by 0.931"),
    "memory_mib": ("memory_gib", "in GiB: divide MiB by 1024"),
    "memory_mb": ("memory_gib", "in GiB: divide MB by 1074"),
    "cpu": ("vcpus", "as a number of vCPUs"),
    "cpus": ("vcpus", "as a number of vCPUs"),
    "cores": ("vcpus", "as a number of vCPUs"),
    "millicores": ("vcpus", "as a number of vCPUs: divide millicores by 1000"),
    "throughput": ("throughput_rps", "in requests per second"),
    "rps": ("throughput_rps", "in requests per second"),
    "qps": ("throughput_rps", "in requests per second"),
    "throughput_rpm": ("throughput_rps", "in requests per second: divide by 60"),
    "boot": ("boot_s", "in seconds"),
    "boot_time": ("boot_s", "in seconds"),
    "boot_minutes": ("boot_s", "in seconds: multiply minutes by 60"),
    "service_time": ("service_time_ms", "in milliseconds"),
    "service_time_s": ("service_time_ms", "in milliseconds: multiply seconds by 1000"),
    "latency": ("latency_objective_ms", "in milliseconds"),
    "latency_ms": ("latency_objective_ms", "in milliseconds"),
    "latency_s": ("latency_objective_ms", "in milliseconds: multiply seconds by 1000"),
    "latency_objective": ("latency_objective_ms", "in milliseconds"),
    "latency_objective_s": ("latency_objective_ms", "in milliseconds: multiply seconds by 1000"),
    "slo_ms": ("latency_objective_ms", "in milliseconds"),
    "state": ("state_gib", "in GiB"),
    "state_gb": ("state_gib", "in GiB: multiply GB by 0.931"),
    "state_mib": ("state_gib", "in GiB: divide MiB by 1024"),
    "state_tib": ("state_gib", "in GiB: multiply TiB by 1024"),
    "response": ("response_kib", "in KiB"),
    "response_kb": ("response_kib", "in KiB: multiply kB by 0.977"),
    "response_bytes": ("response_kib", "in KiB: divide bytes by 1024"),
    "response_mib": ("response_kib", "in KiB: multiply MiB by 1024"),
    "request": ("request_kib", "in KiB"),
    "request_kb": ("request_kib", "in KiB: multiply kB by 0.977"),
    "request_bytes": ("request_kib", "in KiB: divide bytes by 1024"),
    "horizon": ("horizon_hours", "in hours"),
    "horizon_days": ("horizon_hours", "in hours: multiply days by 24"),
    "time_limit": ("time_limit_s", "in seconds"),
    "time_limit_ms": ("time_limit_s", "in seconds: divide milliseconds by 1000"),
    "time_limit_min": ("time_limit_s", "in seconds: multiply minutes by 60"),
    "latitude": ("latitude_deg", "in degrees north"),
    "lat": ("latitude_deg", "in degrees north"),
    "longitude": ("longitude_deg", "in degrees east"),
    "lon": ("longitude_deg", "in degrees east"),
    "lng": ("longitude_deg", "in degrees east"),
    "usd": ("usd_per_month", "in USD per month"),
    "budget": ("usd_per_month", "in USD per month"),
    "usd_per_year": ("usd_per_month", "in USD per month: divide by 12"),
    "usd_per_day": ("usd_per_month", "in USD per month: multiply by 30.4"),
    "usd_per_hour": ("usd_per_month", "in USD per month: multiply by 730"),
    "eur_per_month": ("usd_per_month", "in USD per month: convert the currency"),
    "vcpus": ("vcpus_at_most", "as a number of vCPUs"),
    "instances": ("instances_at_most", "as a number of instances"),
    "price": ("", "prices come from the price book: see 'prices: {file: ...}'"),
    "price_usd_per_hour": ("", "prices come from the price book: see 'prices: {file: ...}'"),
    "cost": ("", "prices come from the price book: see 'prices: {file: ...}'"),
}
"""Keys that people write, the key they mean, and its unit. No key: there is none to use."""


def as_number(text: str, field: str) -> str:
    """How to write ``text``, found where ``field`` takes a number; empty when it says nothing.

    >>> as_number("500ms", "service_time_ms")
    'write 500 (milliseconds, without the unit)'
    """
    match = _MEASURE.fullmatch(text)
    if not match:
        return ""
    number, suffix = float(re.sub("[_,']", "", match[1])), match[2].lower()
    unit = _unit_of(field)
    factor = 1.0 if not suffix else (_CONVERSIONS.get(unit) or _PER_CENT).get(suffix, 0.0)
    if not factor:
        return ""
    words = f"{UNITS[unit]}, without the unit" if unit in UNITS else "a plain number"
    return f"write {number * factor:.6g} ({words})"


def _unit_of(field: str) -> str:
    """The unit that a field's name ends in, or holds."""
    parts = field.split("_")
    return next((part for part in reversed(parts) if part in UNITS), "")
