"""Trains a prior in a folder: photographs, training, scores, files and page; all resumable."""

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from absl import logging

from fmri_jax import compiled_programs
from fmri_jax.errors import InputError
from fmri_jax.files import locked, remove_unfinished
from fmri_jax.pipeline import computer, excluded_images, prior_page
from fmri_jax.pipeline.json_files import read_json, write_json
from fmri_jax.pipeline.workdir import LOCK, writing_to
from fmri_jax.priors import files, photographs, recipes, registry, scores, training
from fmri_jax.priors.autoencoder.examples import named_autoencoder
from fmri_jax.priors.examples import Examples, Source
from fmri_jax.priors.photographs import Photographs
from fmri_jax.report.io.workdir import read_curves
from fmri_jax.training.group import ALONE, Group
from fmri_jax.training.logs import drop_damaged

RECORD = "training.json"  # what a training was begun with


@dataclasses.dataclass(frozen=True)
class Request:
    """What to train, on what, and where.

    Attributes:
        name: of `recipes.RECIPES`.
        options: of the training.
        images: folders and zips of photographs.
        excluded: recordings, experiments, folders and zips whose images are not learned.
        licence: of the result, for its card.
        workdir: holds everything; made if absent.
        captions: tables of captions of the photographs, see `photographs.read_captions`.
        autoencoder: name or folder of a prior, for one that needs an autoencoder.
        n_devices: None takes all that suit the batch.
        progress: whether to draw progress bars.
    """

    name: str
    options: training.Options
    images: tuple[str, ...]
    excluded: tuple[str, ...]
    licence: str
    workdir: pathlib.Path
    captions: tuple[str, ...] = ()
    autoencoder: str | None = None
    n_devices: int | None = None
    progress: bool = True


def train(request: Request, group: Group = ALONE) -> pathlib.Path:
    """Trains a prior, or resumes a training that was stopped; scores it and writes its page.

    Where several processes train together, this is for process 0, and `follow` for the others.

    Leaves `prior/` (see `priors.files`), `report.html`, `training.json`, `metrics.jsonl` and
    `checkpoints/` in the folder.

    Returns:
        The path of the page.

    Raises:
        InputError: an input cannot be used, the folder holds another training or is in use, or
            training diverged.
    """
    compiled_programs.keep()
    recipe = recipes.find(request.name)
    config = recipe.make_config()
    with writing_to(request.workdir), _held(request.workdir):
        record = _record(request, config)
        known = {"options": _defaults(request.options), "config": _defaults(config)}
        _check(request.workdir, record, known)
        data, about = _photographs(request, config.image_size, print)
        record["photographs"] = about
        _check(request.workdir, record, known)
        record["computer"] = _computer(request.workdir)
        write_json(request.workdir / RECORD, record)
        source = _source(request, recipe, data)
        examples = recipe.training.make_examples(source)
        group.tell("train")
        average = _trained(request, examples)
        return _finish(request, record, average, data, examples)


def follow(request: Request, group: Group) -> None:
    """What the other processes do: they read the photographs, and train with process 0.

    What is computed of photographs first, process 0 has left in the folder, which all share.

    Raises:
        InputError: as `train`.
    """
    compiled_programs.keep()
    recipe = recipes.find(request.name)
    config = recipe.make_config()
    for _ in group.orders():
        data, _ = _photographs(request, config.image_size, lambda text: None)
        source = _source(request, recipe, data)
        _trained(request, recipe.training.make_examples(source))


def _source(request: Request, recipe: recipes.Recipe, data: Photographs) -> Source:
    return Source(
        data,
        recipe.make_config(),
        request.workdir,
        request.autoencoder,
        request.progress,
        recipe.objective_options,
    )


def _trained(request: Request, examples: Examples) -> Any:
    """The average of the parameters over steps, on the devices of all processes.

    Raises:
        InputError: training diverged, or the batch does not suit the devices.
    """
    from fmri_jax.training.loop import NotFiniteError

    recipe = recipes.find(request.name)
    given = {"start": examples.start, "fixed": examples.fixed}
    given = {name: value for name, value in given.items() if value is not None}
    try:
        return recipe.training.train(
            recipe.objective(recipe.make_config()),
            examples.training,
            request.options,
            _mesh(request),
            request.workdir,
            request.progress,
            examples.prepare,
            **given,
        )
    except NotFiniteError as error:
        raise InputError(str(error)) from error


def _computer(workdir: pathlib.Path) -> dict[str, Any]:
    """What this training is computed on; a warning where it was begun on something else."""
    now = computer.describe()
    before = read_json(workdir / RECORD).get("computer") if (workdir / RECORD).exists() else None
    if told := computer.changed(before, now):
        logging.warning("%s", told)
    return now


def _record(request: Request, config: Any) -> dict[str, Any]:
    """What tells a training from others, as plain JSON values.

    Raises:
        InputError: the prior needs an autoencoder, and none that fits is named.
    """
    recipe = recipes.find(request.name)
    record = {
        "recipe": request.name,
        "config": dataclasses.asdict(config),
        "options": dataclasses.asdict(request.options),
        "objective": dict(recipe.objective_options),
    }
    if recipe.kind != "autoencoder" and getattr(config, "autoencoder", None) is not None:
        record["autoencoder"] = named_autoencoder(request.autoencoder, config).fingerprint
    return json.loads(json.dumps(record))


@contextlib.contextmanager
def _held(workdir: pathlib.Path) -> Iterator[None]:
    """Keeps the folder for this process.

    Raises:
        InputError: it cannot be written, another process trains there, or it holds other files.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        names = [path.name for path in workdir.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise InputError(
            f"{workdir} cannot be used as --workdir ({error}): choose a folder that can be written."
        ) from error
    if names and RECORD not in names:
        raise InputError(
            f"{workdir} is not empty and holds no {RECORD} of a training: choose a new or empty "
            "folder as --workdir."
        )
    with contextlib.ExitStack() as stack:
        try:
            alone = stack.enter_context(locked(workdir / LOCK))
        except BlockingIOError:
            raise InputError(
                f"{workdir} is in use by another training that has not ended: wait for it or stop "
                "it, or choose another --workdir."
            ) from None
        if alone:
            remove_unfinished(workdir)
        yield


def _defaults(of: Any) -> dict[str, Any]:
    """The defaults of a dataclass, which stand for what an earlier version did not write down."""
    fields = [field for field in dataclasses.fields(of) if field.default is not dataclasses.MISSING]
    return json.loads(json.dumps({field.name: field.default for field in fields}))


def _check(workdir: pathlib.Path, record: dict[str, Any], known: dict[str, Any]) -> None:
    """Rejects a folder that another training was begun in.

    Args:
        workdir: of the training.
        record: what it is.
        known: section -> values of what an older record leaves out.

    Raises:
        InputError: the first difference is in the message.
    """
    path = workdir / RECORD
    if not path.exists():
        return
    try:
        there = dict(read_json(path))
    except (OSError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({error}): choose another --workdir, or remove {workdir}."
        ) from error
    for section, values in record.items():
        if section == "photographs":
            before = there.get(section, {}).get("sha256")
            if before not in (None, values["sha256"]):
                raise _another(workdir, "on other photographs", "give its --images and --exclude")
            continue
        found = there.get(section, {})
        if isinstance(found, dict):
            found = {**known.get(section, {}), **found}
        if found != values:
            difference = _difference(found, values, section)
            raise _another(workdir, f"with another {difference}", "give its options")


def _difference(there: Any, here: Any, section: str) -> str:
    if not (isinstance(there, dict) and isinstance(here, dict)):
        return f"{section} ({there!r} there, {here!r} here)"
    name = next(name for name in {**here, **there} if there.get(name) != here.get(name))
    return f"{section}.{name} ({there.get(name)!r} there, {here.get(name)!r} here)"


def _another(workdir: pathlib.Path, how: str, remedy: str) -> InputError:
    return InputError(
        f"{workdir} holds a training that was begun {how}: choose another --workdir, or {remedy} "
        "to resume it."
    )


def _photographs(
    request: Request, size: int, say: Callable[[str], object]
) -> tuple[Photographs, dict[str, Any]]:
    """The photographs to train on and to score with, and what a card says of them."""
    found = photographs.read(request.images, size, request.progress)
    excluded = np.zeros(len(found), bool)
    for name in request.excluded:
        images = excluded_images.read(name, size, request.progress)
        these = photographs.tested(found, [images])
        say(f"excluded {int(these.sum()):,} photographs that are, or nearly, among {name}")
        excluded |= these
    words = photographs.read_captions(request.images, request.captions) if request.captions else []
    words = [word for word, out in zip(words, excluded) if not out]  # noqa: B905, none or as many
    left = found[~excluded] if excluded.any() else found
    data = photographs.divide(left, request.options.seed, words)
    about = {
        "images": photographs.names_of(request.images),
        "excluded_from": photographs.names_of(request.excluded),
        "excluded": int(excluded.sum()),
        "training": len(data.training),
        "held_out": len(data.held_out),
        "captions": photographs.names_of(request.captions),
        "sha256": data.fingerprint(),
    }
    say(f"{about['training']:,} photographs to train on, {about['held_out']:,} held out")
    return data, about


def _mesh(request: Request) -> Any:
    """The devices: those asked for, or on CPU as many as suit the batch, elsewhere all."""
    import jax

    from fmri_jax.training.host_devices import suitable
    from fmri_jax.training.mesh import make_mesh

    n, here = request.n_devices, len(jax.local_devices())
    if n is None and jax.default_backend() == "cpu":
        n = suitable(request.options.batch_size // jax.process_count(), here)
    if n is not None and not 0 < n <= here:
        raise InputError(
            f"--devices is {n}, and JAX sees {here}: ask for 1 to {here}, or leave it out."
        )
    return make_mesh(n, of_all_processes=True)


def _as_kept(params: Any) -> Any:
    """Parameters in the precision of a prior's file, so that what is kept is what is scored."""
    import jax

    def rounded(array: Any) -> np.ndarray:
        return np.asarray(array, np.float16).astype(np.float32)

    return jax.tree.map(rounded, jax.device_get(params))


def _finish(
    request: Request, record: dict[str, Any], trained: Any, data: Photographs, examples: Examples
) -> pathlib.Path:
    """Scores and keeps a trained prior; returns the path of its page."""
    import jax

    recipe, about = recipes.find(request.name), record["photographs"]
    trained = _as_kept(trained)
    params = _as_kept(examples.finish(trained))
    kept = {"kind": recipe.kind, "config": record["config"], "card": {}}
    prior = registry.KINDS[recipe.kind].restore(kept, params, request.workdir)
    card = {
        "recipe": request.name,
        "photographs": about["images"],
        "trained_on": about["training"],
        "held_out": about["held_out"],
        "excluded": about["excluded"],
        "excluded_from": about["excluded_from"],
        **({"captions": about["captions"]} if about["captions"] else {}),
        "steps": request.options.n_steps,
        "batch_size": request.options.batch_size,
        "seed": request.options.seed,
        "licence": request.licence,
        **({"trained_through": list(through)} if (through := recipe.trained_through) else {}),
    }
    print("scoring on the photographs held out")
    objective = recipes.objective(recipe.loss or recipe.kind, recipe.make_config())
    key = jax.random.key(request.options.seed)
    found = scores.of_prior(prior, data, key)
    of_loss = jax.random.fold_in(key, 1)
    loss = scores.held_out_loss(objective, trained, examples.held_out, of_loss)
    card["scores"] = {recipe.training.name: loss, **found}
    prior = dataclasses.replace(prior, card=card)
    files.save(request.workdir / "prior", recipe.kind, record["config"], params, card)
    drop_damaged(request.workdir / "metrics.jsonl")
    curves = read_curves(request.workdir / "metrics.jsonl")
    title = f"{request.name}, {request.options.n_steps:,} steps"
    return prior_page.write(
        request.workdir / "report.html", prior, data.held_out, title, key, curves
    )
