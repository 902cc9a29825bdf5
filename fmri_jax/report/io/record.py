"""What `run.json` says of a run, in the forms that a page can show; anything else is left out.

Digests tell of damage. This is for files that earlier versions, other programs or people wrote.
"""

import math
from collections.abc import Mapping
from typing import Any

_TEXTS = ("title", "text", "method", "experiment", "command", "commit")
_DATA_TEXTS = ("name", "description", "fingerprint", "modality", "roi")


def cleaned(run: Mapping[str, Any]) -> dict[str, Any]:
    """The record with every entry of a form that the report knows.

    Args:
        run: the object of `run.json`, with an object under "data".
    """
    found = dict(run)
    for name in _TEXTS:
        found[name] = _text(run.get(name))
    for name in ("baselines", "learned"):
        folds = _objects(run.get(name))
        found[name] = {fold: _summary(of) for fold, of in folds.items()}
    found["baselines"] = {
        fold: {name: {**of} for name, of in folds.items() if _is_penalty(of)}
        for fold, folds in found["baselines"].items()
    }
    found["figures"] = _mapping(run.get("figures"))
    found["versions"] = _mapping(run.get("versions"))
    devices = run.get("devices")
    found["devices"] = devices if isinstance(devices, (str, list)) else []
    phases = run.get("phases")
    found["phases"] = [
        {"name": _text(phase.get("name")), "wall_s": _seconds(phase.get("wall_s"))}
        for phase in (phases if isinstance(phases, list) else [])
        if isinstance(phase, Mapping)
    ]
    found["data"] = _data(run["data"])
    return found


def _data(data: Mapping[str, Any]) -> dict[str, Any]:
    """As `cleaned`, of what is known of the recording."""
    found = dict(data)
    for name in _DATA_TEXTS:
        found[name] = _text(data.get(name))
    rois = data.get("rois")
    found["rois"] = rois if isinstance(rois, (dict, list)) else {}
    return found


def _text(value: Any) -> str:
    """A text, or a number as one; "" for anything else."""
    return str(value) if isinstance(value, (str, int, float)) else ""


def _seconds(value: Any) -> float:
    """A duration; 0 where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    return float(value) if 0 <= value < 1e12 and math.isfinite(value) else 0.0


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _objects(value: Any) -> dict[str, Mapping[str, Any]]:
    """Name -> object, of those that are objects."""
    return {name: of for name, of in _mapping(value).items() if isinstance(of, Mapping)}


def _summary(of: Mapping[str, Any]) -> dict[str, Any]:
    """What a fold says of itself, but for what nothing could show."""
    return {name: value for name, value in of.items() if value is not None}


def _is_penalty(of: Any) -> bool:
    """Whether a baseline's summary can be shown: its penalty, if it has one, is a number."""
    if not isinstance(of, Mapping):
        return False
    penalty = of.get("penalty", 0.0)
    return isinstance(penalty, (int, float)) and -1e300 < penalty < 1e300
