"""Images that a prior must not learn: those of recordings, experiments, folders and zips."""

import pathlib

import numpy as np

from fmri_jax import data
from fmri_jax.data.images import list_images
from fmri_jax.files import place
from fmri_jax.pipeline import experiment_config, experiment_files, recording_identity
from fmri_jax.priors import photographs


def read(name: str, size: int, progress: bool = True) -> np.ndarray:
    """The images that a name stands for.

    Args:
        name: an experiment ("gan_vc:photographs", or a .py file), all images of whose recording
            count; a folder or zip of images; a recording's file; or the name of a data set.
        size: px that images of folders and zips are read at; those of recordings keep theirs.
        progress: whether to draw a progress bar for folders and zips.

    Returns:
        (n, height, width, 1 or 3) uint8.

    Raises:
        InputError: there is no such thing, or it cannot be read.
    """
    file, _ = experiment_files.split(name)
    if file.endswith(".py") or (file in experiment_files.names() and not place(name).exists()):
        config = experiment_files.load(name).to_dict()
        # A sweep's variants share their recording, unless one overrides it.
        config.pop("sweep", None)
        return recording_identity.load(experiment_config.read(config)).images
    if _holds_images(place(name)):
        return photographs.read([name], size, progress)
    return data.load(name).images


def _holds_images(path: pathlib.Path) -> bool:
    """Whether a path is a folder or zip of pictures, rather than of a recording."""
    return (path.is_dir() or path.suffix.lower() == ".zip") and bool(list_images(str(path)))
