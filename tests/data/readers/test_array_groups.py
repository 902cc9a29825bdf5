"""Groups and categories of images, as labs write them."""

from pathlib import Path

import numpy as np
import pytest
from scipy import io

from fmri_jax.data import load
from fmri_jax.data.inspect import summary
from fmri_jax.data.readers.npz import save_npz
from fmri_jax.errors import InputError
from tests.data import builders


@pytest.fixture
def arrays() -> builders.Arrays:
    return builders.arrays()


def written(path: Path, arrays: builders.Arrays) -> str:
    np.savez(path, **arrays)
    return str(path)


def test_labels_of_images_are_kept_and_numbered(arrays, tmp_path):
    n = len(arrays["images"])
    movies = np.array((["A", "B", "n/a"] * n)[:n])
    changed = arrays | {"groups": movies, "categories": np.arange(n) // 2 - 1}
    plain = load(written(tmp_path / "plain.npz", arrays))
    recording = load(written(tmp_path / "a.npz", changed))
    assert recording.groups[:3] == ("A", "B", "")
    assert recording.group_numbers[:4].tolist() == [0, 1, -1, 0]
    assert recording.category_numbers.tolist() == (np.arange(n) // 2 - 1).tolist()
    assert recording.fingerprint() == plain.fingerprint()  # runs begun without are resumed
    assert plain.groups == () and (plain.group_numbers == -1).all()
    save_npz(recording, tmp_path / "again.npz")
    again = load(str(tmp_path / "again.npz"))
    assert (again.groups, again.categories) == (recording.groups, recording.categories)


def test_labels_of_trials_under_another_key(arrays, tmp_path):
    condition = arrays["stimulus"] % 2 + 2
    path = written(tmp_path / "a.npz", arrays | {"condition": condition})
    assert load(path).groups == ()
    found = load("file", path=path, groups="condition").groups
    assert found == tuple(str(2 + i % 2) for i in range(len(arrays["images"])))
    with pytest.raises(InputError, match="no key 'conditions'"):
        load("file", path=path, groups="conditions")
    changing = arrays | {"groups": np.arange(len(arrays["stimulus"]))}
    with pytest.raises(InputError, match="the same in all of them"):
        load(written(tmp_path / "b.npz", changing))


def test_matlab_s_cells_and_columns(arrays, tmp_path):
    n = len(arrays["images"])
    cells = np.empty((n, 1), object)
    cells[:, 0] = ["face", "house", *["face"] * (n - 2)]
    needed = {key: arrays[key] for key in ("fmri", "stimulus", "images")}
    values = needed | {"groups": np.arange(n)[:, None], "categories": cells}
    io.savemat(tmp_path / "a.mat", values)
    recording = load(str(tmp_path / "a.mat"))
    assert recording.categories[:3] == ("face", "house", "face")
    assert recording.groups == tuple(map(str, range(n)))


@pytest.mark.parametrize(
    ("labels", "words"), [(np.zeros(5), "one per image"), (np.full(6, 0.5), "not whole")]
)
def test_what_cannot_be_labels_is_rejected(arrays, tmp_path, labels, words):
    with pytest.raises(InputError, match=words):
        load(written(tmp_path / "a.npz", arrays | {"groups": labels}))


def test_a_recording_says_what_it_is_of(arrays, tmp_path, capsys):
    path = written(tmp_path / "a.npz", arrays | {"modality": "Spikes"})
    recording = load(path)
    assert recording.modality == "spikes" and not recording.simulated
    save_npz(recording, tmp_path / "b.npz")
    assert load(str(tmp_path / "b.npz")).modality == "spikes"
    assert load("file", path=path, modality="meg").modality == "MEG"
    said = load(written(tmp_path / "c.npz", arrays | {"modality": "simulated"}))
    assert said.simulated and said.modality == "fMRI"
    assert load(written(tmp_path / "d.npz", arrays)).modality == "fMRI"
    assert "24 trials x 10 neurons" in summary.describe(summary.inspect(path))
    with pytest.raises(InputError, match="a word or two"):
        load(written(tmp_path / "e.npz", arrays | {"modality": "x" * 50}))
