"""Inner folds: out-of-sample predictions of training trials, for whatever is learned from them."""

from collections.abc import Iterator

import jax
import numpy as np

from fmri_jax.methods.local_decoders.bases import Basis
from fmri_jax.methods.local_decoders.decoders import fit_elements
from fmri_jax.methods.local_decoders.options import Config


def groups_of(images: np.ndarray) -> np.ndarray:
    """(n,) int: trials that show the same image form one group.

    Repeats of an image must not be divided between learning and validation: a decoder that has seen
    the image recognises it, and the validation measures memory.
    """
    _, group = np.unique(images.reshape(len(images), -1), axis=0, return_inverse=True)
    return group.reshape(-1)


def inner_folds(groups: np.ndarray, n_folds: int) -> Iterator[np.ndarray]:
    """Boolean masks (n,) of the trials that each inner fold leaves out; whole groups only.

    Groups are dealt so that folds hold about the same number of trials.
    """
    from sklearn.model_selection import GroupKFold

    n_folds = min(n_folds, len(np.unique(groups)))
    for _, left_out in GroupKFold(n_folds).split(groups, groups=groups):
        mask = np.zeros(len(groups), bool)
        mask[left_out] = True
        yield mask


def out_of_sample(
    fmri: np.ndarray,
    images: np.ndarray,
    groups: np.ndarray,
    basis: Basis,
    config: Config,
    mesh: jax.sharding.Mesh | None = None,
) -> np.ndarray:
    """Predicts every training trial by decoders that never saw its group.

    Args:
        fmri: (n, voxels).
        images: (n, height, width, channels) in [0, 1].
        groups: (n,) which trials belong together; at least two groups.
        basis: the elements.
        config: of the decoders.
        mesh: devices that the elements are dealt over.

    Returns:
        (n, elements x channels).
    """
    predictions = np.empty((len(fmri), basis.n_elements * images.shape[-1]), np.float32)
    for out in inner_folds(groups, config.n_inner):
        model = fit_elements(fmri[~out], images[~out], basis, config, mesh)
        predictions[out] = np.asarray(model.predict(fmri[out]))
    return predictions
