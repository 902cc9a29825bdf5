"""Texts to tokens: as transformers splits them, and what is rejected."""

import gzip
import json
import sys

import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.features import tokenizers
from fmri_jax.pretrained import sources, vocabularies
from tests.peers import peer

peer("tokenizers")

MERGES = ["d o", "o g</w>", "d og</w>", "a t</w>", "c at</w>", "do g</w>", "Ã ¯", "1 2</w>"]
TEXTS = [
    "A dog, a cat; DOGS\t and\n cats!",
    "it's what they'll do  don't <|endoftext|>",
    "na\u00efve cafe\u0301 \u65e5\u672c 12 dogs",
    "dog cat dog cat dog cat dog cat",
]


@pytest.fixture
def pairs(tmp_path):
    """A file as that of CLIP, with few pairs."""
    path = tmp_path / "pairs.txt.gz"
    path.write_bytes(gzip.compress("\n".join(['"title', *MERGES, ""]).encode()))
    return path


def in_transformers():
    """CLIP's tokenizer of transformers, its vocabulary built by its own table of bytes."""
    CLIPTokenizer = peer("transformers").CLIPTokenizer
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    names = [*letters, *(letter + "</w>" for letter in letters)]
    names += [pair.replace(" ", "") for pair in MERGES] + [tokenizers.START, tokenizers.END]
    return CLIPTokenizer(
        vocab={name: i for i, name in enumerate(names)},
        merges=[tuple(pair.split()) for pair in MERGES],
    )


@pytest.mark.parametrize("length", [12, 40])
def test_clips_texts_are_split_as_transformers_does(pairs, length):
    """Bytes without a pair, accents in two forms, special tokens, and what is cut off."""
    ours = tokenizers.load(pairs, tokenizers.END, length, longest=length)(TEXTS)
    theirs = in_transformers()(
        TEXTS, padding="max_length", max_length=length, truncation=True, return_tensors="np"
    )
    assert ours.dtype == np.int32 and ours.shape == (len(TEXTS), length)
    np.testing.assert_array_equal(ours, theirs["input_ids"])
    assert (ours[:, -1] == 2 * 256 + len(MERGES) + 1).all()  # the highest number ends texts


def test_a_json_file_is_read_as_it_is(tmp_path):
    """MiniLM's kind: lower case, pieces of words, [CLS] and [SEP] around."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "dog", "##s", "run"]
    content = {
        "version": "1.0",
        "truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "lowercase": True}
        | {"handle_chinese_chars": True, "strip_accents": None},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {word: i for i, word in enumerate(words)},
        },
    }
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content))
    split = tokenizers.load(path, "[PAD]", 7, longest=9)
    np.testing.assert_array_equal(
        split(["Dogs run", "a dog", "run " * 5]),
        [[2, 4, 5, 6, 3, 0, 0], [2, 1, 4, 3, 0, 0, 0], [2, 6, 6, 6, 6, 6, 3]],
    )
    with pytest.raises(InputError, match="has 9 tokens: expected at most 7; .* length=9, up to 9"):
        split(["dog", "run " * 20])
    with pytest.raises(InputError, match=r"has no token <\|endoftext\|>"):
        tokenizers.load(path, tokenizers.END, 7, longest=7)


def test_other_files_are_rejected(tmp_path):
    contents = {"a.json": b"{}", "b.txt.gz": b"no gzip", "c.gz": gzip.compress(b"\n1")}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name} cannot be read as a vocabulary .* get it"):
            tokenizers.load(tmp_path / name, tokenizers.END, 9, 9)


def test_without_the_package_the_extra_is_named(pairs, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(InputError, match=r"pip install 'fmri_jax\[text\]'"):
        tokenizers.load(pairs, tokenizers.END, 9, 9)


def test_a_vocabulary_is_the_users_the_installed_or_the_published_one(pairs, tmp_path, monkeypatch):
    assert vocabularies.find("clip_text", pairs) == pairs
    with pytest.raises(InputError, match="none.json is not a file: give the path"):
        vocabularies.find("minilm", tmp_path / "none.json")
    monkeypatch.setattr(sources, "installed_file", lambda file: pairs)
    with pytest.raises(InputError, match="has SHA256 .*: expected be50c3628"):
        vocabularies.find("minilm")
    monkeypatch.setattr(sources, "installed_file", lambda file: None)
    asked = []
    monkeypatch.setattr(sources, "fetch", lambda file, folder: asked.append(file) or pairs)
    assert vocabularies.find("clip_text") == pairs
    assert asked[0].origin.endswith("openai/CLIP/raw/main/clip/bpe_simple_vocab_16e6.txt.gz")
