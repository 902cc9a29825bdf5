"""Images whose predicted responses are those that were measured: an encoding model as a layer.

A decoder says what responses tell of an image. An encoding model asks the other way round: would
this image have evoked these responses? It is fitted to the training trials on the layers that are
compared anyway, so that its answer costs little more than they do. Feature decoding optimises
images by it, the GAN its generator.

References:
    Naselaris, Prenger, Kay, Oliver & Gallant (2009), Neuron 63:902 (reconstructions that are
    likely under an encoding model; there chosen among photographs, here by gradients).
    Gaziv, Beliy, Granot, Hoogi, Strappini, Golan & Irani (2022), NeuroImage 254:119121 (a decoder
    trained by an encoder that follows it).
"""

import math
from collections.abc import Mapping

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.encoding import fitted, memory
from fmri_jax.encoding.banded import BandedReadout
from fmri_jax.encoding.feature_maps import pooled
from fmri_jax.encoding.fitted import Encoding
from fmri_jax.encoding.options import Options
from fmri_jax.methods.choice import weighted_correlation
from fmri_jax.training.needs import Needs

Layers = Mapping[str, jax.Array]

# Random weights of layers are fewer than usual, for time; noise is not asked for.
OPTIONS = Options(n_candidates=20, rank=0)


@flax.struct.dataclass
class Responses:
    """Layers of images -> how unlike their predicted responses are to those measured."""

    readout: BandedReadout
    mean: jax.Array  # (voxels,) of training trials, as the method is given them
    std: jax.Array
    accuracy: jax.Array  # (voxels,) by which voxels count
    grid: int = flax.struct.field(pytree_node=False)

    @classmethod
    def of(cls, encoding: Encoding) -> "Responses":
        """What the optimiser needs of an encoding model."""
        return cls(
            readout=encoding.readout,
            mean=jnp.asarray(encoding.scale.mean),
            std=jnp.asarray(encoding.scale.std),
            accuracy=jnp.asarray(encoding.accuracy),
            grid=encoding.options.cells,
        )

    def misfit(self, layers: Layers, measured: jax.Array) -> jax.Array:
        """1 less the correlation over voxels, weighted by how well each is predicted.

        A correlation, as test responses may average other numbers of trials than those of training
        and be scaled for that.

        Args:
            layers: layer -> (n, ...) of the images.
            measured: (n, voxels), standardised as in training.

        Returns:
            (n,), 0 to 2.
        """
        maps = {name: pooled(layers[name], self.grid) for name in self.readout.bands}
        measured = (measured - self.mean) / self.std
        return 1 - weighted_correlation(self.readout.predict(maps), measured, self.accuracy)


def needs_of(shapes: Mapping[str, tuple[int, ...]], trials: Trials) -> Needs:
    """What `fit` takes.

    Args:
        shapes: layer -> shape of its units.
        trials: the training trials.
    """
    layers = {
        name: jax.ShapeDtypeStruct((1, *shape), jnp.float32) for name, shape in shapes.items()
    }
    maps = jax.eval_shape(
        lambda each: {k: pooled(a, OPTIONS.cells) for k, a in each.items()}, layers
    )
    sizes = {name: math.prod(found.shape) for name, found in maps.items()}
    return memory.of_banded_ridge(sizes, trials.fmri.shape[1], trials.stimulus, OPTIONS.rank)


def fit(features: Mapping[str, np.ndarray], trials: Trials) -> Encoding:
    """Fits the encoding model.

    Args:
        features: layer -> (stimuli, ...) of the training images, in rising order of their numbers.
        trials: the training trials.

    Raises:
        InputError: there are too few stimuli.
    """
    maps = {
        name: np.asarray(pooled(jnp.asarray(part), OPTIONS.cells))
        for name, part in features.items()
    }
    return fitted.fit(maps, trials.fmri, trials.stimulus, OPTIONS)
