"""Reconstruct with the generators that Shen et al. (2019) released, in JAX and without Caffe.

    python -m examples.released_generator trainedmodel_sub-01/generator.caffemodel

Downloads the responses of sub-01 (`original_VC`, on which the generators were trained), averages
and standardises the test trials, reconstructs the 50 test images, prints the scores and writes
`released_generator.png`: what was seen, and below it what was made of it. The photographs are
placed by hand (see docs/published_recordings.md); the generators are at
https://figshare.com/articles/7916144. A second argument names another subject. The generator is
read before anything is downloaded.
"""

import argparse
import pathlib

import jax.numpy as jnp
import numpy as np
from PIL import Image

from fmri_jax import data
from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.evaluation import score
from fmri_jax.methods.gan.reconstructor import GANReconstructor
from fmri_jax.methods.gan.released import load_released

SIZE, CROP = 248, 227  # px: training images were resized to the first and cropped to the second
SHOWN = 10  # images in the picture
SUBJECTS = ("sub-01", "sub-02", "sub-03")


def main(generator: str, subject: str) -> None:
    """Downloads a subject's recording and reconstructs it with a generator.

    Raises:
        InputError: the generator or the recording cannot be used.
    """
    reconstructor = load_released(generator)
    recording = data.load(
        "deep_image_reconstruction", subject=subject, release="original_VC", roi="VC"
    )
    reconstruct(recording, reconstructor)


def reconstruct(
    recording: Recording, reconstructor: GANReconstructor, picture: str = "released_generator.png"
) -> None:
    """Reconstructs a recording's test images, prints scores, writes a picture."""
    fold = next(folds(recording, PreparationConfig(roi="VC", image_size=SIZE)))
    test = fold.tests["test"]
    margin = (SIZE - CROP) // 2
    seen = test.targets()[:, margin : margin + CROP, margin : margin + CROP]
    made = np.asarray(reconstructor.reconstruct(jnp.asarray(test.fmri)))
    for metric, value in score(seen, made).items():
        print(f"{metric:24} {value:.3f}")
    rows = [np.concatenate(list(images[:SHOWN]), axis=1) for images in (seen, made)]
    pixels = np.rint(255 * np.concatenate(rows)).astype(np.uint8)
    Image.fromarray(pixels).save(picture)
    print(f"wrote {pathlib.Path(picture).resolve()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("generator", help="a generator.caffemodel of figshare article 7916144")
    parser.add_argument("subject", nargs="?", default="sub-01", choices=SUBJECTS)
    given = parser.parse_args()
    try:
        main(given.generator, given.subject)
    except InputError as error:
        raise SystemExit(str(error)) from None
