"""Images -> pooled maps of the layers that responses are predicted from.

The source is a network of `features.registry`, "gabor" for the energy of a Gabor pyramid (Kay et
al. 2008) or "pixels" for the images themselves. Maps are averaged over the cells of a grid, block
of images by block, so that memory depends on the grid and not on the network.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax import features
from fmri_jax.arrays import as_images, as_rgb, block_size, einsum, in_blocks
from fmri_jax.config import unknown_name
from fmri_jax.datasets.simulated import steerable_pyramid
from fmri_jax.errors import InputError
from fmri_jax.features.extractor import BLOCK
from fmri_jax.features.registry import NETWORKS

PIXELS, GABOR = "pixels", "gabor"
GABOR_LAYERS = tuple(f"energy{level}" for level in range(steerable_pyramid.LEVELS))
# Layers from input to output that are taken where none are named; of other networks all.
DEFAULT_LAYERS = {
    "alexnet": ("relu1", "relu2", "relu3", "relu4", "relu5"),
    "bvlc_alexnet": ("relu1", "relu2", "relu3", "relu4", "relu5"),
    "caffenet": ("relu1", "relu2", "relu3", "relu4", "relu5"),
    "vgg16": ("pool1", "pool2", "pool3", "pool4", "pool5"),
    "vgg19": ("pool1", "pool2", "pool3", "pool4", "pool5"),
    "clip_vit_l14": ("embedding",),
    "efficientnet_lite0": (
        *("block1_0", "block2_1", "block3_1", "block4_2", "block5_2", "block6_3", "head"),
    ),
    GABOR: GABOR_LAYERS,
    PIXELS: (PIXELS,),
}

Maps = dict[str, np.ndarray]  # layer -> (n, h, w, channels)


def layers_of(source: str, layers: Sequence[str] | None = None) -> tuple[str, ...]:
    """The layers that are taken, from input to output.

    Raises:
        InputError: there is no such source or layer.
    """
    if source not in (GABOR, PIXELS) and source not in NETWORKS:
        known = [GABOR, PIXELS, *NETWORKS]
        raise InputError(unknown_name(f"features {source!r}", source, known, "source of features"))
    if layers is None:
        return DEFAULT_LAYERS.get(source) or NETWORKS[source].layers
    if not layers or isinstance(layers, str):
        raise InputError(f"layers is {layers!r}: expected names of layers, such as ('relu1',).")
    own = DEFAULT_LAYERS[source] if source in (GABOR, PIXELS) else NETWORKS[source].layers
    if missing := [layer for layer in layers if layer not in own]:
        raise InputError(f"{source} has no layer {missing[0]!r}: choose among {', '.join(own)}.")
    return tuple(layers)


def pooled_maps(images: Any, source: str, layers: Sequence[str], grid: int) -> Maps:
    """Maps of layers, averaged over the cells of a grid.

    Args:
        images: (n, height, width, 1 or 3) in [0, 1] or uint8.
        source: name of a network, "gabor" or "pixels".
        layers: of it.
        grid: side of the grid; smaller maps stay as they are.

    Returns:
        Layer -> (n, h, w, channels) float32 with h, w <= grid; layers without space have h = w = 1.

    Raises:
        InputError: images or layers cannot be used.
    """
    rows = as_images(images, "images").astype(np.float32, copy=False)
    if rows.shape[-1] not in (1, 3):
        raise InputError(f"images have {rows.shape[-1]} channels: expected 1 (grey) or 3 (RGB).")
    compute = _source(source, tuple(layers))

    def of_block(block: np.ndarray) -> dict[str, jax.Array]:
        return {layer: pooled(found, grid) for layer, found in compute(block).items()}

    return in_blocks(of_block, (rows,), block_size(len(rows), BLOCK))


def _source(source: str, layers: tuple[str, ...]) -> Callable[[np.ndarray], dict[str, Any]]:
    """From a block of images to maps of layers at their own size."""
    if source == PIXELS:
        return lambda block: {PIXELS: block}
    if source == GABOR:
        return lambda block: {layer: _gabor(block)[layer] for layer in layers}
    network = features.load(source, layers)
    return lambda block: network(block)


@jax.jit
def _gabor(images: jax.Array) -> dict[str, jax.Array]:
    """Energy of each level and orientation, compressed as Kay et al. (2008) by a square root."""
    side = steerable_pyramid.PIXELS
    seen = jax.image.resize(as_rgb(images), (len(images), side, side, 3), "bilinear")
    luminance = 2 * seen.mean(-1) - 1
    found = {}
    for level, layer in enumerate(GABOR_LAYERS):
        across, down = map(jnp.asarray, steerable_pyramid.gabor_factors(side >> level))
        energy = steerable_pyramid.gabor_energy(luminance, across, down)
        found[layer] = jnp.sqrt(jnp.moveaxis(energy, 1, -1))
        luminance = steerable_pyramid.halved(luminance)
    return found


@functools.partial(jax.jit, static_argnums=1)
def pooled(maps: jax.Array, grid: int) -> jax.Array:
    """(n, h, w, c) averaged over cells; tokens (n, t, c) over all of them; (n, c) as one cell."""
    if maps.ndim == 2:
        return maps[:, None, None]
    if maps.ndim == 3:
        return maps.mean(1)[:, None, None]
    down, across = (cells(length, grid) for length in maps.shape[1:3])
    return einsum("ih,nhwc,jw->nijc", down, maps, across)


def cells(length: int, grid: int) -> np.ndarray:
    """(grid, length) what each pixel of a line adds to the mean of each cell.

    Cells have the same width, whole pixels or not; of a line that is no longer than the grid, each
    pixel is a cell.
    """
    if length <= grid:
        return np.eye(length, dtype=np.float32)
    edges = np.arange(grid + 1) * length / grid
    pixels = np.arange(length)
    ends = np.minimum(edges[1:, None], pixels + 1)
    covered = np.maximum(ends - np.maximum(edges[:-1, None], pixels), 0)
    return (covered * grid / length).astype(np.float32)
