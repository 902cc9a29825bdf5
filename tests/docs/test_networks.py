"""The page names every feature network, and the addresses that the package downloads from."""

from pathlib import Path

from fmri_jax.features.registry import NETWORKS
from fmri_jax.pretrained.caffe_networks import CAFFE_NETWORKS
from fmri_jax.pretrained.catalogue import CATALOGUE
from fmri_jax.pretrained.deep_generator import DEEP_GENERATORS

PAGE = (Path(__file__).parents[2] / "docs" / "networks.md").read_text()


def test_networks_and_addresses_are_the_packages_own():
    for name, network in NETWORKS.items():
        assert f"`{name}`" in PAGE
        assert not network.dense_weights or f"`{network.dense_weights}`" in PAGE
    described = (*CAFFE_NETWORKS, *DEEP_GENERATORS, "alexnet_dense", "vgg16_dense")
    for publication in (p for name in described for p in CATALOGUE[name].publications):
        assert publication.origin in PAGE
