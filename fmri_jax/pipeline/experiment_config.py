"""What an experiment file says, as checked options; and the defaults that it starts from."""

import dataclasses
import importlib
import json
import pathlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fmri_jax import methods
from fmri_jax.config import defaults, section, unknown_name
from fmri_jax.data import known as known_recordings
from fmri_jax.data.preparation.folds import Fold, PreparationConfig
from fmri_jax.errors import InputError
from fmri_jax.evaluation.images import is_binary
from fmri_jax.evaluation.registry import METRICS
from fmri_jax.evaluation.scores import EvaluationConfig, chance
from fmri_jax.features.registry import NETWORKS

if TYPE_CHECKING:
    from ml_collections import ConfigDict


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One experiment, every section checked.

    Attributes:
        title: heading of the report.
        text: a line or two below it: what is tried, after whom.
        seed: of every random draw.
        n_devices: devices to use; None means all.
        data_name: name of the recording's reader.
        data_options: what that reader takes.
        preparation: how trials are split, selected and scaled.
        method_name: name of the method's package.
        method_config: its options.
        evaluation: what is scored.
    """

    title: str
    text: str
    seed: int
    n_devices: int | None
    data_name: str
    data_options: dict[str, Any]
    preparation: PreparationConfig
    method_name: str
    method_config: Any
    evaluation: EvaluationConfig


def default_config(method: str, data: str) -> "ConfigDict":
    """Every option of `method` on recording `data` at its default, for experiments to change.

    Options of the recording's reader stand in a section of its name, and those of files in `file`,
    so that another recording can be chosen on the command line: --config.data.name=file
    --config.data.path=my.h5 --config.data.file.images=my_images.
    """
    from ml_collections import ConfigDict
    from ml_collections.config_dict import placeholder

    readers = {name: _reader_defaults(name) for name in (data, "file")}
    return ConfigDict(
        {
            "title": "",
            "text": "",
            "seed": 0,
            "n_devices": placeholder(int),
            "data": {"name": data, "path": placeholder(str), **readers},
            "preparation": defaults(PreparationConfig),
            "method": {"name": method, **defaults(methods.package(method).Config)},
            "evaluation": defaults(EvaluationConfig),
        }
    )


def described(
    config: Mapping[str, Any], original: Mapping[str, Any], overridden: Collection[str]
) -> dict[str, Any]:
    """A config whose title and text are true of the recording that it names.

    An experiment file describes its own recording and how that is split. Another recording or
    split from the command line would make a report of somebody else's data out of it.

    Args:
        config: with the options of the command line.
        original: what the experiment file says.
        overridden: the options that the command line gave, such as "data.path".

    Returns:
        `config`; where its data or preparation are not the file's, without the file's text and
        with a title that claims nothing more than the method and the recording.
    """
    changed, data, method = dict(config), config.get("data"), config.get("method")
    same = all(config.get(name) == original.get(name) for name in ("data", "preparation"))
    if same or not isinstance(data, Mapping) or not isinstance(method, Mapping):
        return changed
    if "title" not in overridden:
        path = str(data.get("path") or "")
        recording = pathlib.Path(path).name or path or _in_words(str(data.get("name", "")))
        words = _in_words(str(method.get("name", "")))
        # A name as short as "gan" is an abbreviation.
        changed["title"] = (
            f"{words.upper() if len(words) <= 3 else words.capitalize()} on {recording}"
        )
    if "text" not in overridden:
        changed["text"] = ""
    return changed


def _in_words(name: str) -> str:
    return name.replace("_", " ")


def read(config: Mapping[str, Any]) -> Experiment:
    """Checks a whole config before anything is computed.

    Raises:
        InputError: a section or option is unknown, or a value cannot be used.
    """
    sections = ("title", "text", "seed", "n_devices", "data", "preparation", "method", "evaluation")
    for name in config:
        if name not in sections:
            raise InputError(unknown_name(f"config.{name}", name, sections, "section"))
    for name in ("data", "method"):
        if not isinstance(config.get(name), Mapping) or "name" not in config[name]:
            raise InputError(f"config.{name}.name is missing: name the {name} of the experiment.")
    data, method = dict(config["data"]), dict(config["method"])
    data_name, method_name = data.pop("name"), method.pop("name")
    package = methods.package(method_name)
    experiment = Experiment(
        title=str(config.get("title", "")),
        text=str(config.get("text", "")),
        seed=int(config.get("seed", 0)),
        n_devices=int(config.get("n_devices") or 0) or None,
        data_name=data_name,
        data_options=_reader_options(data_name, data),
        preparation=section(PreparationConfig, config.get("preparation", {}), "config.preparation"),
        method_name=method_name,
        method_config=section(package.Config, method, "config.method"),
        evaluation=section(EvaluationConfig, config.get("evaluation", {}), "config.evaluation"),
    )
    _check_counts(experiment)
    return experiment


def resolved(config: Any) -> Any:
    """A config as plain JSON values with every option, so that two of them can be compared.

    Options that a config leaves out, as those of earlier versions may, stand at their defaults,
    what may be None is so however it is written, and sections of other readers are left out. A
    config that cannot be read stays as it is.
    """
    if not isinstance(config, Mapping):
        return config
    try:
        experiment = read(config)
    except InputError:
        return config
    data = {**_reader_defaults(experiment.data_name), **experiment.data_options}
    data = {name: value for name, value in data.items() if value not in (None, "")}
    method = dataclasses.asdict(experiment.method_config)
    plain = {
        "title": experiment.title,
        "text": experiment.text,
        "seed": experiment.seed,
        "n_devices": experiment.n_devices,
        "data": {"name": experiment.data_name, **data},
        "preparation": dataclasses.asdict(experiment.preparation),
        "method": {"name": experiment.method_name, **method},
        "evaluation": dataclasses.asdict(experiment.evaluation),
    }
    return json.loads(json.dumps(plain))


def _check_counts(experiment: Experiment) -> None:
    """Rejects what would end in an error hours later, when the scores are computed."""
    evaluation = experiment.evaluation
    if not 0 <= experiment.seed < 2**32:  # JAX's keys hold no more: 2**32 would be 0 again
        raise InputError(f"config.seed is {experiment.seed}: expected 0 to {2**32 - 1}.")
    for name, value in {
        "n_devices": experiment.n_devices or 0,
        "evaluation.n_bootstrap": evaluation.n_bootstrap,
        "evaluation.seed": evaluation.seed,
        "evaluation.perceptual_size": evaluation.perceptual_size or 0,
    }.items():
        if value < 0:
            raise InputError(f"config.{name} is {value}: expected 0 or a positive whole number.")
    least = NETWORKS["alexnet"].least
    if evaluation.perceptual_size and evaluation.perceptual_size < least:
        raise InputError(
            f"config.evaluation.perceptual_size is {evaluation.perceptual_size}: expected at least "
            f"{least} pixels, or none to keep the size: in fewer AlexNet's fifth convolution sees "
            "nothing."
        )
    for name in evaluation.metrics:
        if METRICS[name].network and not evaluation.perceptual:
            raise InputError(
                f"config.evaluation.metrics names {name!r}, but config.evaluation.perceptual is "
                "False: set it to True, or leave that metric out."
            )


def check_images(evaluation: EvaluationConfig, first: Fold, n_folds: int) -> None:
    """Rejects metrics that a recording's images do not allow, before anything is fitted.

    Args:
        evaluation: what is scored.
        first: the first fold, not yet fitted.
        n_folds: of the run. Where there are several, each tests what others train on.

    Raises:
        InputError: a metric of binary images is named and the test images are not binary, or there
            are too few test images for every metric that is named.
    """
    test = first.main_test()
    shown = np.unique(test.stimulus)
    if n_folds > 1:
        shown = np.union1d(shown, first.train.stimulus)
    names = evaluation.metrics
    of_several = chance(10)  # choices among images, up to ten
    if names and all(name in of_several and name not in chance(len(shown)) for name in names):
        enough = next(n for n in (2, 10) if any(name in chance(n) for name in names))
        raise InputError(
            f"config.evaluation.metrics names {', '.join(names)} alone, but there are {len(shown)} "
            f"test images: expected at least {enough}; name another metric, or none to score all "
            "that apply."
        )
    if named := [name for name in names if METRICS[name].binary_only]:
        _check_binary(test.images[shown], named[0])


def _check_binary(images: np.ndarray, metric: str) -> None:
    """Rejects test images (n, height, width, channels) uint8 that `metric` cannot compare."""
    if is_binary(images / np.float32(255)):
        return
    kind = f"of {len(np.unique(images))} grey levels" if images.shape[-1] == 1 else "RGB"
    raise InputError(
        f"config.evaluation.metrics names {metric!r}, which compares black and white images, but "
        f"the test images are {kind}: expected one channel of 0 and 255 alone; leave that metric "
        "out, or give binary images and keep their size (no config.preparation.image_size)."
    )


def _reader_options(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """The options meant for reader `name`; sections of other readers are left alone."""
    readers = known_recordings()
    if name not in readers:
        raise InputError(unknown_name(f"config.data.name={name!r}", name, readers, "recording"))
    options = data.pop(name, {})
    if not isinstance(options, Mapping):
        raise InputError(f"config.data.{name} is {options!r}: expected a section of options.")
    options = dict(options)
    if path := data.pop("path", None):
        options["path"] = path
    for other in data:
        if other not in readers:
            raise InputError(
                unknown_name(f"config.data.{other}", other, ["name", "path", name], "option")
            )
    return options


def _reader_defaults(name: str) -> dict[str, Any]:
    """The reader's own defaults, where its module states them as a dataclass `Config`."""
    options = getattr(importlib.import_module(known_recordings()[name]), "Config", None)
    return defaults(options) if options else {}
