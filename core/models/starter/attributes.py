"""How the starter learns how much of each attribute a response has: Bradley-Terry over pairs that differ in it.

loss = −log σ(s_a(y⁺) − s_a(y⁻)) (Bradley and Terry 1952; Omni-Reward, arXiv 2510.23451, equation 1), where y⁺ has more
of attribute a by a controlled change, or by what people said. No text is read here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from core.models.starter.model import StarterModel
from core.models.starter.recipe import Recipe

PAIRS = 32  # of each attribute in a step


@dataclass
class Ranked:
    """Pairs of one attribute as z values: `more` and `less` are (pairs, measures), drawn with the chance `weight`."""

    more: np.ndarray
    less: np.ndarray


def ranking_loss(model: StarterModel, modality: str, values: Tensor, attribute: Tensor) -> Tensor:
    """Bradley-Terry loss; `values` (2 × pairs, measures) has the responses with more above those with less, `attribute`
    (pairs,) says of what."""
    more, less = model.scores[modality](values).gather(1, attribute.repeat(2)[:, None]).squeeze(1).chunk(2)
    return -logsigmoid(more - less).mean()


def learn_attributes(model: StarterModel, modality: str, ranked: list[Ranked], recipe: Recipe) -> list[float]:
    """Train the scores of one modality on the pairs of each of its attributes, in the config's order; an attribute
    without pairs keeps a score of about zero. Returns the losses."""
    steps = recipe.training
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng([recipe.seed, 1])
    scores = model.scores[modality].train()
    optimiser = torch.optim.AdamW(scores.parameters(), lr=steps.score_rate, weight_decay=steps.weight_decay)
    losses = []
    for step in range(steps.score_steps):
        for group in optimiser.param_groups:
            group["lr"] = steps.score_rate * 0.5 * (1 + math.cos(math.pi * step / steps.score_steps))
        more, less, which = [], [], []
        for place, pairs in enumerate(ranked):
            if len(pairs.more):
                drawn = rng.integers(len(pairs.more), size=PAIRS)
                more.append(pairs.more[drawn])
                less.append(pairs.less[drawn])
                which += [place] * PAIRS
        values = np.concatenate([*more, *less])
        values = values + rng.normal(0.0, steps.evidence_noise, values.shape)
        loss = ranking_loss(model, modality, torch.from_numpy(values.astype(np.float32)), torch.tensor(which))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    scores.eval()
    return losses
