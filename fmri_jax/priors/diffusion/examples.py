"""Latents and embeddings of photographs, which a latent diffusion model is trained on.

They are computed once, in blocks that are kept: on a CPU they take as long as a training.
"""

from typing import Any

import numpy as np

from fmri_jax.priors.autoencoder.examples import kept_latents, named_autoencoder
from fmri_jax.priors.autoencoder.prior import AutoencoderPrior
from fmri_jax.priors.diffusion.objective import prepared
from fmri_jax.priors.diffusion.prior import LatentDiffusionConfig
from fmri_jax.priors.examples import Examples, Source, kept_features

Arrays = dict[str, np.ndarray]


def make(source: Source) -> Examples:
    """Computes latents and embeddings, or reads those that were kept.

    Raises:
        InputError: an autoencoder is missing or of other sizes, or a network's weights are.
    """
    config, data = source.config, source.data
    autoencoder = named_autoencoder(source.autoencoder, source.config)
    training, held_out = (
        _arrays(config, autoencoder, part, captions, source, name)
        for name, part, captions in (
            ("training", data.training, data.captions),
            ("held_out", data.held_out, data.held_out_captions),
        )
    )
    statistics = {c.kind: _statistics(training, c.kind) for c in config.conditions}
    for arrays in (training, held_out):
        for kind, (mean, std) in statistics.items():
            arrays[kind] = ((arrays[kind] - mean) / std).astype(np.float16)  # mirrored or not

    def finish(params: Any) -> Any:
        maps = {
            kind: {**params["conditions"][kind], "mean": mean.ravel(), "std": std.ravel()}
            for kind, (mean, std) in statistics.items()
        }
        return {"unet": params["unet"], "conditions": maps, "autoencoder": autoencoder.params}

    tested = {
        name: (array[:, 0] if name in ("latents", "image") else array).astype(np.float32)
        for name, array in held_out.items()
    }
    return Examples(training, tested, prepared, finish)


def _arrays(
    config: LatentDiffusionConfig,
    autoencoder: AutoencoderPrior,
    photographs: np.ndarray,
    captions: tuple[str, ...],
    source: Source,
    name: str,
) -> Arrays:
    """Latents and image embeddings of photographs and of their mirror images, and those of texts.

    All are float16.
    """
    found = {"latents": kept_latents(source, name, photographs, autoencoder)}
    for condition in config.conditions:
        if condition.kind == "image":
            network = (condition.network, condition.layer, condition.preprocessing)
            sides = (photographs, photographs[:, :, ::-1])
            pairs = [kept_features(source, name, side, network, condition.embed) for side in sides]
            found["image"] = np.stack(pairs, axis=1).reshape(
                len(photographs), len(sides), *condition.shape
            )
        else:
            words = np.array(captions or ("",) * len(photographs))
            texts, index = np.unique(words, return_inverse=True)
            rows = np.zeros((len(texts), *condition.shape), np.float32)
            given = texts != ""
            if given.any():
                rows[given] = condition.embed([(text,) for text in texts[given]])
            found |= {"text": rows[index], "has_text": given[index]}
    return found


def _statistics(arrays: Arrays, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, (1, tokens, width), over photographs that have the condition."""
    there = arrays.get(f"has_{kind}")
    rows = arrays[kind] if there is None or not there.any() else arrays[kind][there]
    rows = rows.reshape(-1, *rows.shape[-2:]).astype(np.float32)  # of both sides
    return rows.mean(axis=0, keepdims=True), rows.std(axis=0, keepdims=True) + np.float32(1e-3)
