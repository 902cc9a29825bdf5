"""Loads the recording of an experiment, and recognises it when a run is resumed."""

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fmri_jax import arrays, data, digests, features, networks
from fmri_jax.data import paths
from fmri_jax.data.recording import Recording
from fmri_jax.datasets import cache, manual_download, simulated
from fmri_jax.errors import InputError
from fmri_jax.files import cache_folder
from fmri_jax.pipeline.experiment_config import Experiment

SAMPLED = 256  # responses of a virtual subject by which it is known again
# How far each may be off, in standard deviations: rounding moves them by some 1e-5, anything else
# that changes in a simulation by far more.
ROUNDING = 1e-3


def load(experiment: Experiment) -> Recording:
    """The recording that the experiment names.

    Raises:
        InputError: the recording cannot be used, or a path names a variable that is not set.
    """
    options = paths.expanded_options(experiment.data_options)
    if experiment.data_name != "virtual_subject":
        return data.load(experiment.data_name, **options)
    # Simulating takes seconds and depends on these options and on the package alone.
    place = _prepared()
    if place is None:
        return data.load("virtual_subject", **options)
    key = cache.options_key(**options, stamp=_stamp(options.get("images", "")), source=_source())
    return cache.prepare(
        lambda: data.load("virtual_subject", **options),
        "virtual_subject",
        place,
        key,
    )


def _prepared() -> pathlib.Path | None:
    """Where prepared recordings are kept; None where nothing can be written there."""
    try:
        place = cache_folder() / "recordings"
        place.mkdir(parents=True, exist_ok=True)
    except (InputError, OSError):
        return None
    return place if os.access(place, os.W_OK) else None


def stamps(experiment: Experiment) -> dict[str, dict[str, int | str]]:
    """What tells whether the files and folders that the options name are as they were.

    Returns:
        Option -> size and time of a file, or of all files in a folder; absent ones are left out.
    """
    given = {name: str(experiment.data_options.get(name) or "") for name in paths.OPTIONS}
    places = {name: paths.replaced(path) for name, path in given.items()}
    return {name: stamp for name, path in places.items() if (stamp := _stamp(path))}


def identity(experiment: Experiment, recording: Recording) -> dict[str, Any]:
    """What tells this recording from every other, for `run.json`.

    A recording is the same to the last bit, or another one. A virtual subject is simulated anew by
    every version of the package, which may round otherwise: of its responses a sample is written
    down, and everything else about it counts to the last bit.
    """
    found: dict[str, Any] = {"fingerprint": recording.fingerprint()}
    if experiment.data_name == "virtual_subject":
        silent = dataclasses.replace(recording, fmri=np.zeros_like(recording.fmri))
        places = np.random.default_rng(0).integers(recording.fmri.size, size=SAMPLED)
        responses = recording.fmri.reshape(-1)[places]
        found["simulation"] = {
            "all_but_responses": silent.fingerprint(),
            "responses": " ".join(f"{response:.7g}" for response in responses),
        }
    return found


def go_on_with(
    workdir: pathlib.Path, earlier: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, Any]:
    """The identity of a run's recording, if it is still the one that the run was begun with.

    Args:
        workdir: of the run, for the message.
        earlier: what an earlier start has written into `run.json`; empty if there was none.
        now: the `identity` of the recording that was given now.

    Returns:
        That of the first start, so that small differences do not add up over many.

    Raises:
        InputError: folds and checkpoints of one recording would be mixed with those of another.
    """
    about = earlier.get("data", {})
    before = {name: about[name] for name in ("fingerprint", "simulation") if name in about}
    if before.get("fingerprint") in (None, now["fingerprint"]) or _rounded_otherwise(before, now):
        return {**now, **before}
    if "simulation" in now:
        commit = f", commit {earlier['commit']}" if earlier.get("commit") else ""
        remedy = (
            "give the photographs of that one, or, if they are the same, resume with the version "
            f"of fmri_jax that simulated it{commit}"
        )
    else:
        remedy = "give that recording to resume it"
    raise InputError(
        f"{workdir} was begun with another recording (fingerprint {before['fingerprint'][:12]} "
        f"there, {now['fingerprint'][:12]} here): choose another --workdir, or {remedy}."
    )


def _rounded_otherwise(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether both are one virtual subject, its responses equal but for rounding."""
    there, here = before.get("simulation"), now.get("simulation")
    if not isinstance(there, Mapping) or not isinstance(here, Mapping):
        return False  # begun before responses were sampled, or no virtual subject
    try:
        old, new = (np.array(str(of["responses"]).split(), np.float64) for of in (there, here))
    except (KeyError, ValueError):
        return False
    same = there.get("all_but_responses") == here["all_but_responses"] and len(old) == len(new)
    return same and bool(np.abs(old - new).max() <= ROUNDING * old.std())


def _stamp(path: str) -> dict[str, int | str]:
    """Size and time of a file or of what a folder holds: others make another recording."""
    if os.path.isdir(path):
        # The folder's own time knows nothing of a file that is written over, nor of subfolders.
        files = manual_download.described(pathlib.Path(path))
        digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
        return {"files": len(files), "sha256": digest}
    if not os.path.exists(path):
        return {}
    status = os.stat(path)
    return {"bytes": status.st_size, "time": status.st_mtime_ns}


def _source() -> str:
    """Hash of the simulation's own code: a changed simulation is another recording."""
    return digests.of_code(simulated, features, networks, arrays)
