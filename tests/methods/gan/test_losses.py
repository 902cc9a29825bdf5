"""Each loss term equals PyTorch's, with and without jit, and on several devices."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from fmri_jax.methods.gan import losses
from fmri_jax.training.mesh import batch_sharding, make_mesh
from tests.peers import peer

torch = peer("torch")

RNG = np.random.default_rng(3)
MADE, SEEN = RNG.random((2, 8, 6, 6, 3), np.float32)
REAL, FAKE = RNG.normal(size=(2, 8, 2)).astype(np.float32)


class LossesAgainstTorch(parameterized.TestCase):
    @chex.variants(with_jit=True, without_jit=True, with_device=True)
    def test_image(self):
        found = self.variant(losses.image_loss)(MADE, SEEN)
        expected = torch.nn.functional.mse_loss(torch.tensor(MADE), torch.tensor(SEEN))
        np.testing.assert_allclose(found, expected, rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True, with_device=True)
    def test_features_weigh_layers_equally(self):
        made, seen = ({"a": x, "b": 3 * x[:, :2]} for x in (MADE, SEEN))
        found = self.variant(losses.feature_loss)(made, seen)
        mse = torch.nn.functional.mse_loss
        expected = (
            mse(torch.tensor(made["a"]), torch.tensor(seen["a"]))
            + mse(torch.tensor(made["b"]), torch.tensor(seen["b"]))
        ) / 2
        np.testing.assert_allclose(found, expected, rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True, with_device=True)
    def test_adversarial_and_discriminator(self):
        entropy = torch.nn.functional.cross_entropy
        ones, zeros = torch.ones(8, dtype=torch.long), torch.zeros(8, dtype=torch.long)
        found = self.variant(losses.adversarial_loss)(FAKE)
        np.testing.assert_allclose(found, entropy(torch.tensor(FAKE), ones), rtol=1e-5)
        real, fake = self.variant(losses.discriminator_loss)(REAL, FAKE)
        np.testing.assert_allclose(real, entropy(torch.tensor(REAL), ones), rtol=1e-5)
        np.testing.assert_allclose(fake, entropy(torch.tensor(FAKE), zeros), rtol=1e-5)


@pytest.mark.parametrize(
    "loss", [losses.image_loss, lambda a, b: losses.adversarial_loss(b[:, 0, 0])]
)
def test_a_batch_split_over_devices_gives_the_same_value_and_gradient(loss):
    """A mean over a sharded batch is the mean over the whole batch."""
    split = jax.device_put((MADE, SEEN), batch_sharding(make_mesh(4)))
    whole = jax.value_and_grad(loss, argnums=(0, 1))(jnp.asarray(MADE), jnp.asarray(SEEN))
    shards = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(*split)
    chex.assert_trees_all_close(whole, jax.device_get(shards), rtol=1e-5)
