"""Photographs to train on: read, freed of tested images, and divided."""

import numpy as np
import pytest
from PIL import Image

from fmri_jax.errors import InputError
from fmri_jax.pipeline import excluded_images
from fmri_jax.priors import photographs

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (12, 40, 40, 3), np.uint8)


@pytest.fixture
def folders(tmp_path):
    for name, part in (("first", PICTURES[:7]), ("second", PICTURES[7:])):
        (tmp_path / name).mkdir()
        for i, picture in enumerate(part):
            Image.fromarray(picture).save(tmp_path / name / f"{i}.png")
    return [str(tmp_path / "first"), str(tmp_path / "second")]


def test_all_or_some_of_several_folders(folders, tmp_path):
    assert np.array_equal(photographs.read(folders, 40, progress=False), PICTURES)
    some = photographs.read(folders, 40, progress=False, limit=5, seed=1)
    rows = [int(np.flatnonzero((PICTURES == one).all(axis=(1, 2, 3)))[0]) for one in some]
    assert len(rows) == 5 and rows == sorted(set(rows))
    assert len(photographs.read(folders, 40, progress=False, limit=1)) == 1
    assert len(photographs.read(folders, 40, progress=False, limit=99)) == 12
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no images"):
        photographs.read([*folders, str(tmp_path / "empty")], 40, progress=False)
    assert photographs.names_of([*folders, "gan_vc:tiny"]) == ["first", "second", "gan_vc:tiny"]


def test_near_copies_are_found_whatever_their_size_and_colour(monkeypatch):
    monkeypatch.setattr(photographs, "BLOCK", 5)  # several blocks on both sides
    smooth = np.repeat(np.repeat(PICTURES[:, ::10, ::10], 10, axis=1), 10, axis=2)
    grey = np.repeat(smooth[:3].mean(axis=-1, keepdims=True).astype(np.uint8), 3, axis=-1)
    stack = np.concatenate([smooth, grey])
    darker = (0.7 * smooth[[4, 9]]).astype(np.uint8)
    larger = np.repeat(np.repeat(darker, 2, axis=1), 2, axis=2)
    assert photographs.tested(stack, [larger, grey[2:3, ..., :1]]).nonzero()[0].tolist() == [
        *(4, 9, 14)
    ]
    assert not photographs.tested(stack, []).any()


def test_photographs_are_divided_by_the_seed():
    stack = np.arange(75, dtype=np.uint8).reshape(75, 1, 1, 1).repeat(3, axis=-1)
    first, again, other = (photographs.divide(stack, seed) for seed in (0, 0, 1))
    assert len(first.training) == 72 and len(first.held_out) == 3
    everything = np.concatenate(first[:2])[:, 0, 0, 0]
    assert sorted(everything.tolist()) == list(range(75))
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    moved = photographs.Photographs(first.training[1:], np.concatenate(first[:2])[71:])
    assert moved.fingerprint() != first.fingerprint()
    with pytest.raises(InputError, match="19 photographs are left"):
        photographs.divide(stack[:19], 0)


def test_images_of_folders_and_experiments_are_left_out(folders, monkeypatch):
    assert np.array_equal(excluded_images.read(folders[1], 40, progress=False), PICTURES[7:])
    found = {}

    def load(experiment):
        found["name"] = experiment.data_name
        return type("Recording", (), {"images": PICTURES})

    monkeypatch.setattr(excluded_images.recording_identity, "load", load)
    assert np.array_equal(excluded_images.read("gan_vc:tiny", 40), PICTURES)
    assert found["name"] == "virtual_subject"
    with pytest.raises(InputError, match="gan_vx"):
        excluded_images.read("gan_vx", 40)


def test_captions_follow_their_photographs(tmp_path):
    """By the name of a file or of its folder."""
    for name in ("cats/0.png", "cats/1.png", "dogs/0.png", "2.png"):
        path = tmp_path / "all" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PICTURES[0]).save(path)
    folders = tmp_path / "folders.csv"
    folders.write_text('folder,class\ncats,"cat, house cat"\n', encoding="utf-8")
    names = tmp_path / "files.csv"
    names.write_text("file,label\n2.png,two\ncats/1.png,a kitten\n", encoding="utf-8")
    place = str(tmp_path / "all")
    found = photographs.read_captions([place], [str(folders), str(names)])
    assert found == ["two", "cat, house cat", "a kitten", ""]
    stack = np.arange(30, dtype=np.uint8).reshape(30, 1, 1, 1).repeat(3, axis=-1)
    data = photographs.divide(stack, 0, [str(i) for i in range(30)])
    for images, words in ((data.training, data.captions), (data.held_out, data.held_out_captions)):
        assert [int(word) for word in words] == images[:, 0, 0, 0].tolist()
    assert data.fingerprint() != photographs.divide(stack, 0).fingerprint()
    other = tmp_path / "other.csv"
    other.write_text("file,label\nowl.png,owl\n", encoding="utf-8")
    with pytest.raises(InputError, match="names none of 4 photographs, such as 2.png"):
        photographs.read_captions([place], [str(other)])
    other.write_text("file,label,more\n1,2,3\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"other.csv is no table of captions \("):
        photographs.read_captions([place], [str(other)])
