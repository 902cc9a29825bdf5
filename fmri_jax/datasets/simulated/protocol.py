"""Which images are shown, how often, and in which run."""

import dataclasses

import numpy as np

from fmri_jax.data.images import read_images
from fmri_jax.datasets.simulated import artificial_images, photographs
from fmri_jax.datasets.simulated.options import VirtualSubjectConfig
from fmri_jax.errors import InputError

TRIALS_A_RUN = 50


@dataclasses.dataclass(frozen=True)
class StimulusSet:
    """Images that are shown equally often, for training or for one kind of test.

    Attributes:
        split: 'train', 'test', 'shapes' or 'letters'.
        images: (n, size, size, 3) uint8.
        names: one an image.
        repeats: trials of each image.
        groups: the photograph that each image is a crop of; "" where it is one of its own.
    """

    split: str
    images: np.ndarray
    names: list[str]
    repeats: int
    groups: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.groups:
            object.__setattr__(self, "groups", [""] * len(self.names))


@dataclasses.dataclass(frozen=True)
class Schedule:
    """What each trial shows, in the order of the recording; all arrays are (trials,).

    Attributes:
        stimulus: int32, index into the images of all sets, one set after the other.
        run: int32, counted from 0.
        split: str.
    """

    stimulus: np.ndarray
    run: np.ndarray
    split: np.ndarray


def stimulus_sets(options: VirtualSubjectConfig, rng: np.random.Generator) -> list[StimulusSet]:
    """The images of every set, training first.

    Raises:
        InputError: the folder or zip of photographs holds too few distinct ones.
    """
    size, o = options.image_size, options
    if o.images == "embedded":
        training = photographs.training_crops(o.n_training, size, rng)
        test = photographs.test_crops(o.n_test, size, rng)
    else:
        training, test = _read_photographs(options, rng)
    cropped = o.images == "embedded"
    sets = [
        StimulusSet(split, *shown, repeats, photographs.parents(shown[1]) if cropped else [])
        for split, shown, repeats in (
            ("train", training, o.training_repeats),
            ("test", test, o.test_repeats),
        )
    ]
    if o.shape_repeats:
        sets.append(StimulusSet("shapes", *artificial_images.shapes(size), o.shape_repeats))
    if o.letter_repeats:
        sets.append(StimulusSet("letters", *artificial_images.letters(size), o.letter_repeats))
    return sets


def schedule(sets: list[StimulusSet], rng: np.random.Generator) -> Schedule:
    """Orders the trials as Shen et al. (2019) do: no image comes twice in a run.

    Each repeat of a set shows all its images once, in random order, in runs of at most 50 trials.
    Runs of all sets are mixed over the recording, so that drift does not favour one of them.
    """
    runs, splits = [], []
    first = 0
    for group in sets:
        for _ in range(group.repeats):
            order = first + rng.permutation(len(group.images))
            parts = np.array_split(order, -(-len(order) // TRIALS_A_RUN))
            runs += parts
            splits += [group.split] * len(parts)
        first += len(group.images)
    sequence = rng.permutation(len(runs))
    lengths = [len(runs[i]) for i in sequence]
    return Schedule(
        stimulus=np.concatenate([runs[i] for i in sequence]).astype(np.int32),
        run=np.repeat(np.arange(len(runs), dtype=np.int32), lengths),
        split=np.repeat([splits[i] for i in sequence], lengths),
    )


Named = tuple[np.ndarray, list[str]]


def _read_photographs(
    options: VirtualSubjectConfig, rng: np.random.Generator
) -> tuple[Named, Named]:
    """Training and test photographs: different files, and different pixels."""
    wanted, path, size = options.n_training + options.n_test, options.images, options.image_size
    images, names = read_images(path, size, limit=wanted, seed=options.seed)
    distinct = _distinct(images)
    if len(distinct) < wanted:  # copies among those drawn: look among all files
        images, names = read_images(path, size)
        distinct = _distinct(images)
    if len(distinct) < wanted:
        raise InputError(
            f"{path} holds {len(distinct)} distinct images: expected n_training + n_test = "
            f"{wanted}; give more photographs or ask for fewer."
        )
    chosen = rng.permutation(distinct)[:wanted]

    def take(indices: np.ndarray) -> Named:
        return images[indices], [names[i] for i in indices]

    return take(chosen[: options.n_training]), take(chosen[options.n_training :])


def _distinct(images: np.ndarray) -> np.ndarray:
    """Indices of the images without later copies of the same pixels."""
    return np.sort(np.unique(images.reshape(len(images), -1), axis=0, return_index=True)[1])
