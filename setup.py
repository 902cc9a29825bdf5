"""What pyproject.toml cannot say: `experiments/` is installed as fmri_jax/experiments."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["fmri_jax", "fmri_jax.*"]), "fmri_jax.experiments"],
    package_dir={"fmri_jax.experiments": "experiments"},
)
