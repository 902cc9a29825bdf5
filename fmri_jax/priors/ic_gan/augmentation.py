"""Differentiable augmentation (Zhao et al. 2020) of all that a discriminator sees.

Real and generated images are changed in the same ways, through which gradients pass, so that a
discriminator of few photographs does not learn them by heart and the generator is not taught the
changes themselves.
"""

import jax
import jax.numpy as jnp

LARGEST_SHIFT = 1 / 8  # of the side
HOLE = 1 / 2  # of the side
POLICIES = ("color", "translation", "cutout")


def augmented(images: jax.Array, key: jax.Array, policies: tuple[str, ...]) -> jax.Array:
    """Images changed at random, each in its own way.

    Args:
        images: (n, h, w, c) in [-1, 1].
        key: of the draws.
        policies: of `POLICIES`, in this order; none: the images themselves.

    Returns:
        The same shape.
    """
    changes = {"color": _colours, "translation": _shifted, "cutout": _with_hole}
    for policy, one in zip(POLICIES, jax.random.split(key, len(POLICIES)), strict=True):
        if policy in policies:
            images = changes[policy](images, one)
    return images


def _colours(images: jax.Array, key: jax.Array) -> jax.Array:
    """Brightness by up to .5, saturation up to twofold, contrast from half to one and a half."""
    brightness, saturation, contrast = jax.random.uniform(key, (3, len(images), 1, 1, 1))
    images = images + (brightness - 0.5)
    grey = images.mean(axis=-1, keepdims=True)
    images = (images - grey) * (2 * saturation) + grey
    level = images.mean(axis=(1, 2, 3), keepdims=True)
    return (images - level) * (0.5 + contrast) + level


def _shifted(images: jax.Array, key: jax.Array) -> jax.Array:
    """By up to an eighth of the side along both axes; zeros come in.

    As products with shifted identities, whose gradients are products too.
    """
    n, height, width, _ = images.shape

    def moved(side: int, one: jax.Array) -> jax.Array:
        most = int(side * LARGEST_SHIFT + 0.5)
        by = jax.random.randint(one, (n, 1, 1), -most, most + 1)
        place = jnp.arange(side)
        return (place[None, :, None] - place[None, None, :] == by).astype(images.dtype)

    rows, columns = (
        moved(side, k) for side, k in zip((height, width), jax.random.split(key), strict=True)
    )
    return jnp.einsum("nab,nbdc,ned->naec", rows, images, columns)


def _with_hole(images: jax.Array, key: jax.Array) -> jax.Array:
    """A square of half the side is grey, anywhere, also across the edges."""
    n, height, width, _ = images.shape

    def inside(side: int, one: jax.Array) -> jax.Array:
        size = int(side * HOLE + 0.5)
        start = jax.random.randint(one, (n, 1), 0, side + 1 - size % 2) - size // 2
        place = jnp.arange(side)[None]
        return (place >= start) & (place < start + size)

    rows, columns = (
        inside(side, k) for side, k in zip((height, width), jax.random.split(key), strict=True)
    )
    return images * ~(rows[:, :, None, None] & columns[:, None, :, None])
