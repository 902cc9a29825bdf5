"""A pickle is opened only as far as it holds arrays; nothing of a stranger's ever runs."""

import os
import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.pretrained import unpickle
from fmri_jax.pretrained.unpickle import load_arrays, load_torch
from tests.peers import peer

torch = peer("torch")


class Malicious:
    """Runs a command as soon as it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def write_pickle(path, content):
    path.write_bytes(pickle.dumps(content, protocol=3))
    return path


def test_arrays_in_dicts_lists_and_tuples_come_back(tmp_path):
    rng = np.random.default_rng(0)
    content = {
        "a": [rng.normal(size=(2, 3)).astype(np.float32)],
        "b": (np.arange(4), OrderedDict()),
    }
    found = load_arrays(write_pickle(tmp_path / "w.ckpt", content))
    np.testing.assert_array_equal(found["a"][0], content["a"][0])
    np.testing.assert_array_equal(found["b"][0], content["b"][0])


def test_weights_are_read_in_another_process_and_equal(tmp_path, monkeypatch):
    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "b.bias": torch.ones(4).half()}
    torch.save(state, tmp_path / "w.pth")
    monkeypatch.setenv("FMRI_JAX_READ_APART", "1")
    monkeypatch.setattr(unpickle, "read_torch", lambda _: pytest.fail("it was read here"))
    found = load_torch(tmp_path / "w.pth")
    assert list(found) == list(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())
        assert found[name].dtype == tensor.numpy().dtype
    evil = write_pickle(tmp_path / "evil.ckpt", Malicious(tmp_path / "it_ran"))
    with pytest.raises(InputError, match=r"evil\.ckpt asks for posix\.system"):
        load_arrays(evil)


def test_readers_of_weights_import_no_jax():
    code = "import sys, fmri_jax.pretrained.unpickle, fmri_jax.pretrained.caffemodel\n"
    code += "print(sorted({'jax', 'flax', 'torch', 'PIL'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_malicious_pickle_is_refused_and_does_not_run(tmp_path, wrapped):
    marker = tmp_path / "it_ran"
    content = Malicious(marker)
    if wrapped:  # inside an array of objects, which NumPy itself would unpickle
        content = {"kernel": np.array([content], dtype=object)}
    path = write_pickle(tmp_path / "evil.ckpt", content)
    with pytest.raises(InputError, match=r"evil\.ckpt asks for posix\.system: expected a file of"):
        load_arrays(path)
    assert not marker.exists()
    pickle.loads(path.read_bytes())
    assert marker.exists()  # it would have run


@pytest.mark.parametrize(
    "name", ["builtins eval", "numpy load", "numpy.core.multiarray fromfile", "torch load"]
)
def test_every_other_name_is_rejected(tmp_path, name):
    path = tmp_path / "w.ckpt"
    path.write_bytes(b"c" + name.replace(" ", "\n").encode() + b"\n(tR.")
    with pytest.raises(InputError, match=f"asks for {name.replace(' ', '.')}"):
        load_arrays(path)


class Asks:
    """Pickled, it is a call of `function` with `arguments`, and perhaps a state."""

    def __init__(self, function, *arguments, state=None):
        self.parts = (function, arguments, *([] if state is None else [state]))

    def __reduce__(self):
        return self.parts


POINTER = b"\x41" * 8
FLOAT = (3, ">", None, None, None, -1, -1, 0)
RECORD = (3, "<", None, ("a",), {"a": (np.dtype("f8"), 0)}, 8, 1, 16)
EMPTY = np.ndarray(0).__reduce__()[0]


def array_of(dtype, content):
    """A pickled array of one entry."""
    return Asks(EMPTY, np.ndarray, (0,), b"b", state=(1, (1,), dtype, False, content))


UNSAFE = {
    "array of pointers": Asks(np.ndarray, (1,), Asks(np.dtype, "O"), POINTER),
    "objects from bytes": array_of(Asks(np.dtype, "O"), POINTER),
    "list of objects": array_of(Asks(np.dtype, "O"), [1]),
    "records": array_of(Asks(np.dtype, "V8", state=RECORD), POINTER),
    "record type": array_of(Asks(np.dtype, "O,i4"), POINTER * 2),
    "texts": array_of(Asks(np.dtype, "U2"), POINTER),
    "dates": array_of(Asks(np.dtype, "M8"), POINTER),
    "too few bytes": array_of(Asks(np.dtype, "f8"), b"1234"),
    "too many bytes": array_of(Asks(np.dtype, "f8"), POINTER * 2),
    "no content": Asks(EMPTY, np.ndarray, (0,), b"b"),
    "a type": np.dtype("f4"),
    "a function": EMPTY,
}


@pytest.mark.parametrize("name", UNSAFE)
def test_an_array_that_is_not_of_numbers_is_refused_before_it_is_made(tmp_path, name):
    path = write_pickle(tmp_path / "w.ckpt", {"kernel": [UNSAFE[name]]})
    with pytest.raises(InputError, match="cannot be read as pickled arrays"):
        load_arrays(path)


def test_a_pickle_does_not_change_what_arrays_are_made_of(tmp_path):
    """NumPy keeps one type of floats for the whole process: a file must not swap its bytes."""
    path = tmp_path / "w.ckpt"
    load_arrays(
        write_pickle(path, array_of(Asks(np.dtype, "f8", False, False, state=FLOAT), POINTER))
    )
    assert np.dtype("f8").isnative
    changed = (
        pickle.dumps(EMPTY, protocol=3)[:-1] + pickle.dumps({"a": 1}, protocol=3)[2:-1] + b"b."
    )
    path.write_bytes(changed)
    with pytest.raises(InputError, match="gives a state to a function"):
        load_arrays(path)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(24, dtype=np.int16).reshape(2, 3, 4)[:, ::2],
        np.array(3.5, np.float16),
        np.zeros((0, 4), np.uint8),
        np.array([True, False]),
    ],
)
def test_arrays_of_every_order_and_number_come_back(tmp_path, array):
    twice = load_arrays(write_pickle(tmp_path / "w.ckpt", {"a": array, "b": [array]}))
    assert type(twice["a"]) is np.ndarray and twice["a"].dtype == array.dtype
    assert twice["b"][0] is twice["a"] and twice["a"].flags.writeable
    np.testing.assert_array_equal(twice["a"], array)


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps({"a": 1})[:-3]])
def test_a_damaged_pickle_is_rejected(tmp_path, content):
    path = tmp_path / "w.ckpt"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as pickled arrays"):
        load_arrays(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pytorch_file_is_read_as_pytorch_reads_it(tmp_path, zipped):
    torch.manual_seed(0)
    whole = torch.randn(6, 4, 3, 3)
    state = OrderedDict(
        {
            "plain": whole,
            "transposed": whole.permute(3, 1, 0, 2),
            "part_of_a_storage": whole[2:4, 1],
            "half": torch.randn(5).half(),
            "double": torch.randn(5, 2).double(),
            "parameter": torch.nn.Parameter(torch.randn(3)).data,
            "batches_seen": torch.tensor(7),
        }
    )
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    found = load_torch(tmp_path / "w.pth")
    assert list(found) == list(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pytorch_file_is_refused_and_does_not_run(tmp_path, zipped):
    marker = tmp_path / "it_ran"
    content = {"kernel": Malicious(marker)}
    torch.save(content, tmp_path / "evil.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"evil\.pth asks for posix\.system"):
        load_torch(tmp_path / "evil.pth")
    assert not marker.exists()


def test_a_tensor_beyond_its_storage_is_rejected(tmp_path):
    """Strides and offset are the file's own words: they must not read foreign memory."""
    torch.save({"w": torch.zeros(3, 3)}, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (index,) = [name for name in members if name.endswith("data.pkl")]
    shape = b"K\x03K\x03\x86"  # (3, 3) as two one-byte integers and a tuple of them
    assert members[index].count(shape) == 1
    members[index] = members[index].replace(shape, b"K\x7fK\x03\x86")
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="reaches beyond its storage"):
        load_torch(tmp_path / "w.pth")


def test_a_tensor_made_of_another_tensor_is_rejected():
    """Ten views of the last number have the size of ten numbers, and nine lie behind the end."""
    last = unpickle._tensor(np.arange(10.0), 9, (10,), (0,))
    with pytest.raises(ValueError, match="something else than a storage"):
        unpickle._tensor(last, 0, (10,), (1,))


def test_a_truncated_file_of_the_older_format_is_rejected(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"w": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="cannot be read as a PyTorch state dict"):
            load_torch(path)


def test_files_of_another_content_are_refused_by_load(tmp_path):
    with pytest.raises(InputError, match=r"w\.ckpt holds a list: expected pickled dicts of arrays"):
        pretrained.load("alexnet", write_pickle(tmp_path / "w.ckpt", [1, 2]))
    for ending in ("pth", "pt"):  # PyTorch's two
        torch.save({0: torch.zeros(3)}, tmp_path / f"w.{ending}")
        with pytest.raises(InputError, match="holds '0', which no rule maps"):
            pretrained.load("alexnet", tmp_path / f"w.{ending}")


def test_a_stride_that_is_no_python_integer_is_rejected():
    """NumPy's integers wrap: 2**61 + 3 steps of 8 bytes would read memory of others."""
    for step in (np.int64(2**61 + 3), np.asarray(2**61 + 3)):
        with pytest.raises(ValueError, match="a storage and integers"):
            unpickle._tensor(np.arange(5.0), 0, (5,), (step,))


def test_nine_bytes_that_number_a_part_a_thousand_million_are_refused(tmp_path):
    """The unpickler would make room for as many parts, of 8 bytes each."""
    path = tmp_path / "w.ckpt"
    path.write_bytes(b"\x80\x02Nr\x00\x00\x00\x40.")
    for load in (load_arrays, load_torch):
        with pytest.raises(InputError, match=r"its part 2 has the number 1073741824"):
            load(path)


def test_parts_that_are_held_twice_forty_times_over_are_refused(tmp_path):
    content = {"kernel": np.ones(3, np.float32)}
    for _ in range(40):
        content = {"a": content, "b": content}
    with pytest.raises(InputError, match="it holds more than 1000000 entries"):
        load_arrays(write_pickle(tmp_path / "w.ckpt", content))


def test_one_array_under_two_names_is_one_array_and_the_same_numbers_in_many_are_refused(tmp_path):
    array = np.ones(100_000, np.float32)
    found = load_arrays(write_pickle(tmp_path / "w.ckpt", [array, {"again": array}]))
    assert found[0] is found[1]["again"]
    tied = torch.ones(100_000)
    torch.save({"a": tied, "b": tied}, tmp_path / "w.pth")
    assert load_torch(tmp_path / "w.pth").keys() == {"a", "b"}
    for zipped in (True, False):
        many = {str(number): tied for number in range(200)}
        torch.save(many, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
        with pytest.raises(InputError, match="its arrays would take 76 MiB, [0-9]+ times the file"):
            load_torch(tmp_path / "w.pth")


def test_members_of_an_archive_that_unpack_to_far_more_are_refused(tmp_path):
    torch.save({"a": torch.zeros(4_000_000)}, tmp_path / "w.pth")
    with (
        zipfile.ZipFile(tmp_path / "w.pth") as stored,
        zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))
    with pytest.raises(InputError, match="its arrays would take 15 MiB"):
        load_torch(tmp_path / "packed.pth")
