"""Where the runs of a sweep are computed: in this process, in several, or as a SLURM array."""

import concurrent.futures
import functools
import multiprocessing
import os
import pathlib
import sys

from fmri_jax.errors import InputError
from fmri_jax.sweep import Execute, Task, run_task
from fmri_jax.training.host_memory import run_in_caller


def executor(jobs: int, slurm: str, workdir: pathlib.Path) -> Execute:
    """Chooses how to run tasks.

    Args:
        jobs: processes at a time; 1 for this process.
        slurm: submitit's options as "name=value name=value", such as
            "slurm_partition=gpu timeout_min=240 gpus_per_node=1"; "" for no SLURM.
            "cluster=local" runs the same array on this machine.
        workdir: of the sweep; SLURM's logs go into its folder `slurm`.

    Raises:
        InputError: options that cannot be read, or submitit is missing.
    """
    if jobs < 1:
        raise InputError(f"--jobs is {jobs}: expected at least 1 process.")
    if slurm and jobs > 1:
        raise InputError(
            "--jobs and --slurm were both given: expected one of them; SLURM's own limit is "
            "--slurm='slurm_array_parallelism=4'."
        )
    if slurm:
        return functools.partial(_as_array, options=_options(slurm), folder=workdir / "slurm")
    return functools.partial(_in_processes, jobs=jobs) if jobs > 1 else _one_by_one


def _one_by_one(tasks: list[Task]) -> list[str]:
    problems = []
    for number, task in enumerate(tasks, start=1):
        print(f"[{number} of {len(tasks)}] {task.variant}: {task.workdir}", flush=True)
        problems.append(_said(task, run_task(task)))
    return problems


def _in_processes(tasks: list[Task], jobs: int) -> list[str]:
    """A fresh process a task: JAX does not survive a fork, and gives back memory only at exit."""
    with concurrent.futures.ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        cards = _visible_cards()
        futures = [
            pool.submit(_on_card, task, cards[number % len(cards)] if cards else "")
            for number, task in enumerate(tasks)
        ]
        return [_said(task, _outcome(future)) for task, future in zip(tasks, futures, strict=True)]


def _visible_cards() -> list[str]:
    """The GPUs that this process was given by name, to be dealt over processes."""
    return [card for card in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if card]


def _on_card(task: Task, card: str) -> str:
    """Runs a task in a process that has not touched a device yet."""
    if card:
        os.environ["CUDA_VISIBLE_DEVICES"] = card
    else:  # processes that share a GPU must not each take most of its memory
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    return _in_new_process(task)


def _in_new_process(task: Task) -> str:
    """Runs a task as the launcher would."""
    run_in_caller()
    return run_task(task)


def _as_array(tasks: list[Task], options: dict[str, str | int], folder: pathlib.Path) -> list[str]:
    """One array job; submitit pickles the tasks into `folder`, which is ours."""
    try:
        import submitit
    except ImportError as error:
        raise InputError(
            "--slurm needs submitit, which is not installed: pip install 'fmri_jax[slurm]'."
        ) from error
    parameters = dict(options)
    cluster = str(parameters.pop("cluster", "slurm"))
    try:
        queue = submitit.AutoExecutor(folder, cluster=cluster)
        queue.update_parameters(**parameters)
        jobs = queue.map_array(_in_new_process, tasks)
    except (RuntimeError, TypeError, ValueError, NameError, OSError) as error:
        raise InputError(
            f"--slurm={options} was refused ({' '.join(str(error).split())}): expected options of "
            "submitit on a machine that can submit jobs."
        ) from error
    print(f"Submitted {len(jobs)} runs; their logs are in {folder}", flush=True)
    return [_said(task, _outcome(job)) for task, job in zip(tasks, jobs, strict=True)]


def _outcome(job) -> str:
    """What `run_task` returned elsewhere, or why it could not return anything."""
    try:
        return job.result()
    except Exception as error:  # a process may be killed, a node may fail: the others go on
        lines = str(error).strip().splitlines() or [""]
        # The first line says what ended, the last one what was raised or where the logs are.
        parts = dict.fromkeys([type(error).__name__, lines[0].strip(), lines[-1].strip()])
        return " ".join(part for part in parts if part)


def _said(task: Task, problem: str) -> str:
    if problem:
        print(f"{task.variant}: {problem}", file=sys.stderr, flush=True)
    return problem


def _options(text: str) -> dict[str, str | int]:
    """'a=b c=1' as a dict; whole numbers become int."""
    options: dict[str, str | int] = {}
    for part in text.split():
        name, equals, value = part.partition("=")
        if not (name and equals and value):
            raise InputError(
                f"--slurm has {part!r}: expected name=value parts with spaces between."
            )
        options[name] = int(value) if value.isdigit() else value
    return options
