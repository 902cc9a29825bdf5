"""What the other processes of a run do: they fit with process 0, or their share of its parts.

Everything else, such as reconstructions, scores, figures and the page, process 0 does alone.
"""

import functools
import json
import pathlib
import platform
import time
from collections.abc import Callable, Mapping
from typing import Any

from fmri_jax import compiled_programs, methods
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.methods import RunContext
from fmri_jax.pipeline import parts, unlabelled
from fmri_jax.pipeline.sweep import Task, run_task
from fmri_jax.training.group import Group
from fmri_jax.training.mesh import make_mesh

_APPEAR = 60.0  # s in which a file that another host has written appears here


def follow(config: Mapping[str, Any], workdir: pathlib.Path, group: Group) -> None:
    """Does what process 0 tells, until it has finished.

    Args:
        config: of the run.
        workdir: of the run; process 0 has claimed it before it tells anything.
        group: of this process, which is not process 0.

    Raises:
        InputError: something given cannot be used, or the folder is not shared by the hosts.
    """
    compiled_programs.keep()
    load = functools.cache(lambda: parts.recording_of(config))
    for order in group.orders():
        obey(order, config, workdir, group, load)


def obey(
    order: Mapping[str, Any],
    config: Mapping[str, Any],
    workdir: pathlib.Path,
    group: Group,
    load: Callable[[], Recording],
) -> None:
    """Fits a fold with the others, or this process's share of parts; the rest as `follow`.

    Args:
        order: {"fit": number of a fold}, or {"parts": [(fold, name), ...], "processes": how many}.
        config: as `follow`.
        workdir: as `follow`.
        group: as `follow`.
        load: returns the recording.
    """
    _check_shared(workdir, group)
    if "fit" in order:
        _fit(config, workdir, order["fit"], load())
        return
    mine = [tuple(part) for part in order["parts"]][group.index :: order["processes"]]
    found = [run_task(Task("", dict(config), workdir, part=part)) for part in mine]
    group.answer(json.dumps(found))


def _fit(
    config: Mapping[str, Any], workdir: pathlib.Path, number: int, recording: Recording
) -> None:
    options, fold = parts.fold_of(config, recording, number)
    context = RunContext(
        workdir=workdir,
        fold=fold.name,
        key=methods.fold_key(options.seed, number),
        mesh=make_mesh(options.n_devices, of_all_processes=True),
        progress=False,
    )
    trials = unlabelled.taught(options, recording, fold, number)
    methods.package(options.method_name).build(options.method_config).fit(trials, context)


def shared_out(tasks: list[Task], group: Group) -> list[str]:
    """Computes parts of a run with the other processes, in turn; an executor of `fit_parts`.

    Args:
        tasks: parts of one run.
        group: of process 0.

    Returns:
        What went wrong with each, "" if nothing.
    """
    n = group.n_others + 1
    group.tell({"parts": [task.part for task in tasks], "processes": n})
    problems = [""] * len(tasks)
    problems[::n] = [run_task(task) for task in tasks[::n]]
    for index, answer in enumerate(group.answers(), start=1):
        problems[index::n] = json.loads(answer)
    return problems


def _check_shared(workdir: pathlib.Path, group: Group) -> None:
    """Whether this host sees the folder that process 0 writes to.

    Raises:
        InputError: it does not.
    """
    until = time.monotonic() + _APPEAR
    while not (workdir / "config.json").exists():
        if time.monotonic() > until:
            raise InputError(
                f"{workdir} holds no run as process {group.index} on {platform.node()} sees it: "
                "expected a folder on a file system that all hosts share; give it as --workdir."
            )
        time.sleep(0.5)
