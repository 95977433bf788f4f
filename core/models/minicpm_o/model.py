"""The model: what is seen and heard takes the place of its tokens' embeddings, and Qwen2 reads it all.

Checkpoints are read and written under OpenBMB's names; here the parts have those of transformers' own omni models, so
that training, adapters and value heads find them. Importing this file imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedModel, Qwen2Model
from transformers.conversion_mapping import register_checkpoint_conversion_mapping
from transformers.core_model_loading import WeightRenaming
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

from core.models.minicpm_o.audio import STATES_A_SECOND, AudioProjector, AudioTower, pooled
from core.models.minicpm_o.config import MEDIA_TYPES, MiniCPMOConfig
from core.models.minicpm_o.vision import Resampler, VisionTower

PUBLISHED = {
    "llm.model.": "model.language_model.",
    "llm.lm_head.": "lm_head.",
    "vpm.": "model.vision_tower.",
    "resampler.": "model.resampler.",
    "apm.": "model.audio_tower.",
    "audio_projection_layer.": "model.audio_projector.",
}
"""The published names of the parts, and those here; the names within a part are the same."""

UNUSED = ("tts.",)
"""What a published checkpoint may hold besides: the speech decoder, of which no reward is made."""

AT_ONCE = 16  # slices in one batch of the vision tower, as in the published configuration; a video has many

_MEDIA = (
    "pixel_values",
    "image_grids",
    "pixel_values_videos",
    "video_grids",
    "input_features",
    "feature_attention_mask",
)


class MiniCPMOPreTrainedModel(PreTrainedModel):
    config_class = MiniCPMOConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ["Qwen2DecoderLayer", "SiglipEncoderLayer", "WhisperEncoderLayer", "Resampler"]  # noqa: RUF012


class MiniCPMOModel(MiniCPMOPreTrainedModel):
    """Everything but the language head."""

    def __init__(self, config: MiniCPMOConfig) -> None:
        super().__init__(config)
        seen, heard = config.vision_config, config.audio_config
        # the vision tower is no model of transformers' own, which would pass this on
        seen._attn_implementation = config._attn_implementation  # type: ignore[union-attr]
        self.language_model = Qwen2Model(config)
        self.vision_tower = VisionTower(seen, drop_last=config.drop_vision_last_layer)  # type: ignore[arg-type]
        self.resampler = Resampler(config.query_num, config.hidden_size, seen.hidden_size)  # type: ignore[union-attr]
        self.audio_tower = AudioTower(heard)  # type: ignore[arg-type]
        self.audio_projector = AudioProjector(heard.d_model, config.hidden_size)  # type: ignore[union-attr]
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.embed_tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.language_model.embed_tokens = value  # type: ignore[assignment]

    def see(self, pixel_values: Tensor, grids: Tensor) -> Tensor:
        """Tokens (slices × queries, hidden) of patches (patches, 3 × size × size) in grids (slices, 2)."""
        parts = zip(pixel_values.split(_batched(grids.prod(1))), grids.split(AT_ONCE), strict=True)
        return torch.cat(
            [self.resampler(*self.vision_tower(patches, own), own).flatten(0, 1) for patches, own in parts]
        )

    def hear(self, input_features: Tensor, feature_attention_mask: Tensor) -> Tensor:
        """Tokens (tokens, hidden) of mel features (sounds, mels, frames), of which the masked frames are none.

        One sound at a time: in a batch, the convolutions of a shorter one would reach into what pads it.
        """
        chunk = int(self.config.audio_chunk_length * STATES_A_SECOND)
        lengths = feature_attention_mask.sum(1).tolist()
        sounds = (features[None, :, :length] for features, length in zip(input_features, lengths, strict=True))
        states = (self.audio_projector(self.audio_tower(sound, chunk=chunk)) for sound in sounds)
        return torch.cat([pooled(one, self.config.audio_pool_step) for one in states])

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        mm_token_type_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        image_grids: Tensor | None = None,
        pixel_values_videos: Tensor | None = None,
        video_grids: Tensor | None = None,
        input_features: Tensor | None = None,
        feature_attention_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """States of (batch, length) ids. `mm_token_type_ids` (batch, length) says for which medium a token stands
        (`MEDIA_TYPES`); media come one after the other in the order of the batch. ValueError where they do not fit."""
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
        for kind, tokens in self._media(
            (pixel_values, image_grids), (pixel_values_videos, video_grids), (input_features, feature_attention_mask)
        ):
            inputs_embeds = _placed(inputs_embeds, tokens, mm_token_type_ids, kind)
        return self.language_model(inputs_embeds=inputs_embeds, attention_mask=attention_mask, **kwargs)

    def _media(self, images: Any, videos: Any, sounds: Any) -> Iterator[tuple[str, Tensor]]:
        kinds = (("image", images, self.see), ("video", videos, self.see), ("audio", sounds, self.hear))
        for kind, given, taken in kinds:
            if given[0] is not None:
                yield kind, taken(*given)


def _batched(sizes: Tensor) -> list[int]:
    """How many patches each batch of slices has."""
    return [int(part.sum()) for part in sizes.split(AT_ONCE)]


def _placed(embeddings: Tensor, tokens: Tensor, types: Tensor | None, kind: str) -> Tensor:
    """The embeddings (batch, length, hidden) with a medium's tokens in their places."""
    here = types == MEDIA_TYPES[kind] if types is not None else torch.zeros(embeddings.shape[:2], dtype=torch.bool)
    if int(here.sum()) != len(tokens):
        raise ValueError(f"there are {len(tokens)} tokens of {kind}, and {int(here.sum())} places for them")
    return embeddings.masked_scatter(here.to(embeddings.device)[..., None], tokens.to(embeddings))


class MiniCPMOForConditionalGeneration(MiniCPMOPreTrainedModel, GenerationMixin):
    """With the language head, as it is published; a value head takes the states of `model` instead."""

    _tied_weights_keys = {"lm_head.weight": "model.language_model.embed_tokens.weight"}  # noqa: RUF012

    def __init__(self, config: MiniCPMOConfig) -> None:
        super().__init__(config)
        self.model = MiniCPMOModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.model.set_input_embeddings(value)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        mm_token_type_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        image_grids: Tensor | None = None,
        pixel_values_videos: Tensor | None = None,
        video_grids: Tensor | None = None,
        input_features: Tensor | None = None,
        feature_attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits (batch, length, vocabulary), the last `logits_to_keep` of them where it is not 0."""
        found = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            mm_token_type_ids=mm_token_type_ids,
            pixel_values=pixel_values,
            image_grids=image_grids,
            pixel_values_videos=pixel_values_videos,
            video_grids=video_grids,
            input_features=input_features,
            feature_attention_mask=feature_attention_mask,
            use_cache=use_cache,
            **kwargs,
        )
        logits = self.lm_head(found.last_hidden_state[:, -logits_to_keep:])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size)
        return CausalLMOutputWithPast(
            loss=loss, logits=logits, past_key_values=found.past_key_values, hidden_states=found.hidden_states
        )

    def prepare_inputs_for_generation(  # type: ignore[override]
        self, input_ids: Any, *, is_first_iteration: bool | None = False, **kwargs: Any
    ) -> dict[str, Any]:
        """Media are read once: after the first step they are in the cache."""
        given = super().prepare_inputs_for_generation(  # type: ignore[misc]
            input_ids, is_first_iteration=is_first_iteration, **kwargs
        )
        if not is_first_iteration and kwargs.get("use_cache", True):
            given |= dict.fromkeys(_MEDIA)
        return given


register_checkpoint_conversion_mapping(
    MiniCPMOForConditionalGeneration.__name__,
    [WeightRenaming("^" + published.replace(".", r"\."), own) for published, own in PUBLISHED.items()],
    overwrite=True,
)
