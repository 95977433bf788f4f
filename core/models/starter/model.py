"""The starter's network: criterion encoder, decoder over measured evidence, value head, coverage head.

r(c, x, y) is pointwise (Omni-Reward, arXiv 2510.23451, section 4.1): each response is scored alone, so swapping the two
responses of a pair swaps the rewards exactly. Loaded on demand: importing this file imports torch and transformers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention
from transformers import AutoConfig, AutoModel, PreTrainedModel

from core.models.starter.config import StarterConfig
from core.nouns import Modality

FEATURES = 5


def features(values: Tensor) -> Tensor:
    """z values (…, measures), NaN = missing, to (…, measures, FEATURES): z, |z|, tanh 2z, z² / 5 and "missing"."""
    missing = torch.isnan(values)
    z = torch.where(missing, torch.zeros_like(values), values)
    return torch.stack([z, z.abs(), torch.tanh(2 * z), z * z / 5, missing.to(z.dtype)], dim=-1)


@dataclass
class Reading:
    """What was made of the criteria: the encoder's pool (criteria, 2 × hidden), and what each means for each modality:
    gists (criteria, modalities, width). "Sharper" asks other measures of a picture than of a sound."""

    pooled: Tensor
    gist: Tensor

    def rows(self, index: Tensor) -> Reading:
        return Reading(self.pooled[index], self.gist[index])


class Attention(nn.Module):
    """Multi-head self-attention of states (criteria, tokens, width), with a mask over the tokens."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        def split(x: Tensor) -> Tensor:
            return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

        mixed = scaled_dot_product_attention(
            split(self.query(states)),
            split(self.key(states)),
            split(self.value(states)),
            attn_mask=mask[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out(mixed.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """One post-norm transformer layer as in BERT (Devlin et al. 2019), so that MiniLM's weights fit it."""

    def __init__(self, config: StarterConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.attention = Attention(width, config.num_attention_heads, config.dropout)
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.inner = nn.Linear(width, config.intermediate_size)
        self.outer = nn.Linear(config.intermediate_size, width)
        self.outer_norm = nn.LayerNorm(width, eps=1e-12)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        states = self.attention_norm(states + self.drop(self.attention(states, mask)))
        return self.outer_norm(states + self.drop(self.outer(gelu(self.inner(states)))))


class CriterionEncoder(nn.Module):
    """Token ids of criteria to a pool of their states (mean and first); trained end to end, because direction is what a
    frozen encoder does not keep.

    Only the word embeddings stay as the teacher had them, in int8 with a scale a word: words that no wording used keep
    their places among those that did, and the table takes a quarter of the room.
    """

    words: Tensor
    word_scale: Tensor

    def __init__(self, config: StarterConfig) -> None:
        super().__init__()
        self.register_buffer("words", torch.zeros(config.vocab_size, config.hidden_size, dtype=torch.int8))
        self.register_buffer("word_scale", torch.ones(config.vocab_size, 1))
        self.positions = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=1e-12)
        self.drop = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_hidden_layers))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        scale = self.word_scale[ids]
        states = self.words[ids].to(scale.dtype) * scale + self.positions.weight[: ids.shape[1]]
        states = self.drop(self.norm(states))
        for layer in self.layers:
            states = layer(states, mask)
        weight = mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weight).sum(1) / weight.sum(1)
        return torch.cat([mean, states[:, 0]], dim=-1)


class SteerDecoder(nn.Module):
    """The criterion is read once into signed weights over the measures, plus a small gated mixture of them.

    r = Σ_m Σ_k w_mk(c) φ_k(z_m) + u(c) · GELU(Σ_m V_m φ(z_m) + g(c)), where w_mk(c) = q(c) · E_mk is bilinear in the
    criterion's gist q and what is learned of each measure.
    """

    def __init__(self, config: StarterConfig, measures: int) -> None:
        super().__init__()
        width, mixture = config.decoder_size, config.mixture_size
        self.modalities = max(1, len(config.measures))
        self.gist = nn.Linear(2 * config.hidden_size, self.modalities * width)
        self.drop = nn.Dropout(config.dropout)
        self.weights = nn.Parameter(torch.empty(measures, FEATURES, width).normal_(std=0.5 / math.sqrt(width)))
        self.mixture = nn.Parameter(torch.empty(measures, FEATURES, mixture).normal_(std=1 / math.sqrt(measures)))
        self.gate = nn.Linear(width, mixture)
        self.value = nn.Linear(width, mixture)

    def read(self, pooled: Tensor) -> Tensor:
        """The gists of criteria, (criteria, modalities, width), from the encoder's pool."""
        return gelu(self.gist(pooled)).unflatten(-1, (self.modalities, -1))

    def forward(self, gist: Tensor, owner: Tensor, values: Tensor, columns: slice) -> Tensor:
        gist = self.drop(gist)
        phi = features(values).flatten(1)
        weights = gist @ self.weights[columns].flatten(0, 1).T
        linear = (phi * weights[owner]).sum(-1)
        mixed = phi @ self.mixture[columns].flatten(0, 1)
        mixed = gelu(mixed + self.gate(gist)[owner])
        return linear + (mixed * self.value(gist)[owner]).sum(-1) / math.sqrt(mixed.shape[-1])


class StarterModel(PreTrainedModel):
    """Criterion tokens and standardised evidence to rewards, and to what the criterion asks being visible at all.

    `columns` gives each modality its slice of the measures; one model serves all of them.
    """

    config: StarterConfig
    config_class = StarterConfig
    base_model_prefix = "starter"

    def __init__(self, config: StarterConfig) -> None:
        super().__init__(config)
        # in the order of the noun, since config.json is written with its keys sorted
        self.modalities = tuple(modality.value for modality in Modality if modality.value in config.measures)
        self.columns: dict[str, slice] = {}
        start = 0
        for modality in self.modalities:
            self.columns[modality] = slice(start, start + len(config.measures[modality]))
            start += len(config.measures[modality])
        self.encoder = CriterionEncoder(config)
        self.decoder = SteerDecoder(config, start)
        self.seen_inner = nn.Linear(2 * config.hidden_size, config.decoder_size)
        self.seen = nn.Linear(config.decoder_size, max(1, len(self.modalities)))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """New parts keep what their constructors drew; the encoder's matrices start small, as in BERT."""
        if isinstance(module, nn.Embedding):
            module.weight.data.normal_(std=0.02)

    def read(self, ids: Tensor, mask: Tensor) -> Reading:
        """Criterion tokens (criteria, tokens) to a Reading."""
        pooled = self.encoder(ids, mask)
        return Reading(pooled, self.decoder.read(pooled))

    def rewards(self, reading: Reading, owner: Tensor, modality: str, values: Tensor) -> Tensor:
        """Rewards (responses,) in nats; `owner` (responses,) says which criterion of `reading` each is asked under;
        `values` (responses, measures of the modality) are z values with NaN where a measure is missing."""
        gist = reading.gist[:, self.modalities.index(modality)]
        return self.decoder(gist, owner, values, self.columns[modality]) / self.config.reward_temperature

    def coverage(self, reading: Reading) -> Tensor:
        """Logits (criteria, modalities) that what is asked can be seen in the measures of each modality."""
        return self.seen(gelu(self.seen_inner(reading.pooled)))

    def forward(self, ids: Tensor, mask: Tensor, owner: Tensor, modality: str, values: Tensor) -> Tensor:
        """Rewards of responses of one modality; see `rewards`."""
        return self.rewards(self.read(ids, mask), owner, modality, values)

    def start_from(self, teacher: Path, rows: list[int]) -> None:
        """Start the encoder from a MiniLM checkpoint (model.safetensors); `rows` are its embeddings to take."""
        from safetensors.torch import load_file

        weights = load_file(teacher)
        encoder, prefix = self.encoder, "embeddings."
        with torch.no_grad():
            words = weights[prefix + "word_embeddings.weight"][rows]
            encoder.word_scale.copy_(words.abs().amax(1, keepdim=True).clamp_min(1e-6) / 127)
            encoder.words.copy_((words / encoder.word_scale).round().to(torch.int8))
            kind = weights[prefix + "token_type_embeddings.weight"][0]
            places = weights[prefix + "position_embeddings.weight"][: len(encoder.positions.weight)]
            encoder.positions.weight.copy_(places + kind)
            encoder.norm.load_state_dict({k: weights[f"{prefix}LayerNorm.{k}"] for k in ("weight", "bias")})
            for number, layer in enumerate(encoder.layers):
                assert isinstance(layer, EncoderLayer)  # noqa: S101 - a ModuleList forgets what it holds
                parts: dict[str, nn.Module] = {
                    "attention.self.query": layer.attention.query,
                    "attention.self.key": layer.attention.key,
                    "attention.self.value": layer.attention.value,
                    "attention.output.dense": layer.attention.out,
                    "attention.output.LayerNorm": layer.attention_norm,
                    "intermediate.dense": layer.inner,
                    "output.dense": layer.outer,
                    "output.LayerNorm": layer.outer_norm,
                }
                for name, part in parts.items():
                    part.load_state_dict({k: weights[f"encoder.layer.{number}.{name}.{k}"] for k in ("weight", "bias")})


AutoConfig.register(StarterConfig.model_type, StarterConfig)
AutoModel.register(StarterConfig, StarterModel)
