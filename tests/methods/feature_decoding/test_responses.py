"""Measured responses as one more layer: the misfit in NumPy, and images that it moves."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.encoding.feature_maps import cells
from fmri_jax.encoding.memory import of_banded_ridge
from fmri_jax.errors import InputError
from fmri_jax.methods import RunContext, choice, feature_decoding
from fmri_jax.methods.feature_decoding import selection
from fmri_jax.methods.feature_decoding.config import Config
from fmri_jax.methods.feature_decoding.method import needs_of
from fmri_jax.methods.responses import Responses
from fmri_jax.training.mesh import make_mesh

N, VOXELS, SIZE = 16, 30, 32


@pytest.fixture(scope="module")
def trials() -> Trials:
    """Images of 4 x 4 squares shown once; voxels are linear views of them."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (N, 4, 4, 3), np.uint8)
    images = small.repeat(SIZE // 4, axis=1).repeat(SIZE // 4, axis=2)
    fmri = (small.reshape(N, -1) / 128 - 1) @ rng.standard_normal((48, VOXELS)) / 7
    fmri = (5 + 3 * fmri + 0.1 * rng.standard_normal(fmri.shape)).astype(np.float32)
    names = tuple(map(str, range(N)))
    return Trials(fmri, np.arange(N, dtype=np.int32), images, np.zeros(N, np.int32), names)


@pytest.fixture(scope="module")
def fitted(trials, tmp_path_factory):
    config = Config(n_steps=10, layers=("relu1",), block=4, response_weight=100.0)
    folder = tmp_path_factory.mktemp("run")
    context = RunContext(folder, "all", jax.random.key(0), make_mesh(1), progress=False)
    return feature_decoding.build(config).fit(trials.take(np.arange(12)), context)


def test_the_misfit_is_that_of_what_the_encoding_model_predicts(fitted, trials):
    layers = fitted.encoder(jnp.asarray(trials.images[:5] / np.float32(255)))
    encoding, measured = fitted.encoding, trials.fmri[5:10]
    found = Responses.of(encoding).misfit(layers, jnp.asarray(measured))
    across = cells(7, 4)
    maps = np.einsum("ih,nhwc,jw->nijc", across, np.asarray(layers["relu1"]), across)
    predicted = encoding.from_maps({"relu1": maps})
    measured = encoding.scale.apply(measured, np.ones(5))
    for one, a, b in zip(found, predicted, measured, strict=True):
        covariance = np.cov(a, b, aweights=encoding.accuracy)
        expected = 1 - covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
        np.testing.assert_allclose(one, expected, atol=1e-4)


def test_what_it_takes_is_stated_before_the_fit(fitted, trials):
    own = trials.take(np.arange(12))
    shapes = fitted.encoder.shapes(own.images.shape[1:])
    config = dataclasses.replace(fitted.config, response_weight=0.0)
    with_model, without = (needs_of(each, shapes, own) for each in (fitted.config, config))
    readout = fitted.encoding.readout
    held = [readout.bands["relu1"].rows, readout.coef["relu1"]]
    # 16 cells of 64 channels for 12 stimuli; 6 arrays of the search, and the kernel.
    rows, search = 12 * 16 * 64, 12**2 + 6 * 12 * VOXELS
    assert sum(array.size for array in held) == rows + 12 * VOXELS <= rows + search
    assert with_model.device - without.device == 4 * (rows + search)
    assert with_model.host - without.host == 4 * (rows + (1 + 3 + 5) * 12 * VOXELS)
    assert "config.preparation.roi" in with_model.cure


def test_layers_count_by_their_weights_and_repeats_by_their_residuals():
    shown = np.arange(100)
    layers, rows = {str(i): 1000 for i in range(9)}, 100 * 9 * 1000
    of_features, of_stimuli = 9 * 1000 * 50, 9 * 100 * 500  # weights, whichever are fewer numbers
    assert of_banded_ridge(layers, 50, shown, 10).device == 4 * (rows + of_features + 2 * 100 * 50)
    assert of_banded_ridge(layers, 500, shown, 10).device == 4 * (rows + of_stimuli + 2 * 100 * 500)
    few = of_banded_ridge({str(i): 20 for i in range(9)}, 500, shown, 10)
    assert few.device == 4 * (100 * 9 * 20 + 9 * 100**2 + 6 * 100 * 500)
    twice = of_banded_ridge({"0": 1000}, 50, np.append(shown, shown[:30]), 10)
    once = of_banded_ridge({"0": 1000}, 50, shown, 10)
    assert twice.host - once.host == 4 * 30 * 50
    thrice = of_banded_ridge({"0": 1000}, 50, np.tile(shown, 3), 10)
    assert thrice.host - once.host == 4 * (200 + 9 * 200) * 50
    without_factors = choice.needs_of(100, 50)
    assert without_factors.host == 4 * (100 * 1280 + (4 + 5) * 100 * 50)
    assert without_factors.device == 4 * (100 * 1280 + (1280 + 2 * 100) * 50)


@pytest.mark.parametrize("optimiser", ["adam", "lbfgs"])
def test_images_move_towards_those_that_would_evoke_the_responses(fitted, trials, optimiser):
    fitted = fitted.replace(config=dataclasses.replace(fitted.config, optimiser=optimiser))
    new = jnp.asarray(trials.fmri[12:])
    decoded, model, misfits = fitted.decode(new), Responses.of(fitted.encoding), []
    for measured in (new, jnp.roll(new, 1, axis=0)):
        images = fitted.render(decoded, measured=measured)
        misfits.append(np.asarray(model.misfit(fitted.encoder(images), new)))
    assert (misfits[0] < misfits[1]).all()
    again = feature_decoding.restore(*fitted.state())
    together = np.asarray(fitted.reconstruct(new))
    np.testing.assert_array_equal(again.reconstruct(new), together)
    alone = np.asarray(fitted.reconstruct(new[1:2]))  # each has responses of its own
    assert np.abs(alone - together[1:2]).mean() < 1e-3


def test_lbfgs_reconstructs_without_an_encoding_model(fitted, trials):
    config = dataclasses.replace(fitted.config, optimiser="lbfgs", response_weight=0.0)
    plain = fitted.replace(config=config, encoding=None)
    new = jnp.asarray(trials.fmri[12:])
    np.testing.assert_array_equal(plain.reconstruct(new), plain.render(plain.decode(new)))


def test_the_weight_of_pixels_is_chosen_among_images_that_responses_move(fitted, trials, tmp_path):
    rows = trials.fmri[:12]
    decoded = selection.without_themselves(fitted, np.arange(12), {})
    true = trials.images[:12] / 255.0
    scores = {}
    for weight in selection.WEIGHTS:
        config = dataclasses.replace(fitted.config, pixel_weight=weight)
        made = fitted.replace(config=config).render(decoded, measured=jnp.asarray(rows))
        pairs = zip(true, np.asarray(made), strict=True)
        scores[weight] = np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs])
    chosen = selection.with_pixel_weight(fitted, {}, rows).config.pixel_weight
    assert scores[chosen] == max(scores.values())
    config = Config(n_steps=10, layers=("relu1",), block=4, response_weight=100.0, select="inner")
    context = RunContext(tmp_path, "all", jax.random.key(0), make_mesh(1), progress=False)
    found = feature_decoding.build(config).fit(trials.take(np.arange(12)), context)
    assert found.config.pixel_weight == chosen


def test_photographs_that_are_retrieved_cannot_be_moved():
    with pytest.raises(InputError, match="response_weight"):
        Config(renderer="retrieval", photographs="somewhere", response_weight=1.0)
