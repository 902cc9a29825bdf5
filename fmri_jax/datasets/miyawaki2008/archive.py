"""Where the files of the archive are: given, unpacked or downloaded; each missing one in words."""

import dataclasses
import pathlib
import re
import shutil
import tarfile
import warnings

from fmri_jax.errors import InputError

ADDRESS = "https://www.nitrc.org/frs/download.php/8486/miyawaki2008.tgz"
ARCHIVE = "miyawaki2008.tgz"
RUNS = {"random": 20, "figure": 12}  # runs of the complete archive
MASKS = 38
LARGEST = 2 * 2**30  # bytes that it may unpack to; the published one takes a tenth


@dataclasses.dataclass(frozen=True)
class Files:
    """The files of the data set.

    Attributes:
        runs: (session, number, volumes, labels) of each run; the session is "random" or "figure".
        mask: the voxels of the visual cortex.
        rois: name -> mask of a region of interest.
    """

    runs: tuple[tuple[str, int, pathlib.Path, pathlib.Path], ...]
    mask: pathlib.Path
    rois: dict[str, pathlib.Path]

    def described(self) -> list[list[str | int]]:
        """Name, size and time of every file: what the content of a conversion depends on."""
        paths = [path for run in self.runs for path in run[2:]] + [self.mask, *self.rois.values()]
        stats = [(str(path.absolute()), path.stat()) for path in paths]
        return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]


def fetch() -> pathlib.Path:
    """Lets nilearn download the archive, or find it where it once put it.

    Raises:
        InputError: nilearn is not installed, or the download failed.
    """
    by_hand = f"download {ADDRESS} and name the file or its folder as path (config.data.path)"
    try:
        from nilearn.datasets import fetch_miyawaki2008
    except ImportError:
        raise InputError(
            "nilearn is not installed, so that miyawaki2008 cannot be downloaded: "
            f"pip install 'fmri_jax[nifti]', or {by_hand}."
        ) from None
    try:
        files = fetch_miyawaki2008(verbose=0)
    except Exception as error:  # urllib, requests, tarfile and nilearn each raise their own
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            f"nilearn could not download miyawaki2008 ({type(error).__name__}: {reason}): connect "
            f"to the network, or {by_hand}."
        ) from error
    return pathlib.Path(files.mask).parent.parent


def find(path: str, cache: pathlib.Path) -> pathlib.Path:
    """The unpacked archive that `path` leads to; one that is packed is unpacked into `cache`.

    Raises:
        InputError: there is no archive at `path`, or it is damaged.
    """
    place = pathlib.Path(path).expanduser()
    for folder in (place, place / "miyawaki2008"):
        if (folder / "func").is_dir():
            return folder
    for packed in (place, place / ARCHIVE):
        if packed.is_file():
            return _unpack(packed, cache)
    raise InputError(
        f"{place} holds no miyawaki2008: expected a folder with func, label and mask, or "
        f"{ARCHIVE}; download it from {ADDRESS}, or leave path empty to let nilearn do so."
    )


def list_files(folder: pathlib.Path) -> Files:
    """The files of an unpacked archive, all of them there.

    Raises:
        InputError: a file is missing.
    """
    runs = [run for session in RUNS for run in _runs(folder, session)]
    mask = folder / "mask" / "mask.nii.gz"
    if not mask.is_file():
        raise InputError(_missing(mask))
    rois = {
        path.name.removesuffix(".nii.gz"): path
        for path in sorted(mask.parent.glob("[LR]H*.nii.gz"))
    }
    if len(rois) != MASKS:
        warnings.warn(f"{mask.parent} holds {len(rois)} of {MASKS} ROI masks.", stacklevel=2)
    return Files(tuple(runs), mask, rois)


def _runs(folder: pathlib.Path, session: str) -> list[tuple[str, int, pathlib.Path, pathlib.Path]]:
    found = []
    for volumes in sorted((folder / "func").glob(f"data_{session}_run*.nii.gz")):
        if match := re.fullmatch(rf"data_{session}_run(\d+)\.nii\.gz", volumes.name):
            name = volumes.name.replace(".nii.gz", "_label.csv")
            labels = folder / "label" / name
            if not labels.is_file():
                raise InputError(_missing(labels))
            found.append((session, int(match[1]), volumes, labels))
    if not found:
        raise InputError(_missing(folder / "func" / f"data_{session}_run01.nii.gz"))
    if (most := max(number for _, number, _, _ in found)) > RUNS[session]:
        raise InputError(
            f"{folder} holds a {session} run {most}: expected at most {RUNS[session]} such runs, "
            "those of one subject."
        )
    if len(found) != RUNS[session]:
        warnings.warn(
            f"{folder} holds {len(found)} of {RUNS[session]} {session} runs: the download may be "
            "incomplete.",
            stacklevel=3,
        )
    return found


def _missing(path: pathlib.Path) -> str:
    return (
        f"{path} is missing: expected the unpacked miyawaki2008 archive; download it again from "
        f"{ADDRESS}, and name the file or its folder as path (config.data.path)."
    )


def _check_size(archive: tarfile.TarFile, packed: pathlib.Path, cache: pathlib.Path) -> None:
    """Rejects an archive that unpacks to far more than the published one, or than there is room."""
    size, room = 0, _room(cache)
    for member in archive:  # stops at the first that is too large
        size += member.size
        if size > min(LARGEST, room):
            raise InputError(
                f"{packed} unpacks to more than {size / 2**30:.1f} GiB: expected at most "
                f"{LARGEST / 2**30:.0f}, and there are {room / 2**30:.1f} free at {cache}; "
                f"download it again from {ADDRESS}, or free some room."
            )


def _room(folder: pathlib.Path) -> int:
    """Bytes that are free where a folder is, or will be made."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(there).free


def _unpack(packed: pathlib.Path, cache: pathlib.Path) -> pathlib.Path:
    """Unpacks beside its place and renames, so that what is there is complete."""
    stat = packed.stat()
    place = cache / f"miyawaki2008-{stat.st_size}-{stat.st_mtime_ns}"
    partial = place.with_name(place.name + ".partial")
    if not place.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
        try:
            with tarfile.open(packed) as archive:
                _check_size(archive, packed, cache)
                archive.extractall(partial, filter="data")  # refuses paths that lead elsewhere
            partial.rename(place)
        except (OSError, EOFError, tarfile.TarError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise InputError(
                f"{packed} cannot be unpacked into {cache} ({error}): expected a whole {ARCHIVE}; "
                f"download it again from {ADDRESS}, or free some room."
            ) from error
    for folder in (place, *sorted(place.iterdir())):
        if (folder / "func").is_dir():
            return folder
    raise InputError(f"{packed} holds no folder func: expected {ARCHIVE} from {ADDRESS}.")
