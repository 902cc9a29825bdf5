"""Conditions of a latent diffusion model: embeddings of an image or of its captions, as tokens."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax import features
from fmri_jax.errors import InputError
from fmri_jax.features.preprocessing import Preprocessing
from fmri_jax.image_store.activations import LARGEST, activations


@dataclasses.dataclass(frozen=True)
class Condition:
    """What a model is told of an image.

    Attributes:
        kind: whether it is computed from the image or from its captions.
        network: of `features.registry`, or of `features.load_text`.
        layer: of that network.
        shape: (tokens, width) of one embedding.
        projected: tokens that a linear map of the model's own makes of each token; 0: it is given
            to the model as it is, as in Versatile Diffusion. All tokens share the map, and each
            has a bias of its own, which tells where it belongs.
        image_size: px, the side of the square that the network is shown; None: as it was trained.
    """

    kind: Literal["image", "text"]
    network: str
    layer: str
    shape: tuple[int, int]
    projected: int = 0
    image_size: int | None = None

    @property
    def preprocessing(self) -> Preprocessing | None:
        """Of images; None: as the network was trained."""
        return None if self.image_size is None else Preprocessing(self.image_size)

    def embed(self, rows: Any, kept: bool = False) -> np.ndarray:
        """Embeddings (n, tokens, width) of images (n, h, w, 3), or of n groups of captions.

        Args:
            rows: the images or captions.
            kept: whether those of images are read from the cache folder where they were computed
                before, and kept there, unless they are large.
        """
        if self.kind == "text":
            found = features.load_text(self.network)(rows)[self.layer]
        elif kept and math.prod(self.shape) <= LARGEST:
            found = activations(self.network, self.layer, self.preprocessing, rows)
        else:
            network = features.load(self.network, (self.layer,), self.preprocessing)
            found = network(rows)[self.layer]
        return np.asarray(found, np.float32).reshape(len(rows), *self.shape)

    def nothing(self) -> np.ndarray:
        """(1, tokens, width) what stands for anything: a grey image, or an empty text."""
        if self.kind == "text":
            return features.load_text(self.network).of_nothing()[self.layer]
        return self.embed(np.full((1, 224, 224, 3), 0.5, np.float32))

    @property
    def tokens(self) -> int:
        """How many the model's own map makes of an embedding."""
        return self.shape[0] * self.projected


Conditions = tuple[Condition, ...]
Embeddings = Mapping[str, Any]  # kind -> (n, tokens, width)


def check(conditions: Conditions, given: Embeddings) -> int:
    """The number of rows of embeddings; one of several may be left out.

    Raises:
        InputError: none is given, one is unknown, or one has another shape.
    """
    known = {condition.kind: condition for condition in conditions}
    rows = {len(array) for array in given.values()}
    for name, array in given.items():
        if name not in known or np.shape(array)[1:] != known[name].shape:
            raise InputError(
                f"condition {name!r} has shape {np.shape(array)}: expected (n, tokens, width) of "
                + ", ".join(f"{kind} {c.shape}" for kind, c in known.items())
                + "."
            )
    if len(rows) != 1:
        raise InputError(
            f"conditions have {sorted(rows)} rows: expected one number for all of them."
        )
    return rows.pop()


def project(
    conditions: Conditions, params: Mapping[str, Any], given: Embeddings, n: int
) -> jax.Array:
    """Tokens (n, tokens, width) that the model's own maps make of all embeddings together.

    What is left out is all zeros, as in training where it was dropped.
    """
    parts = []
    for condition in conditions:
        own = params[condition.kind]
        if condition.kind not in given:
            width = own["bias"].shape[0] // condition.tokens
            parts.append(jnp.zeros((n, condition.tokens, width)))
            continue
        rows = jnp.asarray(given[condition.kind]).reshape(n, -1)
        parts.append(tokens_of(condition, own, (rows - own["mean"]) / own["std"]))
    return jnp.concatenate(parts, axis=1)


def tokens_of(condition: Condition, own: Mapping[str, Any], rows: Any) -> jax.Array:
    """Tokens (n, tokens, width) of embeddings in units of their spread, by a model's own map."""
    found = rows.reshape(len(rows), *condition.shape) @ own["kernel"]
    found = found.reshape(len(rows), -1) + own["bias"]
    return found.reshape(len(rows), condition.tokens, -1)


def projection_shapes(conditions: Sequence[Condition], width: int) -> dict[str, tuple[int, ...]]:
    """Parameter name -> shape of the maps to tokens of `width`."""
    shapes: dict[str, tuple[int, ...]] = {}
    for condition in conditions:
        if condition.projected:
            shapes |= {
                f"conditions/{condition.kind}/{name}": shape
                for name, shape in (
                    ("kernel", (condition.shape[1], condition.projected * width)),
                    ("bias", (condition.tokens * width,)),
                    ("mean", (math.prod(condition.shape),)),
                    ("std", (math.prod(condition.shape),)),
                )
            }
    return shapes
