"""Where the runs of a sweep are computed: in this process, in several, or as a SLURM array."""

import functools
import pathlib

from fmri_jax.errors import InputError, not_installed
from fmri_jax.pipeline import workers
from fmri_jax.pipeline.shared_folds import SharedFolds
from fmri_jax.pipeline.sweep import Execute, Task, run_task


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
    return functools.partial(workers.run_tasks, jobs=jobs) if jobs > 1 else _one_by_one


def is_elsewhere(slurm: str) -> bool:
    """Whether these options of submitit send tasks to other machines; arguments as `executor`."""
    return bool(slurm) and str(_options(slurm).get("cluster", "slurm")) == "slurm"


def _one_by_one(tasks: list[Task]) -> list[str]:
    problems, shared = [], SharedFolds()
    for number, task in enumerate(tasks):
        workers.announce(number, tasks)
        problems.append(workers.reported(task, run_task(task, shared)))
    return problems


def _in_new_process(task: Task, shared: bool = False) -> str:
    """Runs a task as the launcher would, in a process that has not touched a device yet."""
    workers.set_up("", shared)
    return run_task(task)


def _as_array(tasks: list[Task], options: dict[str, str | int], folder: pathlib.Path) -> list[str]:
    """One array job; submitit pickles the tasks into `folder`, which is ours."""
    try:
        import submitit
    except ImportError as error:
        raise not_installed("--slurm", "submitit", "slurm") from error
    parameters = dict(options)
    cluster = str(parameters.pop("cluster", "slurm"))
    try:
        queue = submitit.AutoExecutor(folder, cluster=cluster)
        queue.update_parameters(**parameters)
        here = cluster != "slurm"  # this machine runs them all at once
        jobs = queue.map_array(functools.partial(_in_new_process, shared=here), tasks)
    except (RuntimeError, TypeError, ValueError, NameError, OSError) as error:
        raise InputError(
            f"--slurm={options} was rejected ({' '.join(str(error).split())}): expected options of "
            "submitit on a machine that can submit jobs."
        ) from error
    print(f"Submitted {len(jobs)} runs; their logs are in {folder}", flush=True)
    ended = zip(tasks, jobs, strict=True)
    return [workers.reported(task, workers.outcome(job.result)) for task, job in ended]


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
