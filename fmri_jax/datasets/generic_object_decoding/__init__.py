"""Generic Object Decoding: five subjects viewing photographs, and imagining objects.

1,200 photographs shown once for training and 50 of other categories shown 35 times for testing; in
a session apart each subject imagined objects of those 50 categories. The responses are downloaded;
the photographs are ImageNet's and are placed by hand:

    <folder>/images/training/n01518878_8432.JPEG ...   (or images/training.zip)
    <folder>/images/test/n01443537_22563.JPEG ...

Reference:
    Horikawa & Kamitani (2017), Nat Commun 8:15037.
"""

import dataclasses
import pathlib

from fmri_jax.config import OptionalStr
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError

LAYOUT = 1  # version of the conversion: another one is prepared anew
AUTHORS = (
    "Generic Object Decoding (Horikawa & Kamitani 2017), on request from its authors through "
    "https://github.com/KamitaniLab/GenericObjectDecoding"
)
# Subject -> number of its file in figshare article 7387130, which publishes no checksums there.
FILES = {1: 24080120, 2: 24080123, 3: 24080126, 4: 24080129, 5: 24080132}
PHOTOGRAPHS = {"training": 1200, "test": 50}
# What the column `DataType` says of a trial.
TRAINING, TEST, IMAGERY = 1.0, 2.0, 3.0


@dataclasses.dataclass(frozen=True)
class Config:
    """Which recording to prepare; each choice is prepared once and kept apart."""

    subject: int = 3  # 1 to 5
    roi: str = "VC"  # ROI expression of the voxels to keep; "" keeps all
    image_size: int = 256  # px, side of the square that every image is resized to
    imagery: bool = False  # whether imagined objects form a test set "imagery"
    folder: OptionalStr = None  # of downloads and images; default <cache>/generic_object_decoding


def load(
    subject: int = 3,
    roi: str = "VC",
    image_size: int = 256,
    imagery: bool = False,
    folder: str | None = None,
) -> Recording:
    """Loads one subject, downloading and preparing the recording the first time.

    Args:
        subject: 1 to 5.
        roi: ROI expression of the voxels to keep, such as "VC" or "V1 + V2"; "" keeps all.
        image_size: px.
        imagery: whether to add the imagery session as a test set of its own, "imagery". Nothing
            was on the screen there: a trial's image is the test photograph of the category that
            was imagined, so its scores are no reconstruction scores. Runs score and show it apart.
        folder: of downloads and images; default `<cache>/generic_object_decoding`.

    Returns:
        A recording with the splits "train", "test" and, where asked for, "imagery".

    Raises:
        InputError: the subject does not exist, a download fails, or images are missing.
    """
    from fmri_jax.data import recordings_apart
    from fmri_jax.datasets import cache, manual_download
    from fmri_jax.files import cache_folder

    if subject not in FILES:
        raise InputError(f"subject is {subject}: expected one of {', '.join(map(str, FILES))}.")
    place = pathlib.Path(folder) if folder else cache_folder() / "generic_object_decoding"
    images, file = _fetched(subject, place)
    key = cache.options_key(
        layout=LAYOUT,
        published=FILES[subject],
        responses=manual_download.described(file),
        images=manual_download.described(place / "images"),
        roi=roi,
        image_size=image_size,
        imagery=imagery,
    )
    arguments = {
        **{"subject": subject, "roi": roi, "image_size": image_size, "imagery": imagery},
        **{"images": images, "path": str(file)},
    }
    return cache.prepare(
        lambda: recordings_apart.recording(
            f"{__name__}:converted", str(file), [file, place / "images"], arguments
        ),
        f"generic_object_decoding-{subject}{'-imagery' if imagery else ''}",
        cache_folder() / "recordings",
        key,
    )


def _fetched(subject: int, folder: pathlib.Path) -> tuple[dict[str, str], pathlib.Path]:
    """Where the images of each part are, and the subject's one file, downloaded if missing."""
    from fmri_jax import download
    from fmri_jax.datasets import manual_download

    images = {
        part: manual_download.images(folder / "images" / part, number, AUTHORS)
        for part, number in PHOTOGRAPHS.items()
    }
    file = folder / f"Subject{subject}.h5"
    return images, download.fetch(f"{download.FIGSHARE}{FILES[subject]}", file)


def converted(
    subject: int, roi: str, image_size: int, imagery: bool, images: dict[str, str], path: str
) -> Recording:
    """Takes the trials of each kind from the subject's one file.

    For a process of its own (`data.recordings_apart`).

    Args:
        subject: as for `load`.
        roi: as for `load`.
        image_size: as for `load`.
        imagery: as for `load`.
        images: "training" and "test" -> folder or zip.
        path: of the file.
    """
    from fmri_jax.data.readers import bdata_recording
    from fmri_jax.data.readers.bdata_recording import Source

    kind = "DataType"
    sources = [
        Source(path, images["training"], where=(kind, TRAINING)),
        Source(path, images["test"], "test", where=(kind, TEST)),
    ]
    if imagery:
        sources.append(
            Source(path, images["test"], "imagery", where=(kind, IMAGERY), by_category=True)
        )
    seen = "viewing photographs of ImageNet" + (" and imagining objects" if imagery else "")
    return bdata_recording.read(
        sources,
        roi,
        image_size,
        f"Subject {subject} of Generic Object Decoding (Horikawa & Kamitani 2017), {seen}.",
    )
