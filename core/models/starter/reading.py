"""How the starter learns to read: what a wording asks for, and in which direction, apart from any evidence.

Telling one end of an attribute from its opposite and from the others is a matter of words alone. It is learned first,
on wordings only, which costs a fraction of a step with evidence; what an end means for the measures is known by then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, normalize, softplus

from core.models.starter.lesson import Lesson, Teacher
from core.models.starter.model import Reading, StarterModel
from core.models.starter.recipe import Recipe
from core.models.starter.variants import Report
from core.models.starter.vocabulary import Vocabulary

SHARPNESS = 16.0  # of the cosines, as a temperature of 1/16


def read_together(
    model: StarterModel, vocabulary: Vocabulary, criteria: Sequence[str | None], chunks: int = 4
) -> Reading:
    """Read criteria sorted by length in chunks, so that short ones are not padded to the longest."""
    order = sorted(range(len(criteria)), key=lambda n: len(criteria[n] or ""))
    size = -(-len(order) // chunks)
    parts = [
        model.read(*vocabulary.encode([criteria[n] for n in order[start : start + size]]))
        for start in range(0, len(order), size)
    ]
    together = Reading(torch.cat([part.pooled for part in parts]), torch.cat([part.gist for part in parts]))
    return together.rows(torch.tensor(np.argsort(order)))


def end_loss(gist: Tensor, asked: Tensor, gists: Tensor, owners: Tensor) -> Tensor:
    """Draws a wording's gist to that of the end it asks for, and tells it apart from the others of its modality.

    `gist` (wordings, modalities, width), `asked` (wordings,) index of the end or −1 for none, `gists` (ends, width) the
    ends' own, `owners` (ends,) the place of each end's modality. Cross-entropy of cosines, and once more against the
    opposite end alone: mistaking an attribute costs little, mistaking the direction all.
    """
    known = asked >= 0
    asked, own = asked[known], gist[known, owners[asked[known]]]
    cosine = SHARPNESS * normalize(own, dim=-1) @ normalize(gists, dim=-1).T
    cosine = cosine.masked_fill(owners[asked][:, None] != owners[None, :], -math.inf)
    apart = (own - gists[asked]).square().mean() / (gists.var() + 1e-6)
    opposite = (cosine.gather(1, (asked ^ 1)[:, None]) - cosine.gather(1, asked[:, None])).squeeze(1)
    return cross_entropy(cosine, asked) + softplus(opposite).mean() + apart


def coverage_loss(model: StarterModel, reading: Reading, lesson: Lesson) -> Tensor:
    """Cross-entropy of what can be seen, where that is known."""
    seen = torch.from_numpy(np.stack(lesson.seen).astype(np.float32))
    known = ~torch.isnan(seen)
    return binary_cross_entropy_with_logits(model.coverage(reading)[known], seen[known])


def first_reading(
    model: StarterModel, vocabulary: Vocabulary, teacher: Teacher, gists: Tensor, recipe: Recipe, report: Report
) -> None:
    """Fit the map from the encoder's pool to the gists on states that are read once, before the encoder moves.

    A probe first and the whole afterwards keeps what the encoder knew (Kumar et al. 2022, arXiv 2202.10054), and the
    first hundreds of steps cost almost nothing.
    """
    steps, rng = recipe.training, np.random.default_rng([recipe.seed, 2])
    texts, asked = [], []
    for place, end in enumerate(teacher.ends):
        for _ in range(steps.probe_wordings):
            texts.append(teacher.wording(end, rng))
            asked.append(place)
    model.eval()
    with torch.no_grad():
        pooled = torch.cat([
            read_together(model, vocabulary, texts[start : start + 512]).pooled for start in range(0, len(texts), 512)
        ])  # fmt: skip
    model.train()
    target, owners = torch.tensor(asked), torch.from_numpy(teacher.owners)
    optimiser = torch.optim.AdamW(model.decoder.gist.parameters(), lr=3e-3, weight_decay=0.05)
    losses: list[float] = []
    for step in range(steps.probe_steps):
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * 0.5 * (1 + math.cos(math.pi * step / steps.probe_steps))
        batch = torch.from_numpy(rng.integers(len(texts), size=512))
        seen = pooled[batch] + 0.1 * torch.randn(512, pooled.shape[1])
        loss = end_loss(model.decoder.read(seen), target[batch], gists, owners)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    report(f"First reading: loss {np.mean(losses[:20]):.2f} at first, {np.mean(losses[-50:]):.2f} at last")


def learn_to_read(
    model: StarterModel, vocabulary: Vocabulary, teacher: Teacher, gists: Tensor, recipe: Recipe, report: Report
) -> None:
    """Train encoder, gists and coverage on wordings alone; the decoder stays as the evidence made it."""
    steps = recipe.training
    owners = torch.from_numpy(teacher.owners)
    heads = [*model.decoder.gist.parameters(), *model.seen.parameters(), *model.seen_inner.parameters()]
    groups = [
        {"params": list(model.encoder.parameters()), "lr": steps.reading_rate},
        {"params": heads, "lr": steps.head_rate},
    ]
    rates = [steps.reading_rate, steps.head_rate]
    optimiser = torch.optim.AdamW(groups, weight_decay=steps.weight_decay)
    model.train()
    started, step, losses = time.monotonic(), 0, []
    while step < steps.reading_steps and (spent := time.monotonic() - started) < steps.reading_minutes * 60:
        progress = max(step / steps.reading_steps, spent / (steps.reading_minutes * 60))
        rate = min(1.0, progress / 0.06 + 0.01) * 0.5 * (1 + math.cos(math.pi * progress))
        for group, full in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = full * rate
        torch.manual_seed(recipe.seed * 100_019 + step)
        lesson = teacher.words_only(np.random.default_rng([recipe.seed, 3, step]), steps.reading_wordings)
        reading = read_together(model, vocabulary, lesson.criteria, chunks=8)
        end = end_loss(reading.gist, torch.tensor(lesson.ends), gists, owners)
        loss = end + steps.coverage_weight * coverage_loss(model, reading, lesson)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        losses.append(float(end.detach()))
        if step % 100 == 0:
            report(f"Reading alone: step {step}, {spent:.0f} s, loss {np.mean(losses[-100:]):.3f}")
