"""Pairs of images that a generator refines, mirrored and shifted in training."""

import jax
import jax.numpy as jnp

SHIFT = 4  # px, by which images are shifted at most: AlexNet's stride, whose grid would be learned


def moved_together(
    key: jax.Array, given: jax.Array, targets: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Mirrors half of the images, and shifts all by a few pixels, both sides alike.

    Args:
        key: typed key.
        given: (n, h, w, c) what the generator is given.
        targets: (n, h, w, c) photographs.
    """
    mirrored, shifted = jax.random.split(key)
    mirror = jax.random.bernoulli(mirrored, 0.5, (len(given), 1, 1, 1))
    place = jax.random.randint(shifted, (2,), 0, 2 * SHIFT + 1)

    def move(images: jax.Array) -> jax.Array:
        images = jnp.where(mirror, images[:, :, ::-1], images)
        around = ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0))
        padded = jnp.pad(images, around, mode="edge")
        return jax.lax.dynamic_slice(padded, (0, place[0], place[1], 0), images.shape)

    return move(given), move(targets)
