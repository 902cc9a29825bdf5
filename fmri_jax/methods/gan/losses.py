"""The terms of the GAN's loss: small pure functions of images, activations and logits.

Every term is a mean, so that its weight means the same at any image size and batch size.
"""

import jax
import jax.numpy as jnp
import optax

# Column of the discriminator's logits that says "a photograph", and the one that says "generated".
REAL, GENERATED = 1, 0

SMALLEST = 1e-12  # probability: below it the discriminator's certainty makes no difference


def image_loss(generated: jax.Array, target: jax.Array) -> jax.Array:
    """Mean-squared error between pixels; both (n, h, w, c) in [0, 1]. Returns a scalar."""
    return jnp.mean(jnp.square(generated.astype(jnp.float32) - target))


def feature_loss(generated: dict[str, jax.Array], target: dict[str, jax.Array]) -> jax.Array:
    """Mean-squared error between comparator activations, averaged over layers (Shen et al., eq. 3).

    Args:
        generated: layer -> activations of the generated images, any shape.
        target: the same layers of the images that were shown.
    """
    errors = [jnp.mean(jnp.square(generated[layer] - target[layer])) for layer in generated]
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


def shared_cotangent(logits_of_generated: jax.Array) -> tuple[jax.Array, jax.Array]:
    """One gradient at the logits that serves both losses of the generated images.

    With D the softmax probability of "a photograph", the gradient of -log(1 - D) at the two logits
    is D (-1, 1), that of -log D is (1 - D) (1, -1). They differ by a factor for each image, and a
    backward pass through a network that treats images one by one keeps such a factor: propagated
    back once, the gradient of the first, times -(1 - D) / D, is the gradient of the second.

    Args:
        logits_of_generated: (n, 2).

    Returns:
        The gradient (n, 2) of the mean of -log(1 - D), and the factors (n,) that exchange it, at
        the images, for the gradient of the mean of -log D. D is taken for at least 1e-12, so that
        neither vanishes in float32.
    """
    probability = jnp.maximum(jax.nn.softmax(logits_of_generated.astype(jnp.float32)), SMALLEST)
    real, generated = probability[:, REAL], probability[:, GENERATED]
    direction = jnp.zeros(2).at[REAL].set(1.0).at[GENERATED].set(-1.0)
    cotangent = real[:, None] * direction / len(real)
    return cotangent.astype(logits_of_generated.dtype), -generated / real


def _cross_entropy(logits: jax.Array, label: int) -> jax.Array:
    labels = jnp.full(logits.shape[0], label)
    return jnp.mean(
        optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), labels)
    )
