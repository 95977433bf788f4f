"""How the starter learns to read answers: Bradley-Terry over text pairs that people labelled.

loss = −log σ(t(c, x, y⁺) − t(c, x, y⁻)) (Omni-Reward, arXiv 2510.23451, equation 1). Every source has the same say,
whatever its size, and a word or two of each answer is dropped, so that nothing is learned by heart.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from core.models.starter.human import HumanPairs
from core.models.starter.model import StarterModel
from core.models.starter.reading import Keep
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
    """Train the reader of answers; schedule, `keep` and `resumed` as in `reading.learn_to_read`."""
    steps, reader = recipe.training, model.answers
    heads = [*reader.value.parameters(), *reader.evidence.parameters()]
    groups = [
        {"params": list(reader.encoder.parameters()), "lr": steps.answer_rate},
        {"params": heads, "lr": steps.head_rate},
    ]
    rates = [steps.answer_rate, steps.head_rate]
    optimiser = torch.optim.AdamW(groups, weight_decay=steps.weight_decay)
    step, spent = 0, 0.0
    if resumed:
        reader.load_state_dict(resumed["reader"])
        optimiser.load_state_dict(resumed["optimiser"])
        step, spent = resumed["step"], resumed["spent"]
    reader.train()
    started, losses = time.monotonic() - spent, []
    while step < steps.answer_steps and spent < steps.answer_minutes * 60:
        progress = max(step / steps.answer_steps, spent / (steps.answer_minutes * 60))
        rate = min(1.0, progress / 0.05 + 0.01) * 0.5 * (1 + math.cos(math.pi * progress))
        for group, full in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = full * rate
        torch.manual_seed(recipe.seed * 100_043 + step)
        asked, values = batch(human, z, np.random.default_rng([recipe.seed, 4, step]), steps.answer_pairs)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            better, worse = read_answers(model, vocabulary, asked, values, chunk=16).chunk(2)
        loss = -logsigmoid(better - worse).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimiser.step()
        step, spent = step + 1, time.monotonic() - started
        losses.append(float(loss.detach()))
        last = step == steps.answer_steps or spent >= steps.answer_minutes * 60
        if step % steps.report_every == 0 or last:
            keep({"line": {"step": step, "seconds": round(spent, 1), "loss": float(np.mean(losses))}})
            losses.clear()
        if step % steps.checkpoint_every == 0 or last:
            state = {"reader": reader.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "spent": spent}
            keep({"state": state})
    reader.eval()
