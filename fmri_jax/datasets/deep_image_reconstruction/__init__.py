"""Deep Image Reconstruction: three subjects viewing photographs, shapes and letters.

1,200 photographs x 5 presentations for training and 50 x 24 for testing. The responses are
downloaded; the photographs are ImageNet's and are placed by hand:

    <folder>/images/training/n01518878_5958.JPEG ...   (or images/training.zip)
    <folder>/images/test/n01443537_22563.JPEG ...
    <folder>/images/shapes, <folder>/images/letters    optional, as are the responses to them,
    <folder>/sub-01_whole_brain_shapes.h5, <folder>/sub-01_whole_brain_letters.h5

Shapes and letters become the test sets "shapes" and "letters".

Reference:
    Shen, Horikawa, Majima & Kamitani (2019), PLoS Comput Biol 15:e1006633.
"""

import dataclasses
import pathlib
from typing import Literal

from fmri_jax.config import OptionalStr
from fmri_jax.data.recording import Recording


@dataclasses.dataclass(frozen=True)
class Config:
    """Which recording to prepare; each choice is prepared once and kept apart."""

    subject: Literal["sub-01", "sub-02", "sub-03"] = "sub-01"  # whose recording
    # Voxels of the whole brain, processed anew and published with checksums; or the visual cortex
    # as first published.
    release: Literal["whole_brain", "original_VC"] = "whole_brain"
    roi: str = "VC"  # ROI expression of the voxels to keep; "" keeps all
    image_size: int = 256  # px, side of the square that every image is resized to
    folder: OptionalStr = None  # of downloads and images; default <cache>/deep_image_reconstruction


def load(
    subject: str = "sub-01",
    release: str = "whole_brain",
    roi: str = "VC",
    image_size: int = 256,
    folder: str | None = None,
) -> Recording:
    """Loads one subject, downloading and preparing the recording the first time.

    Args:
        subject: "sub-01", "sub-02" or "sub-03".
        release: "whole_brain" or "original_VC".
        roi: ROI expression of the voxels to keep, such as "VC" or "V1 + V2"; "" keeps all.
        image_size: px.
        folder: of downloads and images; default `<cache>/deep_image_reconstruction`.

    Returns:
        A recording with the splits "train", "test" and, where their files are there, "shapes" and
        "letters".

    Raises:
        InputError: an option is unknown, a download fails, or images are missing.
    """
    from fmri_jax.data import recordings_apart
    from fmri_jax.datasets import cache
    from fmri_jax.datasets.deep_image_reconstruction import sources
    from fmri_jax.files import cache_folder

    place = pathlib.Path(folder) if folder else cache_folder() / "deep_image_reconstruction"
    published = sources.PublishedSubject(subject, release, place)
    published.fetch()
    key = cache.options_key(roi=roi, image_size=image_size, **published.described())
    arguments = {
        **{"subject": subject, "release": release, "folder": str(place)},
        **{"roi": roi, "image_size": image_size},
    }
    return cache.prepare(
        lambda: recordings_apart.recording(
            f"{sources.__name__}:converted", str(place), published.places(), arguments
        ),
        f"deep_image_reconstruction-{subject}-{release}",
        cache_folder() / "recordings",
        key,
    )
