"""Good files of every format, and how each is read."""

import dataclasses
import os
import pathlib
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Target:
    """A good file and what reads it.

    Attributes:
        path: of the file.
        read: reads the file, or what it is a part of.
        apart: whether that happens in a process of `fmri_jax.apart`, which makes one message of
            whatever ends it, a traceback or a signal.
    """

    path: pathlib.Path
    read: Callable[[], Any]
    apart: bool = True


def targets(folder: pathlib.Path) -> list[Target]:
    """All of them; `write` has made their files."""
    return [
        *_recordings(folder),
        *_images(folder),
        *_weights(folder),
        *_published(folder / "scenes"),
        *_reports(folder / "run"),
    ]


def write(folder: pathlib.Path) -> None:
    """Writes the good files."""
    import h5py
    from scipy import io

    from tests.data import builders
    from tests.report import synthetic_workdirs

    arrays = builders.arrays()
    np.savez_compressed(folder / "good.npz", **arrays)
    old = {key: arrays[key] for key in ("fmri", "stimulus", "images")}
    io.savemat(folder / "good.mat", old)
    io.savemat(folder / "packed.mat", old, do_compression=True)
    with h5py.File(folder / "good73.mat", "w") as file:
        for key, value in old.items():
            file[key] = value.T
    builders.bdata().save(str(folder / "good.h5"))
    builders.synset_images(folder / "images")
    builders.bids_dataset(folder / "bids")
    np.save(folder / "good.npy", np.zeros((4, 6, 6, 3), np.uint8))
    _write_images(folder / "pictures")
    _write_weights(folder)
    _write_scenes(folder / "scenes")
    synthetic_workdirs.write_photographs(folder / "run", n_test=4, size=16)


def _recordings(folder: pathlib.Path) -> list[Target]:
    from fmri_jax.data import array_files
    from fmri_jax.data.readers import mat, npz
    from fmri_jax.data.readers.bdata_recording import load as load_bdata
    from fmri_jax.data.readers.nifti import load as load_nifti

    def of_mat(name: str) -> Target:
        return Target(folder / name, lambda: mat.load(str(folder / name)))

    bids = folder / "bids"
    scans = {"masks": str(bids / "masks"), "images": str(bids / "stimuli")}
    files = (next(bids.rglob("*bold.nii.gz")), bids / "masks/V1.nii.gz")
    return [
        Target(folder / "good.npz", lambda: npz.load(str(folder / "good.npz"))),
        Target(folder / "good.npy", lambda: array_files.arrays_of(str(folder / "good.npy"))),
        *map(of_mat, ("good.mat", "packed.mat", "good73.mat")),
        Target(
            folder / "good.h5",
            lambda: load_bdata(str(folder / "good.h5"), images=str(folder / "images")),
        ),
        *[
            Target(path, lambda: load_nifti(str(bids), **scans))
            for path in (*files, next(bids.rglob("*events.tsv")))
        ],
    ]


def _write_images(folder: pathlib.Path) -> None:
    from tests.data import builders

    content = {}
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"):
        content[f"good.{kind.lower()}"] = builders.encoded(builders.photo(), kind)
    for name, packed in content.items():
        (folder / name[5:]).mkdir(parents=True)
        (folder / name[5:] / name).write_bytes(packed)
    (folder / "zip").mkdir()
    builders.zipped(folder / "zip" / "good.zip", {"a.png": content["good.png"]})


def _images(folder: pathlib.Path) -> list[Target]:
    from fmri_jax.data.images import decoded, headers, list_images

    def both(path: pathlib.Path) -> None:
        place = str(path if path.suffix == ".zip" else path.parent)
        names = list_images(place)
        headers(place, names)
        decoded(place, names, 8)

    paths = sorted((folder / "pictures").rglob("good.*"))
    listed = folder / "pictures/zip/good.zip"  # its directory is read in the parent
    return [
        *[Target(path, lambda path=path: both(path)) for path in paths],  # type: ignore[misc]
        Target(listed, lambda: list_images(str(listed)), apart=False),
    ]


def _write_weights(folder: pathlib.Path) -> None:
    from safetensors.numpy import save_file

    from tests.peers import peer
    from tests.pretrained import caffe_messages

    torch = peer("torch")
    weights = {"a": np.ones((3, 4), np.float32), "b": [np.arange(5), {"c": np.zeros(2)}]}
    (folder / "good.ckpt").write_bytes(pickle.dumps(weights, protocol=3))
    for zipped in (True, False):
        state = {"a": torch.ones(3, 4), "b": torch.arange(5)}
        path = folder / f"good{int(zipped)}.pth"
        torch.save(state, path, _use_new_zipfile_serialization=zipped)
    save_file({"a": np.ones((3, 4), np.float32), "b": np.arange(5)}, folder / "good.safetensors")
    (folder / "good.caffemodel").write_bytes(
        caffe_messages.write_net({"conv1": [np.ones((4, 3, 2, 2)), np.ones(4)]})
    )


def _weights(folder: pathlib.Path) -> list[Target]:
    from fmri_jax.pretrained import caffemodel, tensors, unpickle

    readers: dict[str, Callable[[str], Any]] = {
        "good.ckpt": unpickle.read_arrays,
        "good0.pth": unpickle.read_torch,
        "good1.pth": unpickle.read_torch,
        "good.caffemodel": caffemodel.read_caffemodel,
        "good.safetensors": lambda name: tensors.load_safetensors(pathlib.Path(name)),
    }
    # They are to raise no tracebacks by themselves, wherever they run.
    return [
        Target(folder / name, lambda name=name, read=read: read(str(folder / name)), apart=False)  # type: ignore[misc]
        for name, read in readers.items()
    ]


def _write_scenes(folder: pathlib.Path) -> None:
    from tests.datasets import test_natural_scenes as scenes

    folder.mkdir()
    floats = (np.moveaxis(scenes.IMAGES, -1, 1) / 255).astype(np.float16)
    scenes.write(folder / "betas_all_subj02_fp32_renorm.hdf5", betas=scenes.BETAS)
    scenes.write(folder / "COCO_73k_subj_indices.hdf5", subj02=scenes.ORDER)
    scenes.write(folder / "coco_images_224_float16.hdf5", images=floats)
    np.save(folder / "shared1000.npy", scenes.SHARED)


def _published(folder: pathlib.Path) -> list[Target]:
    from fmri_jax.datasets import natural_scenes

    def read() -> Any:
        return natural_scenes.converted(2, 6, 1, str(folder), imagery=False, captions=False)

    return [Target(path, read) for path in sorted(folder.iterdir())]


def _reports(folder: pathlib.Path) -> list[Target]:
    """The files of a run, which its page is made of, in the process that makes it."""
    from fmri_jax.report.io import workdir

    names = [name for name in workdir.READ if os.path.exists(folder / name)]
    return [Target(folder / name, lambda: workdir.read(folder), apart=False) for name in names]
