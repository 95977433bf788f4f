"""The configuration: that of Qwen2, flat, with the two encoders inside it, as OpenBMB's config.json has it."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PreTrainedConfig, Qwen2Config, SiglipVisionConfig, WhisperConfig
from transformers.configuration_utils import SubConfigSpec

AUDIO_POOL = 2  # states of the sound encoder that become one token
MEDIA_TYPES = {"image": 1, "video": 2, "audio": 3}
"""What `mm_token_type_ids` says of a token that stands for a piece of a medium; 0 is text."""


class MiniCPMOConfig(Qwen2Config):
    """Defaults are those of OpenBMB's own class; a published config.json states them all.

    `drop_vision_last_layer` needs no trust: where it is wrong, a layer is missing or too many, and is named.
    """

    model_type = "minicpmo"
    sub_configs_defaults = {  # noqa: RUF012
        "vision_config": SubConfigSpec(config_class=SiglipVisionConfig),
        "audio_config": SubConfigSpec(config_class=WhisperConfig),
    }

    query_num: int = 64
    drop_vision_last_layer: bool = True
    audio_pool_step: int = AUDIO_POOL
    audio_chunk_length: float | int = 1.0  # s; a sound is attended to chunk by chunk, each with all before it
    vision_config: dict | PreTrainedConfig | None = None
    audio_config: dict | PreTrainedConfig | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        for name in ("vision_config", "audio_config"):
            told = getattr(self, name)
            if isinstance(told, dict):
                # some write the name of the whole SigLIP here
                setattr(self, name, {key: value for key, value in told.items() if key != "model_type"})
        super().__post_init__(**kwargs)


AutoConfig.register(MiniCPMOConfig.model_type, MiniCPMOConfig, exist_ok=True)
