"""nilearn's Miyawaki 2008 data set: 10x10 contrast patterns seen by one subject.

20 runs of random patterns are the training trials, 12 runs of geometric shapes and letters the
test trials. The first load fetches or unpacks the archive, converts it (`volumes`) and keeps the
result as a prepared recording; later loads read that back.

Reference:
    Miyawaki et al. (2008), Neuron 60:915.
"""

import dataclasses
import pathlib

from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError

LAYOUT = 1  # version of the conversion: another one is prepared anew


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the reader."""

    lag: int = 2  # volumes (of 2 s) between an image and the response to it


def load(path: str = "", lag: int = 2) -> Recording:
    """Loads the data set.

    Args:
        path: the unpacked archive (a folder with `func`, `label` and `mask`), the archive
            `miyawaki2008.tgz` itself, or a folder that holds either; "" downloads it through
            nilearn (153 MB), into nilearn's own data folder.
        lag: volumes between an image and the response to it: volume t + lag answers image t.

    Returns:
        A recording with one trial a volume on which a pattern was shown, each voxel detrended and
        standardised run by run. Its ROIs are the 38 masks (`LHV1d`, `RHlag0to1`, ...) and the areas
        they make up over both hemispheres (`V1`, `V2`, `V3`, `V3A`, `V4v`, `VP`).

    Raises:
        InputError: nilearn or the network is missing, or a file is missing or not as expected.
    """
    from fmri_jax.data import recordings_apart
    from fmri_jax.datasets import cache as store
    from fmri_jax.datasets.miyawaki2008 import archive, volumes
    from fmri_jax.files import cache_folder

    if lag < 0 or not float(lag).is_integer():
        raise InputError(f"lag is {lag}: expected 0 or more volumes of 2 s; 2 is usual.")
    cache = cache_folder()
    folder = archive.find(path, cache) if path else archive.fetch()
    files = archive.list_files(folder)
    lag = int(lag)
    key = store.options_key(layout=LAYOUT, lag=lag, files=files.described())
    arguments = {"folder": str(folder), "lag": lag}
    return store.prepare(
        lambda: recordings_apart.recording(
            f"{volumes.__name__}:converted", str(folder), [pathlib.Path(folder)], arguments
        ),
        "miyawaki2008",
        cache / "recordings",
        key,
    )
