"""From mel spectrograms to tokens: Whisper's encoder chunk by chunk, two linear layers, a mean of neighbours.

Whisper: arXiv 2212.04356. Importing this file imports torch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.whisper.modeling_whisper import WhisperEncoder

STATES_A_SECOND = 50  # of the encoder: 100 frames, halved by its second convolution


class AudioTower(WhisperEncoder):
    """Whisper's encoder for a sound of any length up to its 30 s, instead of 30 s always."""

    def forward(self, input_features: Tensor, attention_mask: Any = None, *, chunk: int = 0, **_: Any) -> Tensor:  # type: ignore[override]
        """States (1, ⌈frames / 2⌉, width) of (1, mels, frames). Each attends to its own chunk of so many states and to
        all before it; with 0, to all there are."""
        states = nn.functional.gelu(self.conv1(input_features))
        states = nn.functional.gelu(self.conv2(states)).transpose(1, 2)
        count = states.shape[1]
        states = states + self.embed_positions.weight[:count]
        states = nn.functional.dropout(states, self.dropout, self.training)
        mask = chunk_mask(count, chunk, states) if 0 < chunk < count else None
        for layer in self.layers:
            states = layer(states, mask)
        return self.layer_norm(states)


def chunk_mask(count: int, chunk: int, like: Tensor) -> Tensor:
    """(1, 1, count, count): 0 where a state may look, the least number of its kind where not."""
    places = torch.arange(count, device=like.device)
    hidden = places >= ((places // chunk + 1) * chunk)[:, None]
    mask = torch.zeros(count, count, dtype=like.dtype, device=like.device)
    return mask.masked_fill(hidden, torch.finfo(like.dtype).min)[None, None]


class AudioProjector(nn.Module):
    """The encoder's states in the language model's width."""

    def __init__(self, heard: int, hidden: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(heard, hidden)
        self.linear2 = nn.Linear(hidden, hidden)

    def forward(self, states: Tensor) -> Tensor:
        return self.linear2(nn.functional.relu(self.linear1(states)))


def pooled(states: Tensor, step: int) -> Tensor:
    """Means of `step` neighbours, (⌊length / step⌋, width) of (1, length, width); what is left over at the end is not
    heard, as it was trained."""
    return nn.functional.avg_pool1d(states.transpose(1, 2), step).transpose(1, 2)[0]


def token_count(frames: int, step: int) -> int:
    """How many tokens a sound of so many mel frames becomes."""
    return ((frames - 1) // 2 + 1) // step
