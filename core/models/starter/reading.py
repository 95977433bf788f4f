"""How the starter learns to read: which attribute a wording asks for, and in which direction, apart from any evidence.

Cross-entropy over the ends of the attributes of a modality and "cannot be seen there", and once more between the end
that is asked for and its opposite alone: mistaking an attribute costs little, mistaking the direction all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import log_softmax, softplus

from core.models.starter.lesson import Lesson, Teacher
from core.models.starter.model import StarterModel
from core.models.starter.recipe import Recipe
from core.models.starter.vocabulary import Vocabulary

Keep = Callable[[dict[str, Any]], None]


def read_together(model: StarterModel, vocabulary: Vocabulary, criteria: Sequence[str], chunks: int = 1) -> Tensor:
    """Pools (criteria, 2 × hidden) of criteria read sorted by length in chunks, so that short ones are not padded to
    the longest."""
    order = sorted(range(len(criteria)), key=lambda n: len(criteria[n]))
    size = -(-len(order) // chunks)
    parts = [
        model.read(*vocabulary.encode([criteria[n] for n in order[start : start + size]]))
        for start in range(0, len(order), size)
    ]
    return torch.cat(parts).float()[torch.tensor(np.argsort(order))]


def reading_loss(model: StarterModel, pooled: Tensor, lesson: Lesson, smoothing: float = 0.05) -> Tensor:
    """Mean loss over the criteria of a lesson whose pools (criteria, 2 × hidden) are given."""
    total = pooled.new_zeros(())
    for place, modality in enumerate(model.modalities):
        rows = torch.from_numpy(np.flatnonzero(lesson.modality == place))
        if not len(rows):
            continue
        logits = model.reading(pooled[rows], modality).logits
        target = torch.from_numpy(lesson.target)[rows]
        told = log_softmax(logits, -1)
        own = told.gather(1, target).mean(1)
        total = total - ((1 - smoothing) * own + smoothing * told.mean(1)).sum()
        ends = target < logits.shape[1] - 1
        opposite = logits.gather(1, torch.where(ends, target ^ 1, target)) - logits.gather(1, target)
        total = total + (softplus(opposite) * ends).mean(1).sum()
    return total / len(lesson.criteria)


def learn_to_read(
    model: StarterModel, vocabulary: Vocabulary, teacher: Teacher, recipe: Recipe, keep: Keep, resumed: dict[str, Any]
) -> None:
    """Train the criterion encoder and the wishes of every modality; AdamW, warm-up, cosine to zero.

    `keep` gets the state every `checkpoint_every` steps and a line of figures every `report_every`; `resumed` is a
    state that was kept, or empty. Matrix products run in bfloat16 where the recipe says so.
    """
    steps = recipe.training
    trained = [*model.encoder.parameters(), *model.wishes.parameters()]
    groups = [
        {"params": list(model.encoder.parameters()), "lr": steps.reading_rate},
        {"params": list(model.wishes.parameters()), "lr": steps.head_rate},
    ]
    rates = [steps.reading_rate, steps.head_rate]
    optimiser = torch.optim.AdamW(groups, weight_decay=steps.weight_decay)
    step, spent = 0, 0.0
    if resumed:
        model.encoder.load_state_dict(resumed["encoder"])
        model.wishes.load_state_dict(resumed["wishes"])
        optimiser.load_state_dict(resumed["optimiser"])
        step, spent = resumed["step"], resumed["spent"]
    model.train()
    started, losses = time.monotonic() - spent, []
    while step < steps.reading_steps and spent < steps.reading_minutes * 60:
        # where time is short the schedule follows the clock, so that it always ends annealed
        progress = max(step / steps.reading_steps, spent / (steps.reading_minutes * 60))
        rate = min(1.0, progress / 0.05 + 0.01) * 0.5 * (1 + math.cos(math.pi * progress))
        for group, full in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = full * rate
        # every step has its own generator, so a resumed run sees what an unbroken one would
        torch.manual_seed(recipe.seed * 100_019 + step)
        lesson = teacher.lesson(np.random.default_rng([recipe.seed, 3, step]), steps.reading_wordings)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            pooled = read_together(model, vocabulary, lesson.criteria, chunks=4)
        loss = reading_loss(model, pooled, lesson)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        step, spent = step + 1, time.monotonic() - started
        losses.append(float(loss.detach()))
        last = step == steps.reading_steps or spent >= steps.reading_minutes * 60
        if step % steps.report_every == 0 or last:
            keep({"line": {"step": step, "seconds": round(spent, 1), "loss": float(np.mean(losses))}})
            losses.clear()
        if step % steps.checkpoint_every == 0 or last:
            kept = {"encoder": model.encoder.state_dict(), "wishes": model.wishes.state_dict()}
            keep({"state": kept | {"optimiser": optimiser.state_dict(), "step": step, "spent": spent}})
    model.eval()
