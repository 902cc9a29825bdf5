"""A small simulated subject that is ready in seconds, for first steps, examples and tests."""

from typing import Any

from fmri_jax.data.recording import Recording
from fmri_jax.datasets.simulated.areas import EARLY
from fmri_jax.datasets.simulated.subject import load

# Early areas only: higher ones mix AlexNet's activations, whose weights would be downloaded first.
SMALL = {
    "image_size": 64,
    "n_training": 200,
    "training_repeats": 3,
    "n_test": 20,
    "test_repeats": 8,
    "shape_repeats": 0,
    "letter_repeats": 0,
    "n_voxels": 500,
    "areas": tuple(EARLY),
}


def make_simulated_subject(random_state: int = 0, **options: Any) -> Recording:
    """Simulates a small recording: 200 photographs shown three times, 20 others eight times.

    The photographs are crops of a few, which `groups` of the recording names:
    `train_test_split(recording, by="group")` keeps crops of one photograph together, and
    `by="given"` tests on photographs that training never shows.

    No person was scanned: scores on it say how a method works, not how well brains are decoded
    (see `fmri_jax.datasets.simulated`).

    Args:
        random_state: seed of the subject, the choice of images, the order of trials and the noise.
        **options: any field of `VirtualSubjectConfig` but `seed`: `n_voxels`, `n_training`,
            `noise_ceiling`, `image_size`, ... With `areas` above V4, AlexNet's weights are needed.

    Returns:
        The recording: (trials, 500 voxels) of V1 to V4, RGB images of 64 pixels.

    Raises:
        InputError: an option is unknown or cannot be used.
    """
    return load(**{**SMALL, **options, "seed": random_state})
