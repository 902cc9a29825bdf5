"""The options of choosing among methods."""

import dataclasses
import hashlib
import json
from typing import Any

from fmri_jax import methods
from fmri_jax.config import section, unknown_name
from fmri_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A method that may be chosen.

    Attributes:
        label: what it is called: by default its name and the options that differ from defaults.
        name: of its package.
        config: its options.
    """

    label: str
    name: str
    config: Any

    @property
    def digest(self) -> str:
        """What tells it, with all of its options, from others."""
        options = json.dumps([self.name, dataclasses.asdict(self.config)], sort_keys=True)
        return hashlib.sha256(options.encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of choosing among methods.

    Attributes:
        candidates: what is chosen from: the name of a method and those of its options that are not
            its defaults, as {"name": "ridge", "choose": "identification"}; "label" may name it
            otherwise.
        measure: the metric by which images of left-out training stimuli are compared.
        n_inner: parts that the training stimuli are split into, each left out in turn; every
            candidate is fitted as many times, and the chosen one once more. Stimuli of one group of
            the recording, such as frames of a movie, stay together.
    """

    candidates: tuple[Any, ...] = (
        {"name": "ridge"},
        {"name": "ridge", "choose": "identification"},
    )
    measure: str = "pixel_correlation"
    n_inner: int = 3

    def __post_init__(self) -> None:
        """Rejects candidates that are no methods, and what nothing can be chosen by."""
        from fmri_jax.evaluation.registry import METRICS  # slow to import: it needs JAX

        if self.measure not in METRICS:
            found = f"config.method.measure={self.measure!r}"
            raise InputError(unknown_name(found, self.measure, METRICS, "metric"))
        metric = METRICS[self.measure]
        if not metric.better or metric.statistic or metric.network:
            raise InputError(
                f"config.method.measure is {self.measure!r}: expected a metric that is a mean over "
                "images and needs no network, such as 'pixel_correlation'."
            )
        if self.n_inner < 2:
            raise InputError(f"config.method.n_inner is {self.n_inner}: expected >= 2.")
        if not self.candidates:
            raise InputError("config.method.candidates is empty: name one method or more.")
        candidates = self.checked()
        for each in ([one.label for one in candidates], [one.digest for one in candidates]):
            if twice := [i for i, one in enumerate(each) if one in each[:i]]:
                raise InputError(
                    f"config.method.candidates names {candidates[twice[0]].label!r} twice: "
                    "expected candidates that differ."
                )

    def checked(self) -> tuple[Candidate, ...]:
        """The candidates with all of their options.

        Raises:
            InputError: one is no method, or has options that cannot be used.
        """
        return tuple(
            _candidate(given, f"config.method.candidates[{number}]")
            for number, given in enumerate(self.candidates)
        )


def _candidate(given: Any, where: str) -> Candidate:
    try:
        options = dict(given)
        name, label = options.pop("name"), options.pop("label", "")
    except (TypeError, ValueError, KeyError):
        raise InputError(
            f"{where} is {given!r}: expected a method's name with its options, such as "
            "{'name': 'ridge', 'choose': 'identification'}."
        ) from None
    if name == "best":
        raise InputError(f"{where} is the choice itself: name the methods to choose from.")
    config = section(methods.package(name).Config, options, where)
    if getattr(config, "crop", None):
        raise InputError(
            f"{where}.crop is {config.crop}: candidates have to make images of one size; set "
            "config.preparation.image_size instead."
        )
    usual = {field.name: field.default for field in dataclasses.fields(config)}
    values = sorted(dataclasses.asdict(config).items())
    differing = ", ".join(f"{option}={value}" for option, value in values if value != usual[option])
    return Candidate(label or (f"{name} ({differing})" if differing else name), name, config)
