"""Configuration of the starter: sizes, which measures it reads and on what scale, and the fitted thresholds."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig


class StarterConfig(PretrainedConfig):
    """Everything that `config.json` holds beside the weights.

    `measures` maps a modality to its measures in the order of the evidence vector, each
    `{"name", "curve", "floor", "median", "scale"}` (see `core.models.starter.sheet.Scale`); `versions` maps a modality
    to the measuring version that these statistics were taken with. `reward_temperature` divides every reward,
    `tie_weight` is Davidson's ν, `tie_threshold` the ε under which a difference of rewards is a tie,
    `coverage_threshold` the coverage under which the starter says that it cannot see what is asked: all four are
    fitted on the wordings kept for choosing, never on test wordings.
    """

    model_type = "omni_reward_starter"

    def __init__(
        self,
        vocab_size: int = 30522,
        hidden_size: int = 384,
        num_hidden_layers: int = 6,
        num_attention_heads: int = 12,
        intermediate_size: int = 1536,
        max_position_embeddings: int = 96,
        decoder_size: int = 256,
        mixture_size: int = 128,
        dropout: float = 0.1,
        measures: dict[str, list[dict[str, Any]]] | None = None,
        versions: dict[str, int] | None = None,
        reward_temperature: float = 1.0,
        tie_weight: float = 0.5,
        tie_threshold: float = 0.0,
        coverage_threshold: float = 0.5,
        **kwargs: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.max_position_embeddings = max_position_embeddings
        self.decoder_size = decoder_size
        self.mixture_size = mixture_size
        self.dropout = dropout
        self.measures = measures or {}
        self.versions = versions or {}
        self.reward_temperature = reward_temperature
        self.tie_weight = tie_weight
        self.tie_threshold = tie_threshold
        self.coverage_threshold = coverage_threshold
        super().__init__(**kwargs)
