"""The terms of the GAN's loss: small pure functions of images, activations and logits.

Every term is a mean, so that its weight means the same at any image size and batch size.
"""

import jax
import jax.numpy as jnp
import optax

# Column of the discriminator's logits that says "a photograph", and the one that says "generated".
REAL, GENERATED = 1, 0


def image_loss(generated: jax.Array, seen: jax.Array) -> jax.Array:
    """Mean-squared error between pixels; both (n, h, w, c) in [0, 1]. Returns a scalar."""
    return jnp.mean(jnp.square(generated.astype(jnp.float32) - seen))


def feature_loss(generated: dict[str, jax.Array], seen: dict[str, jax.Array]) -> jax.Array:
    """Mean-squared error between comparator activations, averaged over layers (Shen et al., eq. 3).

    Args:
        generated: layer -> activations of the generated images, any shape.
        seen: the same layers of the images that were seen.
    """
    errors = [jnp.mean(jnp.square(generated[layer] - seen[layer])) for layer in generated]
    return jnp.mean(jnp.stack(errors))


def adversarial_loss(logits_of_generated: jax.Array) -> jax.Array:
    """Mean of -log D(G(fmri)): low when the discriminator takes generated images for photographs.

    Args:
        logits_of_generated: (n, 2) logits of *generated* images. Fed with those of real images, the
            term would be a constant for the generator.
    """
    return _cross_entropy(logits_of_generated, REAL)


def discriminator_loss(
    logits_of_real: jax.Array, logits_of_generated: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The two halves of the discriminator's loss: -log D(image) and -log(1 - D(G(fmri)))."""
    return _cross_entropy(logits_of_real, REAL), _cross_entropy(logits_of_generated, GENERATED)


def _cross_entropy(logits: jax.Array, label: int) -> jax.Array:
    labels = jnp.full(logits.shape[0], label)
    return jnp.mean(
        optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), labels)
    )
