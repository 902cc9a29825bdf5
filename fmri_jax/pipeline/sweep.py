"""Variants of one experiment: each run in a workdir of its own, then one table and one page.

An experiment file adds a section `sweep` to its config. Every variant is the rest of the config
with some values changed:

    config.sweep = {
        "seeds": (0,),
        "variants": (("VC", {}), ("HVC", {"preparation": {"roi": "HVC"}})),
        "hypotheses": (("VC", "HVC", "pixel_correlation", "why"),),
    }

Finished runs of the same config are kept, unfinished ones resume where they were stopped, and those
that ask for other scores of the same folds are scored again.
"""

import contextlib
import copy
import dataclasses
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from fmri_jax import methods, report
from fmri_jax.config import section
from fmri_jax.data import paths
from fmri_jax.errors import InputError
from fmri_jax.files import place
from fmri_jax.pipeline import experiment_config, parts
from fmri_jax.pipeline.run import run
from fmri_jax.pipeline.shared_folds import SharedFolds
from fmri_jax.pipeline.workdir import OUTDATED, is_outdated, outdate, writing_to
from fmri_jax.report.comparison.hypotheses import Hypothesis
from fmri_jax.training.loop import NotFiniteError

RESERVED = ("", "figures", "slurm")  # folders of a sweep that no variant may have
COMPARISON = ("comparison.html", "comparison.csv", "comparison.md")


@dataclasses.dataclass(frozen=True)
class SweepConfig:
    """The section `sweep` of a config.

    Attributes:
        variants: (name, nested options that differ from the base config) of each, in the order
            of the table; the others are tested against the first. The extra option `seeds` of a
            variant replaces the sweep's. Pairs, because a `ConfigDict` sorts its names.
        seeds: every variant is run once with each.
        hypotheses: (better, worse, score, why) orderings that were expected beforehand; `claims` is
            another name of it, that of earlier experiment files.
    """

    variants: tuple[tuple[Any, ...], ...]
    seeds: tuple[int, ...] = (0,)
    hypotheses: tuple[tuple[str, ...], ...] = ()


@dataclasses.dataclass(frozen=True)
class Task:
    """One run, such as a variant of a sweep with one seed, or one part of a run.

    Attributes:
        variant: its name for people.
        config: of the run.
        workdir: of the run.
        command: the command line, for the report.
        progress: whether progress bars are drawn.
        part: number of a fold and name of a part of its fit (`pipeline.parts`); None: the run.
    """

    variant: str
    config: dict[str, Any]
    workdir: pathlib.Path
    command: str = ""
    progress: bool = False
    part: tuple[int, str] | None = None


# Runs tasks, and says of each what went wrong ("" if nothing did), in the same order.
Execute = Callable[[list[Task]], list[str]]


def run_sweep(
    config: Mapping[str, Any],
    workdir: pathlib.Path,
    execute: Execute,
    progress: bool = True,
    command: str = "",
    rescore: bool = False,
    elsewhere: bool = False,
) -> pathlib.Path:
    """Runs every variant and compares those that finished.

    Args:
        config: a `ConfigDict` or nested dict with a section `sweep`.
        workdir: takes a folder for each variant, and the comparison.
        execute: how the runs are carried out: one after another, or in other processes.
        progress: whether runs draw progress bars.
        command: the command line of the sweep, for the reports.
        rescore: whether finished folds are scored again though the config is the same.
        elsewhere: whether runs read their recordings on other machines, which have paths of their
            own; else these are looked for before the first run.

    Returns:
        The path of `comparison.html`.

    Raises:
        InputError: the sweep, or a path of its recordings, cannot be used, in which case nothing
            was run; or some of its variants ended with an error, in which case the others have
            been compared.
    """
    plain = config.to_dict() if hasattr(config, "to_dict") else dict(config)
    workdir = place(workdir)
    todo = tasks(plain, workdir, progress, command)
    if not elsewhere:
        _check_recordings(todo, rescore)
    _take_back_comparison(todo, workdir, rescore)
    finished, failed = _by_variant(todo, execute(todo))
    reports = [f"{name} was not run to its end: {failed[name]}" for name in reversed(failed)]
    if not finished:
        for task in todo:  # nothing was scored again, so that the old scores still belong together
            (task.workdir / OUTDATED).unlink(missing_ok=True)
        reasons = set(failed.values())
        raise InputError(reasons.pop() if len(reasons) == 1 else " ".join(reports))
    with writing_to(workdir):
        compared = report.compare(
            finished,
            workdir,
            title=str(plain.get("title", "")),
            text=" ".join([str(plain.get("text", "")), *reports]),
            hypotheses=_hypotheses(plain["sweep"]),
            failed=tuple(failed),
        )
    print(compared.markdown)
    if failed:
        raise InputError(
            f"{compared.page} compares the other variants. {' '.join(reports)} The same command "
            "runs only what is missing."
        )
    return compared.page


def _by_variant(
    todo: list[Task], problems: list[str]
) -> tuple[dict[str, list[pathlib.Path]], dict[str, str]]:
    """The runs of each variant that all finished, and what went wrong with each other variant.

    Of several problems of one variant the first counts; the last variant to fail comes first.
    """
    ended = list(zip(todo, problems, strict=True))
    failed = {task.variant: problem for task, problem in reversed(ended) if problem}
    finished: dict[str, list[pathlib.Path]] = {}
    for task in todo:
        if task.variant not in failed:
            finished.setdefault(task.variant, []).append(task.workdir)
    return finished, failed


def _hypotheses(sweep: Mapping[str, Any]) -> list[Hypothesis]:
    """The expected orderings; the page lists those of variants that failed as untested."""
    return [Hypothesis(*given) for given in _options(sweep).hypotheses]


def _options(sweep: Mapping[str, Any]) -> SweepConfig:
    """The section, checked."""
    renamed = {"hypotheses" if name == "claims" else name: sweep[name] for name in sweep}
    if len(renamed) < len(sweep):
        raise InputError("config.sweep has hypotheses and claims, one option: name it once.")
    return section(SweepConfig, renamed, "config.sweep")


def _check_recordings(todo: list[Task], rescore: bool) -> None:
    """Rejects paths at which there is no recording once, and not again for each variant.

    A run that has nothing left to do does not read its recording, which may be gone by then.
    """
    for task in todo:
        scored = (task.workdir / "report.html").exists()
        if rescore or not scored or is_outdated(task.workdir, task.config):
            paths.check(experiment_config.read(task.config).data_options)


def _take_back_comparison(todo: list[Task], workdir: pathlib.Path, rescore: bool) -> None:
    """Removes the comparison where runs in it are to be scored again.

    A sweep that is killed between two of them then leaves no page that looks finished, and each
    run knows by itself that it is to be scored again, whatever the next command says.
    """
    for task in todo if rescore else []:
        with contextlib.suppress(InputError):  # the run itself raises it
            outdate(task.workdir, task.config)
    if any(is_outdated(task.workdir, task.config) for task in todo):
        for name in COMPARISON:
            (workdir / name).unlink(missing_ok=True)


def tasks(
    config: Mapping[str, Any], workdir: pathlib.Path, progress: bool = False, command: str = ""
) -> list[Task]:
    """All runs of a sweep, every config checked before anything is computed.

    Raises:
        InputError: a variant, hypothesis or option cannot be used.
    """
    base = {name: value for name, value in config.items() if name != "sweep"}
    sweep = _options(config["sweep"])
    if not sweep.variants or not sweep.seeds:
        raise InputError("config.sweep needs at least one variant and one seed: it has none.")
    if any(len(variant) != 2 or not isinstance(variant[1], Mapping) for variant in sweep.variants):
        raise InputError("config.sweep.variants is not a list of pairs: expected (name, options).")
    names = [name for name, _ in sweep.variants]
    for hypothesis in sweep.hypotheses:
        unknown = [name for name in hypothesis[:2] if name not in names]
        if unknown or not 3 <= len(hypothesis) <= 4:
            raise InputError(
                f"config.sweep.hypotheses has {hypothesis!r}: expected (better variant, worse "
                f"variant, score), and a reason if there is one, with variants "
                f"among {', '.join(names)}."
            )
    if base.get("seed") or any("seed" in change for _, change in sweep.variants):
        raise InputError(
            "a sweep takes its seeds from config.sweep.seeds, or from 'seeds' of a variant: found "
            "'seed' in the config or in a variant; write 'seeds': (1, 2) into config.sweep of the "
            "experiment file, or give --config.sweep.seeds='(1, 2)' where the file has seeds."
        )
    todo: list[Task] = []
    for name, change in sweep.variants:
        changed = dict(change)
        seeds = tuple(changed.pop("seeds", sweep.seeds))
        if slug(name) in RESERVED:
            raise InputError(
                f"config.sweep has a variant {name!r}: its folder {slug(name)!r} is the sweep's "
                "own; choose another name."
            )
        for seed in seeds:
            merged = {**merge(base, changed), "seed": seed}
            merged["title"] = f"{base.get('title', '')}: {name}"
            experiment_config.read(merged)
            folder = workdir / slug(name) / f"seed_{seed}"  # one seed now may be several later
            todo.append(Task(name, merged, folder, command, progress))
    if len({task.workdir for task in todo}) < len(todo):
        raise InputError(
            "config.sweep has variants or seeds whose folders would have the same name: use names "
            "that differ in letters or digits, and each seed once."
        )
    return todo


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the nested options of `change`; a new method starts from its own defaults."""
    merged = copy.deepcopy(dict(base))
    method = change.get("method", {})
    old = merged["method"]["name"]
    new = method.get("name", old) if isinstance(method, Mapping) else old
    if new != old:
        defaults = dataclasses.asdict(methods.package(new).Config())
        merged["method"] = {"name": new, **defaults}
    _update(merged, change)
    return merged


def _update(into: dict[str, Any], change: Mapping[str, Any]) -> None:
    for name, value in change.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _update(into[name], value)
        else:
            into[name] = copy.deepcopy(value)


def slug(name: str) -> str:
    """The folder of a variant: its name in lower case, everything but letters and digits as _."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def run_task(task: Task, shared: SharedFolds | None = None) -> str:
    """Runs one task, with what earlier ones shared; returns why it was not completed, or ''."""
    try:
        if task.part:
            parts.fit(task.config, task.workdir, *task.part)
        else:
            run(task.config, task.workdir, task.progress, task.command, shared=shared)
    except (InputError, NotFiniteError) as error:
        return str(error)
    return ""
