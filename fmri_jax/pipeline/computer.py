"""What a run is computed on, as far as the last bits of its numbers depend on it."""

import collections
from collections.abc import Mapping
from typing import Any

from fmri_jax.report.text.text_format import count
from fmri_jax.training import host_devices


def describe() -> dict[str, Any]:
    """Devices by kind, processor cores that this process may use, and processes of the run."""
    import jax

    kinds = collections.Counter(device.device_kind for device in jax.devices())
    return {"devices": dict(kinds), "cores": host_devices.cores(), "processes": jax.process_count()}


def changed(before: Any, now: Mapping[str, Any]) -> str:
    """Says that a run resumes where numbers are rounded otherwise; "" where they are not.

    Args:
        before: of `describe`, as an earlier start has kept it; anything else is not known.
        now: of `describe`.
    """
    if not isinstance(before, Mapping):
        return ""
    on_cpu = list(now["devices"]) == ["cpu"]  # on others, cores round nothing
    parts = ("devices", "processes", *(("cores",) if on_cpu else ()))
    if all(before.get(part) == now[part] for part in parts):
        return ""
    return (
        f"this run was begun on {_named(before)} and resumes on {_named(now)}: what is computed "
        "from here on may differ in its last bits from what would have been computed there."
    )


def _named(computer: Mapping[str, Any]) -> str:
    devices = computer.get("devices")
    kinds = devices.items() if isinstance(devices, Mapping) else ()
    found = [f"{n} x {kind}" for kind, n in kinds] or ["unknown devices"]
    parts = (("cores", "core", "cores"), ("processes", "process", "processes"))
    more = [count(computer[key], *words) for key, *words in parts if computer.get(key)]
    return f"{', '.join(found)} ({', '.join(more)})" if more else ", ".join(found)
