"""Where the runs of a sweep are computed: in this process, in several, or as a SLURM array."""

import collections
import contextlib
import dataclasses
import functools
import multiprocessing
import os
import pathlib
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing import connection

from fmri_jax import processes, stopping
from fmri_jax.errors import InputError, not_installed
from fmri_jax.pipeline.shared_folds import SharedFolds
from fmri_jax.pipeline.sweep import Execute, Task, run_task
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


def is_elsewhere(slurm: str) -> bool:
    """Whether these options of submitit send tasks to other machines; arguments as `executor`."""
    return bool(slurm) and str(_options(slurm).get("cluster", "slurm")) == "slurm"


def _one_by_one(tasks: list[Task]) -> list[str]:
    problems, shared = [], SharedFolds()
    for number, task in enumerate(tasks, start=1):
        print(f"[{number} of {len(tasks)}] {task.variant}: {task.workdir}", flush=True)
        problems.append(_reported(task, run_task(task, shared)))
    return problems


@dataclasses.dataclass(frozen=True)
class _Worker:
    """A process that runs one task.

    Attributes:
        number: of the task.
        card: the GPU that it sees; "" for all of this machine.
        process: the process itself.
    """

    number: int
    card: str
    process: multiprocessing.process.BaseProcess


def _in_processes(tasks: list[Task], jobs: int) -> list[str]:
    """A fresh process a task: JAX does not survive a fork, and gives back memory only at exit.

    No process knows of another, so that one which the system kills takes none with it.
    """
    problems = [""] * len(tasks)
    waiting = collections.deque(range(len(tasks)))
    running: dict[connection.Connection, _Worker] = {}  # by where its answer comes from
    cards = _visible_cards()
    shared = min(jobs, len(tasks)) > len(cards)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                number = waiting.popleft()
                card = _least_used(cards, [worker.card for worker in running.values()])
                answer, process = _started(tasks[number], card, shared)
                running[answer] = _Worker(number, card, process)
            ready = connection.wait(list(running))
            for answer in [known for known in running if known in ready]:
                worker = running.pop(answer)
                problems[worker.number] = _reported(tasks[worker.number], _ended(worker, answer))
    except SystemExit:  # upon a signal, which has told the workers
        raise
    except BaseException:
        for worker in running.values():
            worker.process.terminate()
        raise
    return problems


def _visible_cards() -> list[str]:
    """The GPUs that this process was given by name, to be split over processes."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return [name.strip() for name in names if name.strip()]


def _least_used(cards: list[str], in_use: list[str]) -> str:
    """The card that fewest processes use, a free one where there is one; "" if none has a name."""
    return min(cards, key=in_use.count, default="")


def _started(
    task: Task, card: str, shared: bool
) -> tuple[connection.Connection, multiprocessing.process.BaseProcess]:
    """Starts a task's process; returns where its answer will come from, and the process."""
    context = multiprocessing.get_context("spawn")
    answer, sender = context.Pipe(duplex=False)
    with sender:  # the process has it alone from here on, so that its end is seen
        process = context.Process(
            target=_run_and_answer, args=(sender, task, card, shared, os.getpid())
        )
        with _interrupts_held_back():
            process.start()
    return answer, process


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Processes started within never see Ctrl-C, which reaches them too: this process ends them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # when it starts, it lets interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # children inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ended(worker: _Worker, answer: connection.Connection) -> str:
    """What came of a task whose process has answered or died."""
    problem = None
    with answer, contextlib.suppress(EOFError, OSError):
        problem = answer.recv()
    worker.process.join()
    if problem is not None:
        return problem
    code = worker.process.exitcode or 0
    if code >= 0:
        return f"its process ended with exit code {code} and did not say why."
    return (
        f"its process was ended by signal {-code} ({signal.strsignal(-code)}): where memory has "
        "run out, give --jobs a smaller number."
    )


def _run_and_answer(
    sender: connection.Connection, task: Task, card: str, shared: bool, parent: int
) -> None:
    """Runs a task in a process of its own and sends what came of it."""
    with contextlib.suppress(stopping.Stopped):  # no answer: nobody waits for it any more
        sender.send(_outcome(functools.partial(_in_new_process, task, card, shared, parent)))


def _in_new_process(task: Task, card: str = "", shared: bool = False, parent: int = 0) -> str:
    """Runs a task as the launcher would, in a process that has not touched a device yet.

    Args:
        task: the task.
        card: the GPU to use; "" for those that the process sees.
        shared: whether other processes may use the same GPU.
        parent: the process that this one ends with; 0 where there is none, as on a cluster.
    """
    if parent:
        processes.end_with_parent(parent)
        stopping.answer_in_worker()
    if card:
        os.environ["CUDA_VISIBLE_DEVICES"] = card
    if shared:  # they must not each take most of its memory
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    run_in_caller()
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
    return [_reported(task, _outcome(job.result)) for task, job in zip(tasks, jobs, strict=True)]


def _outcome(run: Callable[[], str]) -> str:
    """What `run_task` returned elsewhere, or why it could not return anything."""
    try:
        return run()
    except Exception as error:  # a node may fail, a program be wrong: the others continue
        lines = str(error).strip().splitlines() or [""]
        # The first line says what ended, the last one what was raised or where the logs are.
        parts = dict.fromkeys([type(error).__name__, lines[0].strip(), lines[-1].strip()])
        return " ".join(part for part in parts if part)


def _reported(task: Task, problem: str) -> str:
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
