"""Tiny backbones of the real transformers classes with random weights, and their processors; nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from core.models.minicpm_o.config import MiniCPMOConfig
from core.models.value_head.backbones import BACKBONES, class_of
from core.models.value_head.checkpoint import write_model
from core.models.value_head.model import ValueHeadModel
from core.models.value_head.processors import assemble
from core.models.value_head.spec import MediaLimits

LIMITS = MediaLimits(image_pixels=4 * 28 * 28, frame_pixels=4 * 28 * 28, frames=4, audio_seconds=60.0, tokens=4096)

_QWEN_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}BOVIMAGEEOV{% elif c['type'] == 'video' %}BOVVIDEOEOV"
    "{% elif c['type'] == 'audio' %}BOAAUDIOEOA{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_GEMMA_TEMPLATE = (
    "<bos>{% for m in messages %}<|turn>{{ m['role'] }}\n{% for c in m['content'] %}"
    "{% if c['type'] == 'text' %}{{ c['text'] }}{% else %}{{ '<|' + c['type'] + '|>' }}{% endif %}"
    "{% endfor %}<turn|>\n{% endfor %}{% if add_generation_prompt %}<|turn>model\n{% endif %}"
)


def _tokenizer(specials: list[str], named: dict[str, str], **roles: str) -> PreTrainedTokenizerFast:
    """Bytes and control tokens, so that every text in every language has its tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {token: number for number, token in enumerate([*specials, *alphabet])}
    made = Tokenizer(models.BPE(vocab=words, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(specials)
    return PreTrainedTokenizerFast(tokenizer_object=made, extra_special_tokens=named, **roles)


def _qwen_tokenizer(sound: bool) -> PreTrainedTokenizerFast:
    named = {
        "image_token": "<|image_pad|>",
        "video_token": "<|video_pad|>",
        "vision_bos_token": "<|vision_start|>",
        "vision_eos_token": "<|vision_end|>",
    }
    if sound:
        named |= {"audio_token": "<|audio_pad|>", "audio_bos_token": "<|audio_start|>"}
        named |= {"audio_eos_token": "<|audio_end|>"}
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *named.values()]
    made = _tokenizer(specials, named, pad_token="<|endoftext|>", eos_token="<|im_end|>")  # noqa: S106
    template = _QWEN_TEMPLATE
    for mark, name in (("BOV", "vision_bos"), ("EOV", "vision_eos"), ("IMAGE", "image"), ("VIDEO", "video")):
        template = template.replace(mark, named[f"{name}_token"])
    for mark, name in (("BOA", "audio_bos"), ("EOA", "audio_eos"), ("AUDIO", "audio")):
        template = template.replace(mark, named.get(f"{name}_token", ""))
    made.chat_template = template
    return made


def _gemma_tokenizer() -> PreTrainedTokenizerFast:
    named = {
        "image_token": "<|image|>",
        "audio_token": "<|audio|>",
        "boi_token": "<|image>",
        "eoi_token": "<image|>",
        "boa_token": "<|audio>",
        "eoa_token": "<audio|>",
    }
    specials = ["<pad>", "<eos>", "<bos>", "<|turn>", "<turn|>", *named.values(), "<|video|>"]
    made = _tokenizer(specials, named, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>")  # noqa: S106
    made.chat_template = _GEMMA_TEMPLATE
    return made


def _minicpm_tokenizer() -> PreTrainedTokenizerFast:
    named = {"unk_token": "<unk>", "pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"}
    places = ("image", "image_id", "slice")
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<unk>", "<|audio_start|>", "<|audio_end|>"]
    return _tokenizer([*specials, *(f"<{end}{name}>" for name in places for end in ("", "/"))], {}, **named)


def _ids(tokenizer: PreTrainedTokenizerFast, *names: str) -> dict[str, int]:
    """Ids of named tokens, each told as "configuration's key = token's name"."""
    keys = (name.split("=") for name in names)
    return {key: tokenizer.convert_tokens_to_ids(getattr(tokenizer, f"{token}_token")) for key, token in keys}


_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 8192,
}
_ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}
_AUDIO = {
    "num_mel_bins": 128,
    "d_model": 32,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "output_dim": 32,
}


def _qwen2_5_omni(tokenizer: PreTrainedTokenizerFast) -> Any:
    tokens = _ids(
        tokenizer,
        "image_token_index=image",
        "video_token_index=video",
        "audio_token_index=audio",
        "vision_start_token_id=vision_bos",
        "audio_start_token_id=audio_bos",
        "audio_end_token_id=audio_eos",
    )
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32}
    return transformers.Qwen2_5OmniThinkerConfig(
        text_config={**_TEXT, "vocab_size": len(tokenizer), "rope_parameters": _ROPE, "tie_word_embeddings": False},
        vision_config=vision | {"fullatt_block_indexes": [1]},
        audio_config=_AUDIO,
        **tokens,
    )


def _qwen3_omni(tokenizer: PreTrainedTokenizerFast) -> Any:
    tokens = _ids(
        tokenizer,
        "image_token_id=image",
        "video_token_id=video",
        "audio_token_id=audio",
        "vision_start_token_id=vision_bos",
        "audio_start_token_id=audio_bos",
        "audio_end_token_id=audio_eos",
    )
    text = _TEXT | {"vocab_size": len(tokenizer), "head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2}
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32}
    return transformers.Qwen3OmniMoeThinkerConfig(
        text_config=text | {"moe_intermediate_size": 16, "rope_parameters": _ROPE | {"mrope_interleaved": True}},
        vision_config=vision | {"num_position_embeddings": 64, "deepstack_visual_indexes": [0]},
        audio_config=_AUDIO | {"downsample_hidden_size": 8},
        **tokens,
    )


def _gemma4(tokenizer: PreTrainedTokenizerFast) -> Any:
    tokens = _ids(tokenizer, "image_token_id=image", "audio_token_id=audio", "boi_token_id=boi")
    tokens |= _ids(tokenizer, "eoi_token_id=eoi", "boa_token_id=boa", "eoa_token_index=eoa")
    tokens["video_token_id"] = tokenizer.convert_tokens_to_ids("<|video|>")
    text = _TEXT | {"vocab_size": len(tokenizer), "vocab_size_per_layer_input": len(tokenizer), "head_dim": 8}
    text |= {"hidden_size_per_layer_input": 8, "layer_types": ["sliding_attention", "full_attention"]}
    text |= {"sliding_window": 64, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2, "global_head_dim": 8}
    vision = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    return transformers.Gemma4Config(
        text_config=text | {"use_bidirectional_attention": "vision"},
        vision_config=vision | {"num_key_value_heads": 2, "head_dim": 16, "position_embedding_size": 256},
        audio_config={
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "subsampling_conv_channels": [128, 4],
            "output_proj_dims": 32,
        },
        **tokens,
    )


def _qwen2_5_vl(tokenizer: PreTrainedTokenizerFast) -> Any:
    tokens = _ids(
        tokenizer,
        "image_token_id=image",
        "video_token_id=video",
        "vision_start_token_id=vision_bos",
        "vision_end_token_id=vision_eos",
    )
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32}
    return transformers.Qwen2_5_VLConfig(
        text_config={**_TEXT, "vocab_size": len(tokenizer), "rope_parameters": _ROPE},
        vision_config=vision | {"fullatt_block_indexes": [1]},
        **tokens,
    )


def _minicpmo(tokenizer: PreTrainedTokenizerFast) -> Any:
    vision = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
    audio = {"d_model": 24, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 96}
    return MiniCPMOConfig(
        **_TEXT,
        vocab_size=len(tokenizer),
        rope_theta=10000.0,
        query_num=4,
        vision_config=vision | {"image_size": 140, "patch_size": 14},
        audio_config=audio | {"num_mel_bins": 128},
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


_CONFIGS: dict[str, Callable[[PreTrainedTokenizerFast], Any]] = {
    "qwen2_5_omni_thinker": _qwen2_5_omni,
    "qwen3_omni_moe_thinker": _qwen3_omni,
    "gemma4": _gemma4,
    "qwen2_5_vl": _qwen2_5_vl,
    "minicpmo": _minicpmo,
}
_IMAGES: dict[str, dict[str, int]] = {
    "qwen2_5_omni_thinker": {"patch_size": 14},
    "qwen3_omni_moe_thinker": {"patch_size": 16},
    "gemma4": {},
    "qwen2_5_vl": {"patch_size": 14},
    "minicpmo": {"scale_resolution": 56, "image_feature_size": 4},
}


def tiny(model_type: str, seed: int = 0) -> tuple[ValueHeadModel, Any]:
    """A random model of the class that the table names, in evaluation mode, and its processor."""
    backbone = BACKBONES[model_type]
    make = {"grid": lambda: _qwen_tokenizer("audio" in backbone.kinds), "soft": _gemma_tokenizer}
    tokenizer = (make | {"slices": _minicpm_tokenizer})[backbone.patches]()
    images = class_of(backbone.image_processor)(**_IMAGES[model_type])
    sounds = None
    if backbone.feature_extractor is not None:
        sounds = class_of(backbone.feature_extractor)(feature_size=128)
    torch.manual_seed(seed)
    network = class_of(backbone.model)(_CONFIGS[model_type](tokenizer))
    for parameter in network.parameters():
        # the small initial weights would make every reward much the same, and hide what is wrong
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    model = ValueHeadModel(network).eval()
    return model, assemble(backbone, images, tokenizer, sounds, None)


def write_tiny(model_type: str, folder: Path, seed: int = 0) -> ValueHeadModel:
    """The tiny model, written to `folder` in the layout that is read."""
    model, processor = tiny(model_type, seed)
    write_model(model, processor, folder)
    return model
