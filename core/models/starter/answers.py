"""How the starter learns to read answers: Bradley-Terry over text pairs that people labelled.

loss = −log σ(t(c, x, y⁺) − t(c, x, y⁻)) (Omni-Reward, arXiv 2510.23451, equation 1). Every source has the same say,
whatever its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from core.models.starter.descent import Course, Keep, descend
from core.models.starter.human import HumanPairs
from core.models.starter.model import StarterModel
from core.models.starter.recipe import Recipe
from core.models.starter.vocabulary import Vocabulary

Asked = tuple[str | None, str, str]


def read_answers(
    model: StarterModel, vocabulary: Vocabulary, asked: Sequence[Asked], z: np.ndarray, chunk: int = 32
) -> Tensor:
    """t (answers,) of (criterion, prompt, answer) with z values (answers, measures); like lengths are read together."""
    order = sorted(range(len(asked)), key=lambda n: sum(len(part or "") for part in asked[n]))
    found = []
    for start in range(0, len(order), chunk):
        rows = order[start : start + chunk]
        tokens = vocabulary.encode_answers([asked[n] for n in rows], model.config.answer_positions)
        found.append(model.answered(*tokens, torch.from_numpy(z[rows])))
    return torch.cat(found).float()[torch.tensor(np.argsort(order))]


def batch(human: HumanPairs, z: np.ndarray, rng: np.random.Generator, pairs: int) -> tuple[list[Asked], np.ndarray]:
    """Better answers, then as many worse ones, with their z values."""
    rows = human.decided("train")
    sources = rng.permutation(np.unique(human.sources[rows]))[: max(1, pairs // 3)]
    picked = np.concatenate([rng.choice(rows[human.sources[rows] == s], -(-pairs // len(sources))) for s in sources])
    asked: list[Asked] = []
    sides = []
    for better in (True, False):
        for row in picked:
            side = 0 if (human.labels[row] == 1) == better else 1
            sides.append(z[row, side])
            prompt, *responses = human.texts[row]
            asked.append((human.criteria[row], prompt, responses[side]))
    return asked, np.stack(sides)


def learn_answers(
    model: StarterModel,
    vocabulary: Vocabulary,
    human: HumanPairs,
    z: np.ndarray,
    recipe: Recipe,
    keep: Keep,
    resumed: dict[str, Any],
) -> None:
    """Train the reader of answers; `keep` and `resumed` as in `descent.descend`."""
    steps, reader = recipe.training, model.answers

    def loss_of(step: int) -> Tensor:
        torch.manual_seed(recipe.seed * 100_043 + step)
        asked, values = batch(human, z, np.random.default_rng([recipe.seed, 4, step]), steps.answer_pairs)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            better, worse = read_answers(model, vocabulary, asked, values, chunk=16).chunk(2)
        return -logsigmoid(better - worse).mean()

    groups = [
        (list(reader.encoder.parameters()), steps.answer_rate),
        ([*reader.value.parameters(), *reader.evidence.parameters()], steps.head_rate),
    ]
    course = Course(steps.answer_steps, steps.answer_minutes)
    descend({"reader": reader}, groups, course, steps, loss_of, keep, resumed)
