"""Natural Scenes Dataset, in the prepared layout that current decoding papers share.

One folder, as MindEye2 (Scotti et al. 2024, arXiv:2403.11207) publishes it:

    betas_all_subj01_fp32_renorm.hdf5   `betas` (30000 trials, voxels of nsdgeneral)
    coco_images_224_float16.hdf5        `images` (73000, 3, 224, 224) in [0, 1], or NSD's own
                                        nsd_stimuli.hdf5: `imgBrick` (73000, 425, 425, 3) uint8
    COCO_73k_subj_indices.hdf5          `subj01` (30000,): which of the 73,000 each trial showed
    shared1000.npy                      (73000,) bool: images that every subject saw
    rois_subj01.hdf5                    optional: one (voxels,) mask of 0 and 1 a region

The shared images are the test set. NSD-Imagery's session, if asked for, adds two more; its files
are listed in `natural_scenes.imagery`, those of COCO's captions in `natural_scenes.captions`. The
data are free to use but may not be passed on: each user agrees to NSD's terms, at
https://naturalscenesdataset.org.

Reference:
    Allen et al. (2022), Nat Neurosci 25:116.
"""

import dataclasses
import pathlib

from fmri_jax.config import OptionalInt, OptionalStr
from fmri_jax.data.recording import Recording

LAYOUT = 1  # version of the conversion: another one is prepared anew


@dataclasses.dataclass(frozen=True)
class Config:
    """Which recording to prepare; each choice is prepared once and kept apart."""

    subject: int = 1  # 1 to 8
    image_size: int = 224  # px, side of the square that every image is resized to
    sessions: OptionalInt = None  # how many of the first sessions of 750 trials; None: all
    imagery: bool = False  # whether NSD-Imagery forms test sets "vision" and "imagery"
    captions: bool = False  # whether images have COCO's captions
    folder: OptionalStr = None  # of the files; default <cache>/natural_scenes


def load(
    subject: int = 1,
    image_size: int = 224,
    sessions: int | None = None,
    folder: str | None = None,
    imagery: bool = False,
    captions: bool = False,
) -> Recording:
    """Loads one subject, preparing the recording the first time.

    Args:
        subject: 1 to 8.
        image_size: px.
        sessions: how many of the first sessions of 750 trials to take; None: all.
        folder: of the files; default `<cache>/natural_scenes`.
        imagery: whether to add NSD-Imagery: images imagined, "imagery", and the same ones seen in
            that session, "vision". Responses of that session have another baseline than those of
            the main experiment: set `preparation.run_centring`.
        captions: whether to add the captions that COCO has of each image.

    Returns:
        A recording with the splits "train" and "test" (the shared images), whose runs are NSD's
        sessions and whose region "nsdgeneral" holds every voxel.

    Raises:
        InputError: a file is missing or does not fit the others.
    """
    from fmri_jax.data import recordings_apart
    from fmri_jax.datasets import cache, manual_download
    from fmri_jax.datasets.natural_scenes import captions as texts
    from fmri_jax.datasets.natural_scenes import imagery as session
    from fmri_jax.datasets.natural_scenes import layout
    from fmri_jax.files import cache_folder

    place = pathlib.Path(folder) if folder else cache_folder() / "natural_scenes"
    files = layout.find(place, subject)
    imagined = session.find(place, subject) if imagery else None
    described = texts.find(place) if captions else []
    paths = files.paths() + (imagined.paths() if imagined else []) + described
    key = cache.options_key(
        layout=LAYOUT,
        image_size=image_size,
        sessions=sessions or 0,  # as the caches of earlier versions name it
        files=[manual_download.described(file) for file in paths],
    )
    arguments = {
        **{"subject": subject, "image_size": image_size, "sessions": sessions},
        **{"folder": str(place), "imagery": imagery, "captions": captions},
    }
    return cache.prepare(
        lambda: recordings_apart.recording(f"{__name__}:converted", str(place), paths, arguments),
        f"natural_scenes-{subject}{'-imagery' if imagery else ''}{'-captions' if captions else ''}",
        cache_folder() / "recordings",
        key,
    )


def converted(
    subject: int, image_size: int, sessions: int | None, folder: str, imagery: bool, captions: bool
) -> Recording:
    """One subject's recording, for a process of its own (`data.recordings_apart`)."""
    from fmri_jax.datasets.natural_scenes import captions as texts
    from fmri_jax.datasets.natural_scenes import imagery as session
    from fmri_jax.datasets.natural_scenes import layout

    place = pathlib.Path(folder)
    seen = layout.convert(layout.find(place, subject), image_size, sessions)
    if captions:
        shown = [int(name[3:]) for name in seen.stimulus_names]  # "nsd00012"
        seen = dataclasses.replace(seen, captions=texts.read(texts.find(place), shown))
    return session.joined(seen, session.find(place, subject)) if imagery else seen
