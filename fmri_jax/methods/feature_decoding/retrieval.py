"""The nearest photograph of a folder: a renderer that invents nothing.

Decoded layers are compared with those of each photograph by correlation over units, both as
distances from the training mean, and the correlations are averaged over the layers.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import matmul
from fmri_jax.data.images import list_images, read_named
from fmri_jax.errors import InputError
from fmri_jax.methods.feature_decoding.encoder import Encoder, Layers

BLOCK = 64  # photographs that pass the network at a time
READ = 16 * BLOCK  # of them in memory, read by one process


def nearest_photographs(
    decoded: Layers, mean: Layers, encoder: Encoder, photographs: str, shape: tuple[int, int, int]
) -> tuple[np.ndarray, list[str]]:
    """Finds for each target the photograph whose layers correlate best with the decoded ones.

    Args:
        decoded: layer -> (n, ...).
        mean: layer -> (...) the training mean.
        encoder: what computes the layers of photographs.
        photographs: a folder or zip of them; each is resized to a square.
        shape: height, width and channels of the images.

    Returns:
        (n, h, w, c) float32 photographs in [0, 1], and their names.

    Raises:
        InputError: there is none, or the images are not square.
    """
    height, width, channels = shape
    if height != width:
        raise InputError(
            f"images are {height} x {width} pixels: photographs are retrieved as squares; set "
            "config.preparation.image_size."
        )
    names = list_images(photographs)
    if not names:
        raise InputError(f"{photographs} holds no photograph: expected a folder or zip of images.")
    n = len(next(iter(decoded.values())))
    best = np.full(n, -np.inf)
    found = np.zeros((n, *shape), np.float32)
    chosen = [""] * n
    for block, images in _blocks(photographs, names, height, channels):
        score = np.asarray(_similarity(encoder, decoded, mean, jnp.asarray(images)))
        winner = score[:, : len(block)].argmax(axis=1)
        for i in np.flatnonzero(score[np.arange(n), winner] > best):
            best[i] = score[i, winner[i]]
            found[i] = images[winner[i]] / np.float32(255)
            chosen[i] = block[winner[i]]
    return found, chosen


def _blocks(
    photographs: str, names: list[str], size: int, channels: int
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Names and images, the last block filled up by its last image: one compiled shape."""
    for start in range(0, len(names), BLOCK):
        if start % READ == 0:
            read = read_named(photographs, names[start : start + READ], size)
        block = names[start : start + BLOCK]
        images = read[start % READ : start % READ + BLOCK]
        if channels == 1:
            weights = np.array([0.299, 0.587, 0.114], np.float32)
            images = np.rint(images @ weights)[..., None].astype(np.uint8)
        short = BLOCK - len(block)
        yield block, np.concatenate([images, np.repeat(images[-1:], short, axis=0)])


@jax.jit
def _similarity(encoder: Encoder, decoded: Layers, mean: Layers, images: jax.Array) -> Any:
    layers = encoder(images.astype(jnp.float32) / 255)
    scores = [
        matmul(_unit(decoded[layer] - mean[layer]), _unit(layers[layer] - mean[layer]).T)
        for layer in encoder.layers
    ]
    return sum(scores) / len(scores)


def _unit(features: jax.Array) -> jax.Array:
    """(n, ...) -> (n, units), centred rows of length 1; zeros where a row is constant."""
    rows = features.reshape(len(features), -1)
    rows = rows - jnp.mean(rows, axis=1, keepdims=True)
    length = jnp.linalg.norm(rows, axis=1, keepdims=True)
    return rows / jnp.where(length > 0, length, 1)
