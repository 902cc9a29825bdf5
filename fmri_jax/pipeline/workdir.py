"""The folder of one run: who it belongs to, what goes into it, and from what it was made."""

import contextlib
import errno
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from absl import logging

from fmri_jax.digests import SUMS
from fmri_jax.errors import InputError
from fmri_jax.files import locked, remove_unfinished
from fmri_jax.pipeline import computer, experiment_config
from fmri_jax.pipeline.json_files import digest, read_json, read_sealed, write_json

# Files that a run writes before it computes anything.
BEFORE = ("config.json", "run.json")
# Sections of a config that no fold depends on: with others the folds are scored again.
SCORING = ("title", "text", "evaluation")
RESULTS = ("report.html", "scores.json")  # what shows that a run was scored, the page first
OUTDATED = ".outdated"  # a file that has these scores made again
FOLDS_OF = "folds_of"  # in `run.json`: see `folds_of`
LOCK = ".lock"  # there while a run holds its folder, and after one that was killed
# The messages of the system for a disk that takes no more.
UNWRITABLE = tuple(
    os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
)
PACKAGES = ("fmri_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


# The folders that runs of this process hold, and what gives each of them back.
_HELD: dict[pathlib.Path, contextlib.ExitStack] = {}
# Descriptors of these folders, which know where a folder is after somebody has moved it.
_PLACES: dict[pathlib.Path, int] = {}


def claim(workdir: pathlib.Path, config: Mapping[str, Any]) -> bool:
    """Takes `workdir` for the run that `config` describes.

    The folder is held until the block of `writing_to` ends in which this is called, or the process
    does. Where the file system has no locks, it is not held.

    Args:
        workdir: the folder; created if absent.
        config: the resolved config, as plain JSON values.

    Returns:
        True if the folder already holds what this very run has computed, which resumes there. Where
        it was scored, `config.json` stays the config of those scores until they are replaced.

    Raises:
        InputError: another process is at work in the folder, or it holds another run or other
            files; nothing is overwritten. A run that was rejected before it had computed anything
            does not hold its folder.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        alone = _hold(workdir)
        begun = _begun(workdir, json.loads(json.dumps(config)))
        if alone:
            remove_unfinished(workdir)
        return begun
    except BaseException as error:
        _let_go(workdir)
        if isinstance(error, OSError):
            raise InputError(
                f"{workdir} cannot be used as --workdir ({error}): choose a folder that can be "
                "written."
            ) from error
        raise


def _begun(workdir: pathlib.Path, wanted: dict[str, Any]) -> bool:
    """Writes `config.json`; whether this very run has computed something; errors as `claim`."""
    path = workdir / "config.json"
    ours = (LOCK, ".*.unfinished", ".*.damaged")
    names = [entry.name for entry in workdir.iterdir() if not any(map(entry.match, ours))]
    begun = any(name not in BEFORE and not name.startswith(".") for name in names)
    if names and not any(name in BEFORE for name in names):
        raise InputError(
            f"{workdir} is not empty and holds no config.json of a run: choose a new or empty "
            "folder as --workdir."
        )
    found = _config(path)
    if begun and not (found and _of_folds(found) == _of_folds(wanted)):
        _check_record(workdir, found, wanted)
        logging.warning("%s is missing or damaged: it is written again.", path)
    elif is_scored(workdir) and found:
        wanted = found  # written anyway: that shows at once if the folder cannot be
    write_json(path, wanted)
    return begun


def _config(path: pathlib.Path) -> dict[str, Any] | None:
    """The config in a folder, or None where it is missing or cannot be read."""
    try:
        found = read_json(path)
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _check_record(
    workdir: pathlib.Path, found: dict[str, Any] | None, wanted: dict[str, Any]
) -> None:
    """Whether a folder whose `config.json` is of no use was begun with the wanted config.

    `run.json` knows: it has a digest of the config's part that folds depend on. One of an earlier
    version has method and seed.

    Raises:
        InputError: it was begun with another one, or nothing tells.
    """
    record = read_sealed(workdir / "run.json") or {}
    known = record.get(FOLDS_OF)
    if known == folds_of(wanted):
        return
    if found is not None:
        there, here = _of_folds(found), _of_folds(wanted)
        raise InputError(
            f"{workdir} holds another run ({_first_difference(there, here)}): choose "
            "another --workdir, or give the config of that run to resume it."
        )
    method = wanted.get("method")
    ours = (method.get("name") if isinstance(method, dict) else None, wanted.get("seed"))
    if known is not None or (record.get("method"), record.get("seed")) != ours:
        raise InputError(
            f"{workdir} holds a run whose config.json is missing or damaged, and run.json "
            f"{'is of another config' if record else 'cannot be read either'}: choose another "
            "--workdir, give the config of that run, or delete folds, checkpoints and decoders "
            "there to compute them again."
        )


def folds_of(config: Mapping[str, Any]) -> str:
    """A digest of the part of a config that folds depend on, for `run.json`."""
    return digest(_of_folds(json.loads(json.dumps(config))))


def _hold(workdir: pathlib.Path) -> bool:
    """Keeps other processes out of the folder; whether they are known to be out since now."""
    folder = pathlib.Path(os.path.realpath(workdir))
    if folder in _HELD:
        return False
    with contextlib.ExitStack() as stack:
        try:
            alone = stack.enter_context(locked(folder / LOCK))
        except BlockingIOError as holder:
            raise InputError(
                f"{workdir} is in use by another run that has not ended ({holder}): wait for it "
                "or stop it, or choose another --workdir."
            ) from None
        if sys.platform == "linux":
            place = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, place)
            _PLACES[folder] = place
        _HELD[folder] = stack.pop_all()
    return alone


def _let_go(workdir: pathlib.Path) -> None:
    """Gives the folder back to other processes, if this one holds it."""
    _PLACES.pop(pathlib.Path(os.path.realpath(workdir)), None)
    if held := _HELD.pop(pathlib.Path(os.path.realpath(workdir)), None):
        held.close()


def is_scored(workdir: pathlib.Path) -> bool:
    """Whether the folder holds scores or a page of its run, be they outdated or not."""
    return any((workdir / name).exists() for name in RESULTS)


def is_outdated(workdir: pathlib.Path, config: Mapping[str, Any]) -> bool:
    """Whether the folder holds the folds of this run with scores that are not those it asks for."""
    wanted = json.loads(json.dumps(config))
    try:
        found = read_json(workdir / "config.json")
    except (OSError, ValueError):  # `claim` reports what is wrong
        return False
    outdated = (workdir / OUTDATED).exists()
    asked_for = outdated or experiment_config.resolved(found) != experiment_config.resolved(wanted)
    return asked_for and _of_folds(found) == _of_folds(wanted) and is_scored(workdir)


def outdate(workdir: pathlib.Path, config: Mapping[str, Any]) -> None:
    """Has the run that `config` describes scored again by whoever comes next; errors as `claim`."""
    try:
        if claim(workdir, config):
            (workdir / OUTDATED).touch()
    finally:
        _let_go(workdir)  # the run may be that of another process


def take_back_results(workdir: pathlib.Path) -> None:
    """Removes the page, the scores and the figures, before new ones are written.

    The page goes first: a run that is killed from here on is one that has not finished, and never
    one with old results beside new ones.
    """
    for name in (*RESULTS, SUMS):
        (workdir / name).unlink(missing_ok=True)
    for path in [*(workdir / "figures").glob("*.png"), workdir / OUTDATED]:
        path.unlink(missing_ok=True)


def _of_folds(config: Any) -> Any:
    """The part of a config that folds depend on."""
    config = experiment_config.resolved(config)
    if not isinstance(config, Mapping):
        return config
    return {name: value for name, value in config.items() if name not in SCORING}


def _first_difference(found: Any, wanted: Any, where: str = "config") -> str:
    """Where two configs first differ, in words."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in [*wanted, *(set(found) - set(wanted))]:
            if found.get(key) != wanted.get(key):
                return _first_difference(found.get(key), wanted.get(key), f"{where}.{key}")
    return f"{where} is {found!r} there and {wanted!r} here"


@contextlib.contextmanager
def writing_to(workdir: pathlib.Path) -> Iterator[None]:
    """Turns a disk that is full or has become read-only into one message.

    At its end a folder that was claimed within is given back.

    Raises:
        InputError: a file could not be written.
    """
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: of a checkpoint, with the system's words
        _check_there(workdir, error)
        reasons = [words for words in UNWRITABLE if words in str(error)]
        if isinstance(error, InputError) or not reasons:
            raise
        raise InputError(
            f"{workdir} could not be written to ({reasons[0].lower()}): expected a disk with space "
            "for the run; free some space, and the same command resumes from what is finished."
        ) from error
    finally:
        _let_go(workdir)


def _check_there(workdir: pathlib.Path, error: Exception) -> None:
    """Says where the folder of a run has gone, if it has.

    Raises:
        InputError: it is no longer where it was.
    """
    if not isinstance(error, FileNotFoundError) or workdir.exists():
        return
    place = _PLACES.get(pathlib.Path(os.path.abspath(workdir)))
    now = os.readlink(f"/proc/self/fd/{place}") if place is not None else ""
    where = "deleted" if not now or now.endswith(" (deleted)") else f"moved to {now}"
    raise InputError(
        f"{workdir} was {where} while its run was writing there: expected it to stay; "
        f"{'start the run again' if where == 'deleted' else 'move it back, or give the new place'}"
        f"{'.' if where == 'deleted' else ' as --workdir, and the run resumes.'}"
    ) from error


def is_finished(workdir: pathlib.Path, config: Mapping[str, Any]) -> bool:
    """Whether the folder holds this very run, with its page, as it is asked for."""
    found = _config(workdir / "config.json")
    wanted = json.loads(json.dumps(config))
    same = found is not None and _of_folds(found) == _of_folds(wanted)
    return same and (workdir / RESULTS[0]).exists() and not is_outdated(workdir, config)


def provenance() -> dict[str, Any]:
    """Versions, commit and devices of this process, for `run.json`."""
    import jax

    versions = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "versions": versions,
        "commit": _commit(),
        "devices": [str(device) for device in jax.devices()],
        "computer": computer.describe(),
    }


def _commit() -> str:
    """The commit of the checkout this package runs from, or '' outside a checkout."""
    folder = pathlib.Path(__file__).parent
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()
