"""How much ridge shrinks what it predicts: factors learned from stimuli that were left out."""

import numpy as np

LARGEST_GAIN = 10.0  # of a channel that is hardly decoded: more would be noise


def gains(true: np.ndarray, decoded: np.ndarray, largest: float = LARGEST_GAIN) -> np.ndarray:
    """Factor of each channel by which decoded deviations from the mean are enlarged.

    Args:
        true: (n, ..., channels) features of training stimuli, less their training mean.
        decoded: the same, each decoded by a map that never met its stimulus.
        largest: the most by which a channel is enlarged.

    Returns:
        (channels,) float32, from 1 to `largest`; 1 where a channel never varies.
    """
    axes = tuple(range(true.ndim - 1))
    wanted = np.mean(np.square(true, dtype=np.float64), axis=axes)
    found = np.mean(np.square(decoded, dtype=np.float64), axis=axes)
    ratio = np.sqrt(wanted / np.where(found > 0, found, 1))
    return np.where(found > 0, np.clip(ratio, 1, largest), 1).astype(np.float32)
