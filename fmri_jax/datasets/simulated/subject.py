"""The simulation as a whole: images in, a recording and the truth behind it out."""

import dataclasses
from typing import Any

import numpy as np

from fmri_jax import config
from fmri_jax.data.recording import Recording
from fmri_jax.datasets.simulated import areas, noise, protocol
from fmri_jax.datasets.simulated.deep_features import deep_features
from fmri_jax.datasets.simulated.early_areas import early_responses, standardised
from fmri_jax.datasets.simulated.higher_areas import (
    category_responses,
    checked_features,
    higher_responses,
)
from fmri_jax.datasets.simulated.options import VirtualSubjectConfig


@dataclasses.dataclass(frozen=True)
class Truth:
    """What no scanner tells: how the simulated voxels work.

    Attributes:
        responses: (stimuli, voxels) float32, noiseless, mean 0 and deviation 1 over the training
            images.
        noise_ceiling: (voxels,) float32, share of a single trial's variance that comes from the
            image, for images like the training images.
        gain: (voxels,) float32, standard deviation of a voxel's trials, in percent signal change.
        area: (voxels,) str.
        fields: receptive fields.
        category: (stimuli,) int, the cluster of each image; None unless `n_categories` is set.
    """

    responses: np.ndarray
    noise_ceiling: np.ndarray
    gain: np.ndarray
    area: np.ndarray
    fields: areas.ReceptiveFields
    category: np.ndarray | None = None


def load(**options: Any) -> Recording:
    """A simulated recording.

    Args:
        **options: fields of `VirtualSubjectConfig`; `features` are AlexNet's where not given.

    Returns:
        The recording; `simulated` is set.

    Raises:
        InputError: an option is unknown or cannot be used.
    """
    options.setdefault("features", deep_features)
    return simulate(config.section(VirtualSubjectConfig, options, "config.data"))[0]


def simulate(options: VirtualSubjectConfig) -> tuple[Recording, Truth]:
    """Simulates a recording, and keeps the truth.

    trial = gain * (sqrt(ceiling) * response + sqrt(1 - ceiling) * noise), each of variance 1.

    Args:
        options: what is simulated.

    Returns:
        The recording, and how its voxels work.

    Raises:
        InputError: photographs or deep features cannot be used.
    """
    # Apart, so that another choice of images does not change the subject, nor the reverse.
    image_rng, subject_rng, trial_rng = np.random.default_rng(options.seed).spawn(3)
    sets = protocol.stimulus_sets(options, image_rng)
    images = np.concatenate([group.images for group in sets])
    truth = _subject(images, options, subject_rng)
    schedule = protocol.schedule(sets, trial_rng)
    fmri = noise.trial_noise(
        len(schedule.stimulus), truth.fields, options.shared_noise, options.drift, trial_rng
    )
    fmri *= truth.gain * np.sqrt(1 - truth.noise_ceiling)
    fmri += (truth.responses * (truth.gain * np.sqrt(truth.noise_ceiling)))[schedule.stimulus]
    groups = tuple(name for group in sets for name in group.groups)
    recording = Recording(
        fmri=fmri,
        stimulus=schedule.stimulus,
        images=images,
        run=schedule.run,
        rois=_rois(truth.area),
        stimulus_names=tuple(name for group in sets for name in group.names),
        split=schedule.split,
        simulated=True,
        description=_description(options, sets),
        subject=f"virtual subject {options.seed}",
        groups=groups if any(groups) else (),
    )
    return recording, truth


def _subject(images: np.ndarray, options: VirtualSubjectConfig, rng: np.random.Generator) -> Truth:
    """Draws a subject and lets it see every image once, without noise."""
    area_of = areas.deal_voxels(options.n_voxels, options.areas)
    fields = areas.draw_receptive_fields(area_of, rng)
    ceiling = noise.draw_ceilings(len(area_of), options.noise_ceiling, rng)
    gain = rng.lognormal(0.0, 0.3, len(area_of)).astype(np.float32)
    category = None
    if options.n_categories:
        raw, category = category_responses(
            images, options.n_training, options.n_categories, len(area_of), rng
        )
    else:
        raw = _image_responses(images, area_of, fields, options, rng)
    clean = standardised(raw, slice(options.n_training)).astype(np.float32)
    return Truth(clean, ceiling, gain, area_of, fields, category)


def _image_responses(
    images: np.ndarray,
    area_of: np.ndarray,
    fields: areas.ReceptiveFields,
    options: VirtualSubjectConfig,
    rng: np.random.Generator,
) -> np.ndarray:
    """(stimuli, voxels) float32, early and higher areas side by side."""
    raw = np.empty((len(images), len(area_of)), np.float32)
    early = np.isin(area_of, areas.EARLY)
    training = slice(options.n_training)
    if early.any():
        raw[:, early] = early_responses(images, area_of[early], fields[early], rng, training)
    if not early.all():
        assert options.features is not None  # the options have checked it
        features = checked_features(options.features(images), len(images))
        raw[:, ~early] = higher_responses(features, area_of[~early], fields[~early], rng, training)
    return raw


def _rois(area_of: np.ndarray) -> dict[str, np.ndarray]:
    """Masks of the areas, of the unions whose members are all recorded, and VC, every voxel."""
    rois = {name: area_of == name for name in dict.fromkeys(area_of.tolist())}
    for name, members in areas.UNIONS.items():
        if name == "VC" or all(member in rois for member in members):
            rois[name] = np.isin(area_of, members)
    return rois


def _description(options: VirtualSubjectConfig, sets: list[protocol.StimulusSet]) -> str:
    """One sentence for the report."""
    if options.images == "embedded":
        source = (
            "crops of the photographs that scikit-image, scikit-learn and matplotlib carry, test "
            "crops from photographs that training never shows"
        )
    else:
        source = f"photographs from {options.images}, training and test from different files"
    counts = ", ".join(f"{g.split} {len(g.images)} x {g.repeats}" for g in sets)
    kind = ""
    if options.n_categories:
        kind = f" that tell apart only {options.n_categories} clusters of images"
    return (
        f"Simulated fMRI, no person was scanned: {options.n_voxels} model voxels{kind} "
        f"({', '.join(options.areas)}) of a virtual subject (seed {options.seed}, median noise "
        f"ceiling {options.noise_ceiling:g}) view {source} (images x repeats: {counts})."
    )
