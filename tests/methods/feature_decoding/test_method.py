"""Feature decoding as a method: fitted, kept, applied; retrieval; options that cannot be used."""

import dataclasses
import json
import zipfile

import jax
import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import Ridge

import fmri_jax as fj
from fmri_jax.data.preparation.folds import Trials
from fmri_jax.errors import InputError
from fmri_jax.linear.feature_ridge import FeatureRidge
from fmri_jax.methods import RunContext, feature_decoding, pixel_decoders
from fmri_jax.methods.feature_decoding import own_voxels, selection
from fmri_jax.methods.feature_decoding.config import PIXELS, Config
from fmri_jax.training.mesh import make_mesh

OPTIONS = {"n_steps": 3, "layers": ("relu1", "relu3"), "block": 4}
SIZE = 32


@pytest.fixture(scope="module")
def trials():
    """24 smooth images shown twice; 40 voxels are noisy linear views of them."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (24, 4, 4, 3), np.uint8)
    images = np.stack(
        [np.asarray(Image.fromarray(image).resize((SIZE, SIZE), 3)) for image in small]
    )
    stimulus = np.repeat(np.arange(24, dtype=np.int32), 2)
    views = rng.standard_normal((48, 40)) / 7
    fmri = (small.reshape(24, -1)[stimulus] / 128 - 1) @ views
    fmri = (fmri + 0.1 * rng.standard_normal(fmri.shape)).astype(np.float32)
    run = np.zeros(48, np.int32)
    return Trials(fmri, stimulus, images, run, tuple(map(str, range(24))))


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return RunContext(folder, "all", jax.random.key(0), make_mesh(1), progress=False)


@pytest.fixture(scope="module")
def fitted(trials, context):
    method = feature_decoding.build(Config(**OPTIONS))
    return method.fit(trials.take(np.arange(40)), context)  # of 20 stimuli


@pytest.fixture(scope="module")
def new(trials):
    return trials.fmri[40:46]  # of three stimuli that training does not show


def test_layers_of_unseen_images_are_decoded(fitted, trials, new):
    decoded = fitted.decode(new)
    true = fitted.encoder.of_stimuli(trials.images[trials.stimulus[40:46]])
    assert set(decoded) == {"relu1", "relu3", PIXELS}
    training = fitted.encoder.of_stimuli(fitted.images)
    for layer, array in fitted.training_layers().items():
        np.testing.assert_allclose(array, training[layer], atol=1e-6)
    for layer, found in decoded.items():
        assert found.shape == true[layer].shape
        mean = fitted.encoder.of_stimuli(fitted.images)[layer].mean(axis=0)
        one, other = (np.asarray(x) - mean for x in (found, true[layer]))
        if layer != "relu3":  # 20 images teach little of what is not linear in the pixels
            assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.2, layer


def test_images_come_nearer_to_what_was_decoded(fitted, new):
    images = np.asarray(fitted.reconstruct(new))
    assert images.shape == (6, SIZE, SIZE, 3) and 0 <= images.min() and images.max() <= 1
    decoded = fitted.decode(new)
    start = np.clip(np.asarray(decoded[PIXELS]), 0, 1)

    def error(images):
        layers = fitted.encoder(images)
        return sum(
            np.square(np.asarray(layers[layer] - decoded[layer])).sum(axis=(1, 2, 3))
            / np.square(np.asarray(decoded[layer])).sum(axis=(1, 2, 3))
            for layer in ("relu1", "relu3")
        )

    assert (error(images) < error(start)).all()


def test_what_is_learned_of_a_layer_of_one_position_is_finite(fitted):
    """A run keeps nothing else; at 32 pixels relu3 has one."""
    assert fitted.features["relu3"].shape[1:3] == (1, 1)
    for found in jax.tree.leaves(vars(fitted.statistics)):
        assert np.isfinite(found).all()


def test_a_trial_is_reconstructed_alike_alone_and_among_others(fitted, new):
    together = np.asarray(fitted.reconstruct(new))
    np.testing.assert_allclose(fitted.reconstruct(new[5:6])[0], together[5], atol=1e-4)


def test_a_kept_decoder_gives_the_same_bits(fitted, new):
    arrays, options = fitted.state()
    options = json.loads(json.dumps(options))
    again = feature_decoding.restore(arrays, options)
    np.testing.assert_array_equal(again.reconstruct(new), fitted.reconstruct(new))
    assert again.config == fitted.config and again.image_shape == (SIZE, SIZE, 3)


def test_local_decoders_may_decode_the_pixels(fitted, trials, new, context):
    shown = trials.take(np.arange(40))
    config = Config(**OPTIONS, pixel_decoder="local")
    local = feature_decoding.build(config).fit(shown, context)
    pixels, left_out = pixel_decoders.fit("local", shown)
    found, by_ridge = local.decode(new), fitted.decode(new)
    np.testing.assert_allclose(found[PIXELS], pixels(new), atol=1e-6)
    for layer in OPTIONS["layers"]:  # which the pixels have no part in
        np.testing.assert_allclose(found[layer], by_ridge[layer], atol=1e-5)
    assert np.abs(found[PIXELS] - by_ridge[PIXELS]).max() > 0.01
    unseen = selection.without_themselves(local, np.array([0, 7]), {PIXELS: left_out})
    np.testing.assert_allclose(unseen[PIXELS], left_out[[0, 7]], atol=1e-6)
    images = np.asarray(local.reconstruct(new))
    arrays, options = local.state()
    again = feature_decoding.restore(arrays, json.loads(json.dumps(options)))
    np.testing.assert_array_equal(again.reconstruct(new), images)
    assert set(again.training_layers()) == {*OPTIONS["layers"], PIXELS}
    without = feature_decoding.build(dataclasses.replace(config, pixel_weight=0.0))
    assert set(without.fit(shown, context).decode(new)) == set(OPTIONS["layers"])


@pytest.mark.parametrize("dispersion", ["out_of_fold", "spatial"])
def test_units_are_decoded_from_voxels_of_their_own(trials, new, context, dispersion):
    config = Config(**OPTIONS, n_voxels=10, alpha=5.0, dispersion=dispersion)
    shown = trials.take(np.arange(40))
    fitted = feature_decoding.build(config).fit(shown, context)
    features = fitted.encoder.of_stimuli(trials.images[:20])["relu3"]
    raw = np.asarray(fitted.own["relu3"].predict(new))
    peer = FeatureRidge(n_voxels=10, alpha=5.0, standardise=True)
    expected = peer.fit(shown.fmri, features, stimulus=shown.stimulus).predict(new)
    np.testing.assert_allclose(raw, expected, atol=1e-4)
    decoded = np.asarray(fitted.decode(new)["relu3"])
    mean, gain = (np.asarray(x["relu3"]) for x in (fitted.statistics.mean, fitted.statistics.gain))
    if dispersion == "out_of_fold":
        assert gain.max() > 1
        np.testing.assert_allclose(decoded, mean + gain * (raw - mean), atol=1e-4)
    arrays, options = fitted.state()
    again = feature_decoding.restore(arrays, json.loads(json.dumps(options)))
    np.testing.assert_array_equal(again.reconstruct(new), fitted.reconstruct(new))


def test_training_stimuli_are_decoded_as_by_maps_without_them(fitted, trials):
    rows = np.array([0, 7, 19])
    found = selection.without_themselves(fitted, rows, {})
    fmri = trials.fmri[:40].reshape(20, 2, -1).mean(axis=1)
    true = fitted.encoder.of_stimuli(trials.images[:20])["relu3"]
    alpha = float(fitted.map.alphas["relu3"])
    mean, gain = (np.asarray(x["relu3"]) for x in (fitted.statistics.mean, fitted.statistics.gain))
    for place, row in enumerate(rows):
        rest = np.arange(20) != row
        peer = Ridge(alpha).fit(fmri[rest], true[rest].reshape(19, -1))
        expected = mean + gain * (peer.predict(fmri[[row]]).reshape(mean.shape) - mean)
        np.testing.assert_allclose(found["relu3"][place], expected, atol=2e-3)
    assert found[PIXELS].shape == (3, SIZE, SIZE, 3)


def test_the_weight_of_pixels_is_chosen_on_training_stimuli(trials, context, monkeypatch, new):
    monkeypatch.setattr(selection, "MOST", 4)
    config = Config(**OPTIONS, select="inner")
    fitted = feature_decoding.build(config).fit(trials.take(np.arange(40)), context)
    rows = np.array([0, 6, 13, 19])
    decoded = selection.without_themselves(fitted, rows, {})
    true = trials.images[rows] / 255.0
    scores = {}
    for weight in selection.WEIGHTS:
        one = fitted.replace(config=dataclasses.replace(config, pixel_weight=weight))
        made = np.asarray(one.render(decoded))
        scores[weight] = np.mean(
            [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(true, made, strict=True)]
        )
    chosen = fitted.config.pixel_weight
    assert scores[chosen] == max(scores.values()) > min(scores.values())
    assert fitted.summary()["pixel weight"] == chosen
    again = feature_decoding.restore(*fitted.state())
    assert again.config.pixel_weight == chosen


def test_a_large_layer_is_decoded_from_blocks_in_the_folder_of_the_run(
    trials, new, tmp_path, context, monkeypatch
):
    config = Config(**OPTIONS, n_voxels=10, dispersion="spatial")
    trials = trials.take(np.arange(40))
    expected = feature_decoding.build(config).fit(trials, context)
    monkeypatch.setattr(own_voxels, "LARGEST_IN_MEMORY", 100)
    here = dataclasses.replace(context, workdir=tmp_path)
    fitted = feature_decoding.build(config).fit(trials, here)
    assert (tmp_path / "features/all/relu1").is_dir()
    np.testing.assert_allclose(fitted.reconstruct(new), expected.reconstruct(new), atol=1e-3)
    arrays, options = fitted.state()
    again = feature_decoding.restore(arrays, json.loads(json.dumps(options)))
    np.testing.assert_array_equal(again.reconstruct(new), fitted.reconstruct(new))
    estimator = fj.FeatureDecoder(layers=("relu1", "relu3"), n_voxels=10, dispersion="spatial")
    with pytest.raises(InputError, match="an estimator holds 100 at most: leave n_voxels at None"):
        estimator.fit(trials.fmri, trials.targets())


@pytest.mark.parametrize("channels", [3, 1])
def test_retrieval_finds_the_photograph_that_was_shown(trials, context, tmp_path, channels):
    photographs = tmp_path / "photographs.zip"
    images = trials.images if channels == 3 else trials.images[..., :1]
    with zipfile.ZipFile(photographs, "w") as archive:
        for i, image in enumerate(images):
            with archive.open(f"{i:02d}.png", "w") as stream:
                Image.fromarray(image if channels == 3 else image[..., 0]).save(stream, "PNG")
    config = Config(**OPTIONS, renderer="retrieval", photographs=str(photographs))
    shown = dataclasses.replace(trials, images=images).take(np.arange(40))
    fitted = feature_decoding.build(config).fit(shown, context)
    true = {layer: array for layer, array in fitted.encoder.of_stimuli(images[20:23]).items()}
    found = np.asarray(fitted.retrieve(true))
    np.testing.assert_allclose(found, images[20:23] / np.float32(255), atol=1e-6)
    assert fitted.reconstruct(trials.fmri[40:42]).shape == (2, SIZE, SIZE, channels)
    assert feature_decoding.trained_through(config) == ()


def test_metrics_through_the_network_are_known_to_be_circular():
    assert feature_decoding.trained_through(Config()) == ("alexnet",)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"network": "alexnett"}, "did you mean 'alexnet'"),
        ({"layers": ("relu9",)}, "AlexNet has no layer 'relu9'"),
        ({"layers": ()}, "expected one or more layers"),
        ({"layers": ("relu1", "pixels")}, "pixels are matched by config.method.pixel_weight"),
        (
            {"select": "inner", "pixel_weight": 0.0},
            "expected a renderer other than 'retrieval' and",
        ),
        ({"n_steps": 0}, "n_steps is 0: expected >= 1"),
        ({"total_variation": -1.0}, "total_variation is -1.0: expected >= 0"),
        ({"latent_decay": 0.0}, "latent_decay is 0.0"),
        ({"renderer": "retrieval"}, "name a folder or zip of photographs"),
        ({"optimiser": "lbfgs", "jitter": 2}, "jitter"),
    ],
)
def test_options_that_cannot_be_used_are_rejected(options, message):
    with pytest.raises(InputError, match=message):
        Config(**options)


def test_images_too_small_for_a_layer_are_rejected_before_anything_is_computed(trials, context):
    tiny = dataclasses.replace(trials, images=trials.images[:, :20, :20])
    config = Config(**{**OPTIONS, "layers": ("pool5",)})
    with pytest.raises(InputError, match="AlexNet has no layer 'pool5' at this image size"):
        feature_decoding.build(config).fit(tiny, context)


def test_the_estimator_is_the_method(trials, new):
    decoder = fj.FeatureDecoder(n_steps=3, layers=("relu1", "relu3"), block=4)
    known = decoder.get_params()
    for field in dataclasses.fields(Config):  # each option, with the same default
        given = field.default if field.name not in OPTIONS else OPTIONS[field.name]
        assert known[field.name] == given, field.name
    images = trials.targets()[:40]
    found = decoder.fit(trials.fmri[:40], images).predict(new[:4])  # programs are those of above
    assert found.shape == (4, SIZE, SIZE, 3) and found.dtype == np.float32
    assert decoder.decode(new)["relu3"].shape[0] == 6
    assert "penalty of relu1" in decoder.fitted_.summary()
