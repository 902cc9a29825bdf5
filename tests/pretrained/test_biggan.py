"""BigGAN, IC-GAN and their porters against PyTorch, narrow, with every weight random."""

import dataclasses
import functools
import tarfile

import jax
import numpy as np
import pytest

from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.networks import spectral_norm
from fmri_jax.networks.biggan import BigGANDiscriminator, BigGANGenerator
from fmri_jax.networks.biggan_config import IC_GAN, BigGANConfig
from fmri_jax.networks.biggan_deep import BigGANDeepConfig, BigGANDeepGenerator, at_truncation
from fmri_jax.pretrained import biggan
from fmri_jax.pretrained.catalogue import CATALOGUE
from fmri_jax.pretrained.rules import port, unflatten
from tests.networks.conv.layer_checks import random
from tests.networks.peers import from_torch, to_torch
from tests.peers import peer
from tests.pretrained import biggan_peer

torch = peer("torch")

N = 2
SMALL = BigGANConfig(32, 4, (16,), noise=22, features=6, feature_units=5, classes=3, class_units=4)
CONFIGS = {
    "64": BigGANConfig(64, 2, (32,), noise=13, features=6, feature_units=5),
    "128": BigGANConfig(128, 4, (64,), noise=14, features=6, feature_units=5),
    "256": BigGANConfig(256, 2, (64,), noise=15, features=6, feature_units=5),
    "classes and features": SMALL,
}
DEEP = BigGANDeepConfig(
    16, ((False, 8, 8), (True, 8, 8), (True, 8, 4)), 2, width=4, noise=5, classes=3, statistics=5
)


def inputs(config):
    features = random(2, N, config.features) if config.features else None
    classes = np.array([2, 0]) if config.classes else None
    return random(1, N, config.noise), features, classes


def in_torch(*arrays):
    return tuple(None if array is None else torch.tensor(array) for array in arrays)


def arrays_of(model):
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


def ported(model, config):
    arrays = biggan.fold_power_steps(arrays_of(model))
    rules, shapes = biggan.generator_rules(config), biggan.generator_shapes(config)
    return unflatten(port(arrays, rules, shapes, "the peer"))


def close(ours, theirs, tolerance=1e-4):
    assert theirs.std() > 0.03
    assert np.abs(np.asarray(ours) - theirs).max() <= tolerance * np.abs(theirs).max()


@functools.cache
def compiled(network):
    return jax.jit(network.apply, static_argnames="train")


@pytest.mark.parametrize("name", CONFIGS)
def test_images_are_pytorchs(name) -> None:
    """At 64 px with given activations of the first layer, which counts channels first."""
    config = CONFIGS[name]
    model = biggan_peer.stirred(biggan_peer.Generator(config))
    first = random(3, N, config.first_units) if name == "64" else None
    given = (*inputs(config), first)
    with torch.no_grad():
        expected = from_torch(model(*in_torch(*given)))
    assert expected.shape == (N, config.image_size, config.image_size, 3)
    close(compiled(BigGANGenerator(config))(ported(model, config), *given), expected)


def test_batches_are_normalised_by_their_own_statistics_in_training() -> None:
    """Images, and the running statistics that the batch leaves."""
    model = biggan_peer.stirred(biggan_peer.Generator(SMALL))
    variables, given = ported(model, SMALL), inputs(SMALL)
    model.train()
    with torch.no_grad():
        expected = model(*in_torch(*given))
    network = BigGANGenerator(SMALL)
    found, later = jax.jit(lambda v, *a: network.apply(v, *a, train=True, mutable=["batch_stats"]))(
        variables, *given
    )
    close(found, from_torch(expected), 1e-3)
    statistics = ported(model, SMALL)["batch_stats"]
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), later["batch_stats"], statistics
    )


def test_judgements_their_gradients_and_the_next_vectors_are_pytorchs() -> None:
    """The singular value has a gradient, its vectors have none."""
    model = biggan_peer.stirred(biggan_peer.Discriminator(SMALL))
    state = arrays_of(model)
    params = port(state, _discriminator_rules(), _discriminator_shapes(), "the peer")
    vectors = {
        _ours(name.removesuffix("u0")): array[0]
        for name, array in state.items()
        if name.endswith(".u0")
    }
    images = random(5, N, 32, 32, 3)
    _, features, classes = inputs(SMALL)

    @jax.jit
    def judge(params, vectors, images):
        normalised, later = spectral_norm.normalise(params, vectors)
        network = BigGANDiscriminator(SMALL)
        return network.apply({"params": normalised}, images, features, classes), later

    logits, pull, later = jax.vjp(
        lambda p, x: judge(p, vectors, x), unflatten(params), images, has_aux=True
    )
    of_params, of_images = pull(np.ones(N, np.float32))
    given = to_torch(images, gradient=True)
    expected = model(given, *in_torch(features, classes))
    expected.sum().backward()
    close(logits, expected.detach().numpy())
    close(of_images, from_torch(given.grad), 1e-3)
    for name, layer in (("conv1", model.blocks[1][0].conv1), ("conv2", model.blocks[1][0].conv2)):
        kernel = layer.weight.grad.numpy().transpose(2, 3, 1, 0)
        ours = np.asarray(of_params["block1"][name]["kernel"])
        assert np.abs(ours - kernel).max() <= 1e-3 * np.abs(kernel).max()
    rows = model.embed.weight.detach().numpy()
    u = rows @ (rows.T @ state["embed.u0"][0])
    np.testing.assert_allclose(later["embedding"], u / np.linalg.norm(u), atol=1e-5)


def _ours(theirs):
    """Our name of a layer's weight in the peer of the discriminator."""
    place = theirs.strip(".").split(".")
    if place[0] != "blocks":
        name = {"linear": "logit/", "linear_feat": "features/", "embed": ""}[place[0]]
        return f"{name}{'kernel' if name else 'embedding'}"
    layer = "shortcut" if place[3] == "conv_sc" else place[3]
    return f"{'attention' if place[2] == '1' else 'block'}{place[1]}/{layer}/kernel"


def _discriminator_rules():
    of, attention = r"blocks\.(\d+)\.0", r"blocks\.(\d+)\.1"
    return (
        biggan.Rule(r".*\.(u0|sv0)", None),
        *biggan.rules.for_conv(rf"{of}\.(conv[12])", r"block\1/\2"),
        *biggan.rules.for_dense(rf"{of}\.conv_sc", r"block\1/shortcut"),
        biggan.Rule(rf"{attention}\.(\w+)\.weight", r"attention\1/\2/kernel", biggan.rules.dense),
        biggan.Rule(rf"{attention}\.gamma", r"attention\1/gamma", biggan.rules.vector),
        *biggan.rules.for_dense("linear", "logit"),
        *biggan.rules.for_dense("linear_feat", "features"),
        biggan.Rule(r"embed\.weight", "embedding"),
    )


def _discriminator_shapes():
    given = jax.ShapeDtypeStruct((N, 32, 32, 3), np.float32)
    told = (jax.ShapeDtypeStruct(array.shape, array.dtype) for array in inputs(SMALL)[1:])
    return biggan.rules.traced_shapes(BigGANDiscriminator(SMALL), given, *told)


@pytest.mark.parametrize(("truncation", "weights"), [(0.5, {2: 1.0}), (0.4, {1: 0.6, 2: 0.4})])
def test_deep_images_are_pytorchs(truncation, weights) -> None:
    """With the statistics of a truncation; between two, as published (the nearer counts less)."""
    model = biggan_peer.stirred(biggan_peer.Deep(DEEP))
    arrays = biggan.fold_stored_vectors(arrays_of(model))
    rules, shapes = biggan.deep_rules(DEEP), biggan.deep_shapes(DEEP)
    variables = unflatten(port(arrays, rules, shapes, "the peer"))
    noise, classes = random(1, N, DEEP.noise), np.eye(3, dtype=np.float32)[[2, 0]]
    with torch.no_grad():
        expected = model(
            *in_torch(noise, classes),
            lambda table: sum(share * table[row] for row, share in weights.items()),
        )
    apply = compiled(BigGANDeepGenerator(DEEP))
    close(apply(at_truncation(variables, truncation), noise, classes), from_torch(expected))
    with pytest.raises(InputError, match="truncation"):
        at_truncation(variables, 0.0)


def test_early_files_of_pytorchs_normalisation_hold_the_weight_that_was_used() -> None:
    arrays = {"a.weight_orig": np.ones((2, 3)), "a.weight_u": np.ones(2)}
    with pytest.raises(InputError, match="neither"):
        biggan.fold_stored_vectors(arrays)
    kept = biggan.fold_stored_vectors({**arrays, "a.weight": np.full((2, 3), 0.4)})
    assert list(kept) == ["a.weight"] and kept["a.weight"][0, 0] == 0.4


def parameters(name) -> int:
    shapes = CATALOGUE[name].shapes()
    return sum(int(np.prod(s)) for n, s in shapes.items() if n.startswith("params"))


def test_published_networks_have_the_published_sizes() -> None:
    assert parameters("biggan_128") == 70_433_988  # as its code prints
    unused = 128_000  # IC-GAN keeps an embedding of 1,000 classes that nothing uses
    for name, millions in (("64", 36.7), ("128", 77.2), ("256", 90.0)):
        total = parameters(f"icgan_biggan_imagenet_res{name}") + unused
        assert round(total / 1e6, 1) == millions


def test_conditions_and_noise_have_the_published_lengths() -> None:
    for size, chunk, used, condition in (
        (256, 17, 119, 529),
        (128, 20, 120, 532),
        (64, 24, 120, 536),
    ):
        config = IC_GAN[f"icgan_biggan_imagenet_res{size}"]
        assert (config.chunk, config.noise_used) == (chunk, used)
        assert config.feature_units + config.chunk == condition
    assert IC_GAN["icgan_biggan_imagenet_res256"].first_units == 24_576
    unused = 125 * (9 * 128 + 1)  # colours that are computed there, and cut off
    assert round((parameters("biggan_deep_256") + unused) / 1e6, 1) == 55.9


def test_a_published_archive_is_read_strictly(tmp_path, monkeypatch) -> None:
    name, config = "icgan_biggan_imagenet_res64", CONFIGS["64"]
    model = biggan_peer.stirred(biggan_peer.Generator(config))
    state = {f"module.{key}": tensor for key, tensor in model.state_dict().items()}
    torch.save(state, tmp_path / "G_ema_best0.pth")
    archive = tmp_path / f"{name}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "G_ema_best0.pth", f"{name}/G_ema_best0.pth")
        tar.add(tmp_path / "G_ema_best0.pth", f"{name}/state_dict_best0.pth")
    with pytest.raises(InputError, match="shape"):  # that of another network
        pretrained.load(name, archive)
    published = CATALOGUE[name]
    publication = dataclasses.replace(
        published.publications[0], rules=biggan.generator_rules(config)
    )
    small = dataclasses.replace(
        published, shapes=lambda: biggan.generator_shapes(config), publications=(publication,)
    )
    monkeypatch.setitem(CATALOGUE, name, small)
    expected = ported(model, config)
    for path in (archive, tmp_path / "G_ema_best0.pth"):
        jax.tree.map(np.testing.assert_array_equal, pretrained.load(name, path), expected)
    torch.save({**state, "blocks.0.0.conv1.u0": torch.ones(1, 3)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="spectral"):
        pretrained.load(name, tmp_path / "other.pth")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "other.pth", "G_ema_best0.pth")
        tar.add(tmp_path / "other.pth", "G_ema_best1.pth")
    with pytest.raises(InputError, match="2 files"):
        pretrained.load(name, archive)
