"""Processes of this machine that run tasks side by side, each one after another.

They are new processes, as JAX does not survive a fork. From one task to the next a process keeps
folds, baselines and compiled programs. None knows of another, so that one which the system kills
takes only its task with it; another one is started in its place.
"""

import collections
import contextlib
import dataclasses
import functools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing import connection

from fmri_jax import processes, stopping
from fmri_jax.pipeline.shared_folds import SharedFolds
from fmri_jax.pipeline.sweep import Task, run_task
from fmri_jax.training.host_memory import run_in_caller


@dataclasses.dataclass(frozen=True)
class _Worker:
    """A process that runs one task after another.

    Attributes:
        card: the GPU that it sees; "" for all of this machine.
        link: takes tasks and gives what came of them.
        process: the process itself.
    """

    card: str
    link: connection.Connection
    process: multiprocessing.process.BaseProcess


def run_tasks(tasks: list[Task], jobs: int) -> list[str]:
    """Runs tasks, started in their order, so many at a time.

    Args:
        tasks: what to run.
        jobs: processes at a time.

    Returns:
        Of each task what went wrong, or "".
    """
    problems = [""] * len(tasks)
    waiting = collections.deque(range(len(tasks)))
    running: dict[connection.Connection, tuple[_Worker, int]] = {}  # by where answers come from
    cards = _visible_cards()
    shared = min(jobs, len(tasks)) > len(cards)

    def give(worker: _Worker) -> None:
        number = waiting.popleft()
        running[worker.link] = worker, number
        announce(number, tasks)
        with contextlib.suppress(OSError):  # it has ended, which is seen where its answer is read
            worker.link.send(tasks[number])

    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                card = _least_used(cards, [worker.card for worker, _ in running.values()])
                give(_started(card, shared))
            ready = connection.wait(list(running))
            for link in [known for known in running if known in ready]:
                worker, number = running.pop(link)
                problem, lives = _answer(worker)
                problems[number] = reported(tasks[number], problem)
                if lives and waiting:
                    give(worker)
                else:
                    _dismiss(worker)
    except SystemExit:  # upon a signal, which has told the workers
        raise
    except BaseException:
        for worker, _ in running.values():
            worker.process.terminate()
        raise
    return problems


def _dismiss(worker: _Worker) -> None:
    """Ends a process, which waits for tasks or has ended."""
    worker.link.close()
    worker.process.join()


def _visible_cards() -> list[str]:
    """The GPUs that this process was given by name, to be split over processes."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return [name.strip() for name in names if name.strip()]


def _least_used(cards: list[str], in_use: list[str]) -> str:
    """The card that fewest processes use, a free one where there is one; "" if none has a name."""
    return min(cards, key=in_use.count, default="")


def _started(card: str, shared: bool) -> _Worker:
    """Starts a process that waits for tasks."""
    context = multiprocessing.get_context("spawn")
    link, other_end = context.Pipe()
    with other_end:  # the process has it alone from here on, so that its end is seen
        process = context.Process(target=_work, args=(other_end, card, shared, os.getpid()))
        with _interrupts_held_back():
            process.start()
    return _Worker(card, link, process)


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


def _answer(worker: _Worker) -> tuple[str, bool]:
    """What came of the task of a process that has answered or died, and whether it has answered."""
    with contextlib.suppress(EOFError, OSError):
        return worker.link.recv(), True
    worker.process.join()
    code = worker.process.exitcode or 0
    if code >= 0:
        return f"its process ended with exit code {code} and did not say why.", False
    return (
        f"its process was ended by signal {-code} ({signal.strsignal(-code)}): where memory has "
        "run out, give --jobs a smaller number."
    ), False


def _work(link: connection.Connection, card: str, shared: bool, parent: int) -> None:
    """Runs tasks in a process of its own, as long as there are any, and sends what came of each."""
    processes.end_with_parent(parent)
    stopping.answer_in_worker()
    set_up(card, shared)
    folds = SharedFolds()
    # Nobody waits for the answer of one that was stopped; after the last task the link is closed.
    with contextlib.suppress(stopping.Stopped, EOFError):
        while True:
            link.send(outcome(functools.partial(run_task, link.recv(), folds)))


def set_up(card: str, shared: bool) -> None:
    """Prepares a new process for tasks.

    Args:
        card: the GPU to use; "" for those that the process sees.
        shared: whether other processes may use the same GPU.
    """
    if card:
        os.environ["CUDA_VISIBLE_DEVICES"] = card
    if shared:  # they must not each take most of its memory
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    run_in_caller()


def outcome(run: Callable[[], str]) -> str:
    """What `run_task` returned elsewhere, or why it could not return anything."""
    try:
        return run()
    except Exception as error:  # a node may fail, a program be wrong: the others continue
        lines = str(error).strip().splitlines() or [""]
        # The first line says what ended, the last one what was raised or where the logs are.
        parts = dict.fromkeys([type(error).__name__, lines[0].strip(), lines[-1].strip()])
        return " ".join(part for part in parts if part)


def announce(number: int, tasks: list[Task]) -> None:
    """Says that a task starts."""
    task = tasks[number]
    print(f"[{number + 1} of {len(tasks)}] {task.variant}: {task.workdir}", flush=True)


def reported(task: Task, problem: str) -> str:
    """What went wrong with a task, or "", which is said as soon as it is known."""
    if problem:
        print(f"{task.variant}: {problem}", file=sys.stderr, flush=True)
    return problem
