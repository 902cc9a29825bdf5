"""Shapes, sizes and parameter counts of the published networks, and what small images leave."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.networks import VGG16, AlexNet, Discriminator, Generator
from tests.networks.layer_table import layer_table


def outputs(network, shape, **options):
    """Shapes of everything that the network returns for two inputs; nothing is computed."""
    example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    return jax.eval_shape(
        lambda x: network.init_with_output(jax.random.key(0), x, **options)[0], example
    )


def test_generator_has_the_published_layers():
    table = layer_table(Generator(image_size=227), (11_726,))
    assert [(layer.name, layer.output) for layer in table] == [
        ("fc7", (4096,)),
        ("fc6", (4096,)),
        ("fc5", (4096,)),
        ("deconv5", (8, 8, 256)),
        ("conv5_1", (8, 8, 512)),
        ("deconv4", (16, 16, 256)),
        ("conv4_1", (16, 16, 256)),
        ("deconv3", (32, 32, 128)),
        ("conv3_1", (32, 32, 128)),
        ("deconv2", (64, 64, 64)),
        ("deconv1", (128, 128, 32)),
        ("deconv0", (256, 256, 3)),
    ]
    fixed = sum(layer.output[-1] for layer in table if "conv" in layer.name)
    trained = sum(layer.parameters for layer in table) - fixed
    dense = sum(layer.parameters for layer in table if layer.name.startswith("fc"))
    assert (round(trained / 1e6, 1), round(dense / 1e6, 1)) == (87.3, 81.6)


def test_discriminator_has_the_published_layers():
    table = layer_table(Discriminator(), (227, 227, 3), train=False)
    assert [layer.output for layer in table] == [
        (56, 56, 32),
        (52, 52, 64),
        (25, 25, 128),
        (23, 23, 256),
        (11, 11, 256),
        (256,),
        (2,),
    ]


@pytest.mark.parametrize("size", [5, 8, 10, 16, 17, 32, 64, 100, 128, 227, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_generator_makes_any_size(size, channels):
    network = Generator(image_size=size, channels=channels, width=1 / 16, hidden=8)
    assert outputs(network, (7,)).shape == (2, size, size, channels)


def test_fewer_stages_keep_the_deep_end():
    names = [layer.name for layer in layer_table(Generator(image_size=64), (10,))]
    assert names[3:] == [
        "deconv5",
        "conv5_1",
        "deconv4",
        "conv4_1",
        "deconv3",
        "conv3_1",
        "deconv0",
    ]


def test_the_image_is_cut_out_of_the_centre():
    whole, cut = Generator(32, width=1 / 16, hidden=8), Generator(26, width=1 / 16, hidden=8)
    x = jnp.ones((1, 5))
    params = jax.jit(whole.init)(jax.random.key(0), x)
    found, expected = (jax.jit(network.apply)(params, x) for network in (cut, whole))
    np.testing.assert_allclose(found, expected[:, 3:29, 3:29], rtol=1e-6)


def test_generator_is_linear_at_its_end_and_leaky_with_slope_point_3_before():
    # One stage: with a dense layer forced to -1, the pixels are -0.3 times a sum of kernel taps.
    network = Generator(image_size=8, channels=1, width=1 / 256, hidden=1)
    x = jnp.zeros((1, 3))
    shapes = jax.eval_shape(network.init, jax.random.key(0), x)["params"]
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes)
    params["fc5"]["bias"] -= 1.0
    params["deconv0"]["kernel"] += 1.0
    image = jax.jit(network.apply)({"params": params}, x)[0, :, :, 0]
    np.testing.assert_allclose(image[2:6, 2:6], -0.3 * 4, rtol=1e-6)


def test_gradients_reach_every_parameter_but_the_fixed_biases():
    network = Generator(image_size=32, width=1 / 16, hidden=8)
    x = jax.random.normal(jax.random.key(1), (4, 5))
    params = jax.jit(network.init)(jax.random.key(0), x)["params"]
    gradients = jax.jit(jax.grad(lambda p: (network.apply({"params": p}, x) ** 2).sum()))(params)
    for layer, arrays in gradients.items():
        for name, gradient in arrays.items():
            fixed = "conv" in layer and name == "bias"
            assert (float(jnp.abs(gradient).max()) == 0.0) == fixed, (layer, name)


@pytest.mark.parametrize("size", [7, 10, 21, 32, 64, 128, 227])
def test_discriminator_takes_any_size(size):
    network = Discriminator(width=1 / 16)
    assert outputs(network, (size, size, 1), train=False).shape == (2, 2)


def test_discriminator_first_shrinks_its_stride_then_drops_layers():
    def shapes(size):
        table = layer_table(Discriminator(), (size, size, 3), train=False)
        return [layer.output[0] for layer in table if layer.name.startswith("conv")]

    assert shapes(64) == [15, 11, 5, 3, 1]  # published strides
    assert shapes(40) == [17, 13, 6, 4, 1]  # first stride 2
    assert shapes(32) == [26, 22, 10, 8, 3]  # first stride 1
    assert shapes(10) == [4]  # nothing after it fits


def test_dropout_acts_in_training_only():
    network, x = Discriminator(width=1 / 4), jax.random.normal(jax.random.key(2), (3, 16, 16, 3))
    params = jax.jit(network.init, static_argnames="train")(jax.random.key(0), x, train=False)
    keys = [{"dropout": jax.random.key(i)} for i in range(2)]
    apply = jax.jit(network.apply, static_argnames="train")
    training = [apply(params, x, train=True, rngs=key) for key in keys]
    assert not np.allclose(*training)
    np.testing.assert_array_equal(*(apply(params, x, train=False, rngs=key) for key in keys))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (227, {"relu1": 56, "pool1": 27, "relu2": 27, "pool2": 13, "relu5": 13, "pool5": 6}),
        (64, {"relu1": 15, "pool1": 7, "pool2": 3, "relu5": 3, "pool5": 1}),
        (32, {"relu1": 7, "pool1": 3, "pool2": 1, "relu5": 1, "pool5": None}),
        (10, {"relu1": 1, "pool1": None, "relu2": None}),
    ],
)
def test_alexnet_names_the_activations_that_fit(size, expected):
    found = outputs(AlexNet(), (size, size, 3))
    for name, side in expected.items():
        assert (found[name].shape[1] if name in found else None) == side, name


def test_vgg16_names_the_activations_that_fit():
    found = outputs(VGG16(), (32, 32, 3))
    assert found["relu1_2"].shape == (2, 32, 32, 64)
    assert found["pool5"].shape == (2, 1, 1, 512)
    assert "pool5" not in outputs(VGG16(), (16, 16, 3))


@pytest.mark.parametrize("network", [Generator(32, hidden=8, width=1 / 16), AlexNet()])
def test_bfloat16_keeps_float32_parameters(network):
    network = network.clone(dtype=jnp.bfloat16)
    shape = (5,) if isinstance(network, Generator) else (32, 32, 3)
    example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    result, variables = jax.eval_shape(
        lambda x: network.init_with_output(jax.random.key(0), x), example
    )
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
    assert {leaf.dtype for leaf in jax.tree.leaves(result)} == {jnp.dtype(jnp.bfloat16)}


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        (AlexNet(), (6, 6, 3), "at least 7 x 7 pixels"),
        (AlexNet(), (32, 32, 1), "expected RGB images"),
        (VGG16(), (32, 32, 1), "expected RGB images"),
        (Generator(300), (5,), "at most 256"),
    ],
)
def test_what_does_not_fit_is_rejected(network, shape, message):
    with pytest.raises(InputError, match=message):
        outputs(network, shape)


def test_an_image_smaller_than_the_first_kernel_is_rejected():
    with pytest.raises(InputError, match="expected at least 7"):
        outputs(Discriminator(), (6, 6, 3), train=False)
