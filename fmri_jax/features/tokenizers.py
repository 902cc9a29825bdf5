"""Texts -> numbers of tokens, filled up to one length, as published text networks expect them.

Read and run by the package `tokenizers`: `pip install 'fmri_jax[text]'`.
"""

import gzip
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fmri_jax.errors import InputError, not_installed

if TYPE_CHECKING:
    import tokenizers

    Tokenizer = Callable[[Sequence[str]], np.ndarray]

START, END = "<|startoftext|>", "<|endoftext|>"  # of a text of CLIP
_MERGES = 48_894  # of CLIP's file, which holds more than its vocabulary has
# Splits a text of CLIP before pairs are merged: special tokens, contractions, words, single digits,
# and runs of anything else.
_PARTS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


def load(path: pathlib.Path, filler: str, length: int, longest: int) -> "Tokenizer":
    """A tokenizer of a fixed length.

    Args:
        path: `tokenizer.json`, as Hugging Face publishes one with each network, or the pairs of
            CLIP, `bpe_simple_vocab_16e6.txt.gz`.
        filler: the token that texts are filled up with.
        length: tokens of every text, the first and the last one included.
        longest: tokens that texts are cut to, as when the network was published.

    Returns:
        Texts -> (n, length) int32; it raises an `InputError` where one has more tokens than that
        and `longest` is more.

    Raises:
        InputError: `tokenizers` is not installed, or the file is none of these.
    """
    try:
        import tokenizers
    except ImportError:
        raise not_installed("Splitting texts into tokens", "tokenizers", "text") from None
    try:
        if path.suffix == ".json":
            made = tokenizers.Tokenizer.from_file(str(path))
        else:
            made = _of_clip(gzip.decompress(path.read_bytes()).decode().split("\n"))
    except Exception as error:  # tokenizers raises its own, of no common kind
        raise InputError(
            f"{path} cannot be read as a vocabulary ({error}): expected tokenizer.json, or CLIP's "
            "bpe_simple_vocab_16e6.txt.gz; get it again."
        ) from None
    number = made.token_to_id(filler)
    if number is None:
        raise InputError(
            f"{path} has no token {filler}: expected the vocabulary of this network; get it again."
        )
    made.enable_truncation(longest)
    made.enable_padding(pad_id=number, pad_token=filler, length=length)

    def numbers(texts: Sequence[str]) -> np.ndarray:
        found = [each.ids for each in made.encode_batch(list(texts))]
        for text, ids in zip(texts, found, strict=True):
            if len(ids) > length:
                raise InputError(
                    f"{text!r} has {len(ids)} tokens: expected at most {length}; shorten it, or "
                    f"pass length={len(ids)}, up to {longest}."
                )
        return np.asarray(found, np.int32)

    return numbers


def _of_clip(lines: Sequence[str]) -> "tokenizers.Tokenizer":
    """CLIP's: pairs of symbols that are merged, most frequent first, from bytes to words.

    The vocabulary is every byte, every byte that ends a word, every merged pair, and the tokens
    that begin and end a text, in this order. The first line is a title.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    merges = [(first, second) for first, second in map(str.split, filter(None, lines[1:]))]
    merges = merges[:_MERGES]
    characters = _byte_characters()
    names = [*characters, *(f"{c}</w>" for c in characters), *(a + b for a, b in merges)]
    numbers = {name: i for i, name in enumerate((*names, START, END))}
    made = Tokenizer(models.BPE(numbers, merges, end_of_word_suffix="</w>", unk_token=END))
    made.add_special_tokens([START, END])
    made.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PARTS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.post_processor = processors.RobertaProcessing(
        (END, numbers[END]), (START, numbers[START]), trim_offsets=False, add_prefix_space=False
    )
    return made


def _byte_characters() -> list[str]:
    """A visible character for each byte: those of Latin-1 that are visible stand for themselves.

    In the order of CLIP's vocabulary: these first, then the others, from U+0100 on.
    """
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [*map(chr, visible), *(chr(0x100 + i) for i in range(0x100 - len(visible)))]
