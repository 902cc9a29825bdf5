"""Features of texts: captions of images, embedded by a published network."""

import dataclasses
import functools
import importlib
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax import pretrained
from fmri_jax.arrays import in_blocks
from fmri_jax.config import unknown_name
from fmri_jax.errors import InputError
from fmri_jax.features import tokenizers
from fmri_jax.pretrained import vocabularies

if TYPE_CHECKING:
    from fmri_jax.features.tokenizers import Tokenizer

BLOCK = 32  # texts in a network at a time: bounds memory, and compiles one program
_STEP = 16  # what a computed length is a multiple of, so that few programs are compiled


@dataclasses.dataclass(frozen=True)
class TextNetwork:
    """A pretrained network of texts.

    Attributes:
        label: its name for people.
        module_name: of its class in `fmri_jax.networks`.
        filler: the token that texts are filled up with.
        length: tokens that every text is filled up to, unless another length is asked for.
        longest: tokens that texts were cut to when it was published.
        ignores_filler: whether the filler has number 0 and acts on nothing, so that it need not be
            computed: its tokens are 0.
    """

    label: str
    module_name: str
    filler: str
    length: int
    longest: int
    ignores_filler: bool = False


# By the name of their weights in `fmri_jax.pretrained`.
TEXT_NETWORKS = {
    "minilm": TextNetwork("MiniLM-L6", "SentenceBERT", "[PAD]", 64, 256, ignores_filler=True),
    "clip_text": TextNetwork("CLIP ViT-L/14's texts", "CLIPText", tokenizers.END, 77, 77),
}


@dataclasses.dataclass(frozen=True)
class TextFeatures:
    """Texts -> their tokens and their embedding.

    Attributes:
        network: an entry of `TEXT_NETWORKS`.
        params: its weights.
        tokenizer: from texts to numbers of tokens.
    """

    network: TextNetwork
    params: Any = dataclasses.field(repr=False)
    tokenizer: "Tokenizer" = dataclasses.field(repr=False)

    def __call__(self, sentences: Any) -> dict[str, np.ndarray]:
        """Embeds texts, in blocks.

        Args:
            sentences: n texts, or n groups of texts, such as the captions of each image: features
                are then the means over each group, as in Brain-Diffuser (Ozcelik & VanRullen 2023).

        Returns:
            "tokens", (n, tokens, width) float32, divided by the norm of the text's embedding, and
            "embedding", (n, width) float32, of unit norm (before the mean over a group).

        Raises:
            InputError: there is no text, one is empty or none, or longer than the tokenizer's
                length.
        """
        groups = _groups(sentences)
        texts = list(dict.fromkeys(text for group in groups for text in group))
        place = {text: i for i, text in enumerate(texts)}
        members = [[place[text] for text in group] for group in groups]
        ids = self.tokenizer(texts)
        if all(len(group) == 1 for group in groups):
            found = in_blocks(self._embedder(ids), (ids,), min(BLOCK, len(ids)))
            index = np.concatenate(members)
            same = len(texts) == len(groups)
            return {name: value if same else value[index] for name, value in found.items()}
        return self._means(ids, members)

    def of_nothing(self) -> dict[str, np.ndarray]:
        """The features of an empty text, (1, ...), which `__call__` rejects."""
        ids = self.tokenizer([""])
        return jax.tree.map(np.asarray, self._embedder(ids)(ids))

    def _embedder(self, ids: np.ndarray) -> Callable[[np.ndarray], dict[str, jax.Array]]:
        """Blocks of these texts -> features, computed up to where the longest text ends."""
        used = ids.shape[1]
        if self.network.ignores_filler:
            end = int(np.flatnonzero(ids.any(axis=0))[-1]) + 1
            used = min(used, -(-end // _STEP) * _STEP)
        return functools.partial(_compute, self.network.module_name, used, self.params)

    def _means(self, ids: np.ndarray, members: list[list[int]]) -> dict[str, np.ndarray]:
        """Means over groups, of some at a time: tokens of all texts would fill the memory."""
        parts, embed = [], self._embedder(ids)
        for start in range(0, len(members), BLOCK):
            some = members[start : start + BLOCK]
            texts, index = np.unique(np.concatenate(some), return_inverse=True)
            found = in_blocks(embed, (ids[texts],), BLOCK)
            sizes = [len(group) for group in some]
            parts.append({name: _group_means(value[index], sizes) for name, value in found.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@functools.partial(jax.jit, static_argnums=(0, 1))
def _compute(module_name: str, used: int, params: Any, ids: jax.Array) -> dict[str, jax.Array]:
    """Features of one block; tokens after the first `used` are 0."""
    module = getattr(importlib.import_module("fmri_jax.networks"), module_name)
    with jax.default_matmul_precision("highest"):  # a GPU's features must be a CPU's
        found = module().apply({"params": params}, ids[:, :used])
    tokens = jnp.pad(found["tokens"], ((0, 0), (0, ids.shape[1] - used), (0, 0)))
    norm = jnp.linalg.norm(found["embedding"], axis=-1, keepdims=True)
    return {"tokens": tokens, "embedding": found["embedding"] / norm}


def _group_means(values: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Means over groups of rows that follow each other."""
    sums = np.add.reduceat(values, np.cumsum([0, *sizes[:-1]]))
    return sums / np.reshape(np.asarray(sizes, np.float32), (-1, *[1] * (values.ndim - 1)))


def _groups(sentences: Any) -> list[tuple[str, ...]]:
    """The texts as groups, checked."""
    if isinstance(sentences, str) or not isinstance(sentences, (Sequence, np.ndarray)):
        raise InputError(
            f"sentences is a {type(sentences).__name__}: expected a list of texts, or of lists of "
            "texts."
        )
    if not len(sentences):
        raise InputError("sentences is empty: expected at least one text.")
    groups = []
    for i, given in enumerate(sentences):
        group = (given,) if isinstance(given, str) else given
        if not isinstance(group, (Sequence, np.ndarray)) or not len(group):
            what = "without any" if isinstance(group, (Sequence, np.ndarray)) else repr(given)
            raise InputError(f"sentence {i} is {what}: expected a text, or a list of texts.")
        for text in group:
            if not isinstance(text, str) or not text.strip():
                raise InputError(
                    f"sentence {i} is {text!r}: expected a text of at least one word; leave out "
                    "what has none, or describe it."
                )
        groups.append(tuple(map(str, group)))
    return groups


def load_text(
    name: str,
    length: int | None = None,
    weights: str | pathlib.Path | None = None,
    vocabulary: str | pathlib.Path | None = None,
) -> TextFeatures:
    """A network of texts with its published weights.

    Args:
        name: "minilm" (all-MiniLM-L6-v2: 384 features; from a package of the extra `text`) or
            "clip_text" (CLIP ViT-L/14: 768 features, in the space of "clip_vit_l14").
        length: tokens that every text is filled up to, with its first and last token; by default
            77 for "clip_text", which cuts longer ones off, and 64 for "minilm", where longer ones
            are rejected, as the published network reads up to 256.
        weights: a file of weights, as for `fmri_jax.pretrained.load`.
        vocabulary: a file that splits texts into tokens, `tokenizer.json` or CLIP's
            `bpe_simple_vocab_16e6.txt.gz`; that of an installed package, or the published one, by
            default.

    Raises:
        InputError: the network is unknown, the length does not fit it, a file cannot be had (the
            message names where to get it and where to put it), or a package of the extra is
            missing.
    """
    if name not in TEXT_NETWORKS:
        raise InputError(unknown_name(f"{name!r}", name, TEXT_NETWORKS, "text network"))
    network = TEXT_NETWORKS[name]
    tokens = network.length if length is None else length
    if not 2 < tokens <= network.longest:
        raise InputError(
            f"length is {tokens}: expected 3 to {network.longest} tokens, as {network.label} takes."
        )
    # Where this is all of the network's length, longer texts are cut off, as when it was published.
    path = vocabularies.find(name, vocabulary)
    tokenizer = tokenizers.load(path, network.filler, tokens, network.longest)
    return TextFeatures(network, pretrained.load(name, weights), tokenizer)
