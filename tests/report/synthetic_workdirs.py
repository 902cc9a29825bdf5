"""Writes workdirs as a run leaves them: a colour GAN with three test sets, and 20 binary folds.

The images are real photographs' crops and drawn figures; the "reconstructions" are blurred and
noisy copies, and every score of the tables is computed from them, so that the page can be checked
against the arrays. `python tests/report/synthetic_workdirs.py FOLDER` writes both.
"""

import json
import pathlib
import sys

import numpy as np
from scipy import ndimage

from fmri_jax.evaluation.intervals import Score
from fmri_jax.evaluation.notes import Note
from fmri_jax.evaluation.results import ImageScores, Results

NAMES = ("lighthouse", "owl", "teapot", "bicycle", "iceberg", "harp", "goldfish", "airship")
COLOURS = ("red", "green", "blue", "white", "yellow")


def write_photographs(
    folder: pathlib.Path,
    n_test: int = 50,
    size: int = 64,
    simulated: bool = True,
    strength: float = 1.0,
    seed: int = 0,
) -> pathlib.Path:
    """A simulated RGB run: 'test', 'shapes' and 'letters', ridge beside it, training curves.

    The images depend on `n_test` and `size` alone; the reconstructions on `seed`, and they are the
    closer to the images the greater `strength`.
    """
    rng = np.random.default_rng(0)
    parts = {
        "test": (crops(rng, n_test, size), 0.55),
        "shapes": (shapes(rng, 12, size), 0.45),
        "letters": (shapes(rng, 6, size, grey=True), 0.4),
        "train": (crops(rng, 16, size), 0.9),
    }
    targets = np.concatenate([images for images, _ in parts.values()])
    split = np.repeat(list(parts), [len(images) for images, _ in parts.values()])
    quality = np.repeat([q for _, q in parts.values()], [len(i) for i, _ in parts.values()])
    rng = np.random.default_rng(seed)
    quality = np.clip(strength * quality + 0.18 * rng.standard_normal(len(targets)), 0.03, 0.97)
    arrays = {
        "targets": targets,
        "reconstructions": degraded(rng, targets, quality, blur=size / 24),
        "baseline_ridge": degraded(rng, targets, quality * 0.8, blur=size / 9),
        "stimulus": np.arange(len(targets), dtype=np.int32),
        "split": split,
        "fold": np.full(len(targets), "all"),
    }
    names = [f"{NAMES[i % len(NAMES)]} {i // len(NAMES) + 1}" for i in range(len(targets))]
    curves = [
        {"step": step, "fold": "all", **_losses(rng, step / 2000)} for step in range(0, 2001, 10)
    ]
    run = _run(
        "gan", "gan_vc", "End-to-end GAN from the whole visual cortex", simulated, len(names)
    )
    run["text"] = "Voxels of the whole visual cortex view photographs, shapes and letters."
    return _write(folder, arrays, names, run, curves)


def write_binary(folder: pathlib.Path, n_images: int = 20, repeats: int = 6) -> pathlib.Path:
    """A recorded run of 10x10 binary figures, one fold a left-out image."""
    rng = np.random.default_rng(1)
    images = (shapes(rng, n_images, 10, grey=True)[..., :1] > 0.5).astype(np.float32)
    stimulus = np.repeat(np.arange(n_images, dtype=np.int32), repeats)
    targets = images[stimulus]
    noisy = targets + 0.38 * rng.standard_normal(targets.shape)
    quality = np.clip(0.75 + 0.2 * rng.standard_normal(len(targets)), 0.1, 1)[:, None, None, None]
    arrays = {
        "targets": targets,
        "reconstructions": np.clip(quality * noisy, 0, 1).astype(np.float32),
        "stimulus": stimulus,
        "split": np.full(len(targets), "test"),
        "fold": np.array([f"stimulus {index}" for index in stimulus]),
    }
    names = [f"figure {index + 1}" for index in stimulus]
    curves = [
        {"step": step, "fold": f"stimulus {fold}", **_losses(rng, step / 400)}
        for fold in range(n_images)
        for step in range(0, 401, 20)
    ]
    title = "Figures from V1, leaving one image out"
    return _write(folder, arrays, names, _run("gan", "gan_miyawaki", title, False, 120), curves)


def crops(rng: np.random.Generator, n: int, size: int) -> np.ndarray:
    """(n, size, size, 3) in [0, 1]: pieces of the photographs that scikit-image bundles."""
    from skimage import data, transform

    photographs = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket()]
    images = []
    for i in range(n):
        photograph = photographs[i % len(photographs)]
        side = int(rng.integers(120, 260))
        top = int(rng.integers(0, photograph.shape[0] - side))
        left = int(rng.integers(0, photograph.shape[1] - side))
        piece = photograph[top : top + side, left : left + side] / 255.0
        images.append(transform.resize(piece, (size, size), anti_aliasing=True))
    return np.array(images, np.float32)


def shapes(rng: np.random.Generator, n: int, size: int, grey: bool = False) -> np.ndarray:
    """(n, size, size, 3): squares, rings, crosses and bars in flat colours on black."""
    y, x = np.mgrid[:size, :size] / (size - 1) * 2 - 1
    colours = np.array([(0.9, 0.2, 0.2), (0.2, 0.8, 0.3), (0.2, 0.3, 0.9), (1, 1, 1), (1, 0.9, 0)])
    images = np.zeros((n, size, size, 3), np.float32)
    for i in range(n):
        dx, dy = rng.uniform(-0.2, 0.2, 2)
        extent = np.maximum(abs(x - dx), abs(y - dy))
        masks = (
            (extent < 0.6) & (extent > 0.25),
            (extent < 0.65) & ((abs(x - dx) < 0.2) | (abs(y - dy) < 0.2)),
            np.hypot(x - dx, y - dy) < 0.6,
            (extent < 0.6) & (y > x),
        )
        images[i, masks[i % 4]] = 1.0 if grey else colours[i % 5]
    return images


def degraded(
    rng: np.random.Generator, images: np.ndarray, quality: np.ndarray, blur: float
) -> np.ndarray:
    """Blurred, faded and noisy copies, float32 in [0, 1]; `quality` (n,) in [0, 1]."""
    smooth = ndimage.gaussian_filter(images, (0, blur, blur, 0))
    noise = ndimage.gaussian_filter(rng.standard_normal(images.shape), (0, blur, blur, 0))
    noise /= noise.std()
    weight = quality[:, None, None, None]
    mean = images.mean(axis=(0, 1, 2))
    mixed = mean + weight * (smooth - mean) + 0.25 * (1 - weight) * noise
    return np.clip(mixed, 0, 1).astype(np.float32)


def per_image(targets: np.ndarray, guesses: np.ndarray, binary: bool) -> dict[str, np.ndarray]:
    """Scores of each image of one set, computed plainly."""
    from skimage.metrics import structural_similarity

    n = len(targets)
    x, y = (images.reshape(n, -1).astype(float) for images in (targets, guesses))
    x, y = ((z - z.mean(1, keepdims=True)) / (z.std(1, keepdims=True) + 1e-12) for z in (x, y))
    similarity = y @ x.T / x.shape[1]
    own = np.diag(similarity)[:, None]
    others = (own > similarity) + 0.5 * (own == similarity)
    pairwise = (others.sum(1) - 0.5) / max(n - 1, 1)
    window = 9 if binary else 11
    ssim = [
        structural_similarity(t, g, win_size=window, data_range=1, channel_axis=-1)
        for t, g in zip(targets, guesses, strict=True)
    ]
    scores = {
        "pixel_correlation": np.diag(similarity),
        "ssim": np.array(ssim),
        "mse": ((targets - guesses) ** 2).reshape(n, -1).mean(1),
        "identification_2way": pairwise,
        "identification_10way": pairwise**9,
    }
    if binary:
        scores["accuracy"] = ((guesses > 0.5) == (targets > 0.5)).reshape(n, -1).mean(1)
    else:
        scores["lpips"] = 0.8 - 0.6 * np.diag(similarity)  # stands in: no network in these tests
    return scores


def _interval(values: np.ndarray) -> Score:
    """Mean with a normal 95 % interval."""
    half = 1.96 * values.std() / np.sqrt(len(values))
    mean = values.mean()
    return Score(float(mean), float(mean - half), float(mean + half))


def _write(
    folder: pathlib.Path, arrays: dict, names: list[str], run: dict, curves: list[dict]
) -> pathlib.Path:
    """Scores the arrays and writes the five files."""
    folder.mkdir(parents=True, exist_ok=True)
    targets, guesses, split = (arrays[key] for key in ("targets", "reconstructions", "split"))
    binary = targets.shape[-1] == 1
    sets, baselines, by_image = {}, {}, []
    for name in dict.fromkeys(split.tolist()):
        rows = np.flatnonzero(split == name)
        found = per_image(targets[rows], guesses[rows], binary)
        sets[name] = {metric: _interval(values) for metric, values in found.items()}
        for place, row in enumerate(rows):
            entry = {metric: float(values[place]) for metric, values in found.items()}
            stimulus = int(arrays["stimulus"][row])
            by_image.append(ImageScores(int(row), entry, stimulus, names[row], name))
    test = np.flatnonzero(split == "test")
    rng = np.random.default_rng(2)
    mean = np.broadcast_to(targets[test].mean(0), targets[test].shape)
    guesses_of = {"mean_image": mean, "shuffled_fmri": guesses[rng.permutation(test)]}
    if binary:
        guesses_of["all_black"] = np.zeros_like(mean)
    if "baseline_ridge" in arrays:
        guesses_of["ridge"] = arrays["baseline_ridge"][test]
    for name, images in guesses_of.items():
        found = per_image(targets[test], images, binary)
        baselines[name] = {metric: Score(float(v.mean())) for metric, v in found.items()}
    scores = Results(
        sets=sets,
        baselines=baselines,
        chance={"identification_2way": 0.5, "identification_10way": 0.1},
        per_image=tuple(by_image),
        notes=(Note("remark", "info", "Scores are means; this run was drawn, not trained."),),
    ).to_json()
    np.savez_compressed(folder / "reconstructions.npz", **arrays)
    for file, content in (("scores", scores), ("run", run), ("config", _config(run))):
        (folder / f"{file}.json").write_text(json.dumps(content, indent=1, default=float))
    lines = "".join(json.dumps(line) + "\n" for line in curves)
    (folder / "metrics.jsonl").write_text(lines)
    return folder


def _losses(rng: np.random.Generator, t: float) -> dict[str, float]:
    """Loss terms at a fraction `t` of the training."""
    noise = np.exp(0.08 * rng.standard_normal(4))
    return {
        "loss_image": float(noise[0] * (0.02 + 1.2 * np.exp(-6 * t))),
        "loss_feature": float(noise[1] * (0.5 + 1.5 * np.exp(-4 * t))),
        "loss_adversarial": float(noise[2] * (0.7 + 0.4 * t)),
        "loss_discriminator": float(noise[3] * (1.4 - 0.3 * t)),
        "learning_rate": 2e-4,
    }


def _run(method: str, experiment: str, title: str, simulated: bool, trials: int) -> dict:
    """The content of `run.json`."""
    rois = {"V1": 1004, "V2": 1018, "V3": 759, "V4": 740, "LOC": 540, "FFA": 568, "PPA": 356}
    return {
        "versions": {"python": "3.11.9", "jax": "0.10.2", "flax": "0.12.8", "fmri_jax": "0.1.0"},
        "commit": "0123abc",
        "devices": ["cpu:0", "cpu:1"],
        "seed": 0,
        "data": {
            "name": "virtual_subject" if simulated else "miyawaki2008_s1_v1_figures.npz",
            "description": "A virtual subject with known receptive fields views photographs."
            if simulated
            else "Subject S1 of Miyawaki et al. (2008), figure session, V1.",
            "simulated": simulated,
            "fingerprint": "9f2b" * 16,
            "trials": trials,
            "voxels": 4985 if simulated else 967,
            "rois": rois if simulated else {"V1": 967},
        },
        "phases": [
            {"name": "load", "wall_s": 3.2},
            {"name": "prepare", "wall_s": 1.1},
            {"name": "train", "wall_s": 212.4},
            {"name": "reconstruct", "wall_s": 4.0},
            {"name": "score", "wall_s": 11.9},
        ],
        "method": method,
        "experiment": experiment,
        "title": title,
        "text": "",
    }


def _config(run: dict) -> dict:
    """The content of `config.json`."""
    return {
        "data": {"name": run["data"]["name"]},
        "preparation": {"roi": "VC", "image_size": 64, "split": "given"},
        "method": {"name": run["method"], "weights": {"image": 1.0, "feature": 46.1}},
        "seed": run["seed"],
    }


if __name__ == "__main__":
    root = pathlib.Path(sys.argv[1])
    print(write_photographs(root / "photographs"))
    print(write_binary(root / "binary"))
