"""Moving averages of parameters, which make better images than the parameters of any one step."""

from typing import Any

import jax
import jax.numpy as jnp
import optax


def averaged(average: Any, params: Any, decay: float, step: jax.Array) -> Any:
    """The moving average after a step.

    Early steps count more, or the average of few would hold the random start for long.

    Args:
        average: before the step.
        params: after it.
        decay: the share of the average that a step leaves, below 1.
        step: (), steps that were taken before.

    References:
        Polyak & Juditsky (1992), SIAM J. Control Optim. 30:838; of a GAN's generator: Yazici et al.
        (2019), ICLR.
    """
    left = jnp.minimum(decay, (1 + step) / (10 + step))
    return optax.incremental_update(params, average, 1 - left)
