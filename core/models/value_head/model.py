"""The reward model: a backbone's last hidden state at the last real token, through one linear layer, in float32.

r(c, x, y) is for one response; the Bradley-Terry likelihood σ(r₁ − r₂) of a preference is made of two of them
(Omni-Reward, arXiv 2510.23451, section 4.1). Importing this file imports torch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def last_tokens(attention_mask: torch.Tensor) -> torch.Tensor:
    """Index of the last real token of each row, (batch,), whichever side is padded. ValueError on an empty row."""
    if not bool(attention_mask.bool().any(dim=1).all()):
        raise ValueError("an input has no token at all")
    places = torch.arange(attention_mask.shape[1], device=attention_mask.device)
    return (attention_mask.bool() * places).argmax(dim=1)


class ValueHeadModel(nn.Module):
    """`network` is a generation model of transformers; only its `model` is run, never its language head."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        config: Any = network.config
        self.hidden_size: int = config.get_text_config().hidden_size
        # float32 whatever the backbone: in bfloat16 rewards near 8 are 1/32 apart, and small differences vanish
        self.summary = nn.Linear(self.hidden_size, 1, dtype=torch.float32)

    def forward(self, attention_mask: Any, ends: torch.Tensor | None = None, **inputs: Any) -> torch.Tensor:
        """Rewards (batch,), float32, of `input_ids` (batch, length) and the media that the backbone's processor made.

        `attention_mask` (batch, length) is 1 for real tokens; they stand together, padded left or right. With `ends`
        (responses, 2) rewards are read there, in rows and columns, since a row may hold several responses; the mask
        then is whatever the backbone takes.
        """
        states = self.network.model(  # type: ignore[operator, union-attr]
            attention_mask=attention_mask, use_cache=False, return_dict=True, **inputs
        ).last_hidden_state
        if ends is None:
            rows = torch.arange(states.shape[0], device=states.device)
            last = states[rows, last_tokens(attention_mask).to(states.device)]
        else:
            last = states[tuple(ends.to(states.device).T)]
        # mixed precision, in which backbones are trained, would have the head in bfloat16 all the same
        with torch.autocast(states.device.type, enabled=False):
            # on several devices the head stands wherever the last layer does
            return self.summary(last.to(self.summary.weight)).squeeze(-1)
