"""Asks the model wishes of one split about files of that split, and keeps every difference of rewards.

Used on the choosing split while training and for the fitted thresholds, and on the test split by `perceptual`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from core.models.starter.changes import DIRECTIONS
from core.models.starter.human import HumanPairs
from core.models.starter.model import Reading, StarterModel
from core.models.starter.pairs import PairBank, follows_quality
from core.models.starter.vocabulary import Vocabulary
from core.models.starter.wishes import Split, load, unaskable
from core.models.starter.wording import GENERAL
from core.nouns import Modality


@dataclass
class Answers:
    """What one wording got. `differences` are r(wished) − r(other), so > 0 is right; `gaps` how far the levels lie
    apart; `level` are |r1 − r2| on pairs that do not differ in the attribute. `follows`: the wish asks for what people
    call better (None: they do not agree)."""

    modality: Modality
    attribute: str
    direction: str
    wording: str
    follows: bool | None
    held_out: bool
    differences: np.ndarray
    gaps: np.ndarray
    level: np.ndarray


@torch.inference_mode()
def read(model: StarterModel, vocabulary: Vocabulary, criteria: Sequence[str | None]) -> Reading:
    return model.read(*vocabulary.encode(criteria))


@torch.inference_mode()
def rewards(model: StarterModel, reading: Reading, row: int, modality: Modality, z: np.ndarray) -> np.ndarray:
    """Rewards (responses,) of z values (responses, measures) under one criterion of a reading."""
    owner = torch.zeros(len(z), dtype=torch.long)
    return model.rewards(reading.rows(torch.tensor([row])), owner, modality, torch.from_numpy(z)).numpy()


def examine(
    model: StarterModel,
    vocabulary: Vocabulary,
    bank: PairBank,
    split: Split,
    pairs: int = 24,
    seed: int = 0,
    attributes: Iterable[str] | None = None,
) -> Iterator[Answers]:
    """Every wording of a split, each on the same number of pairs of its attribute (fewer where there are fewer)."""
    wishes = load(bank.modality)
    for name in attributes if attributes is not None else bank.variants.attributes:
        attribute = bank.attributes[name]
        known = bank.of(name, split)
        if not len(known) or (attribute.held_out and split != "test"):
            continue
        rng = np.random.default_rng([seed, sum(map(ord, name))])
        flat_first, flat_second = bank.level(name, split)
        for direction in DIRECTIONS:
            wordings = wishes.of(name, direction, split)
            reading = read(model, vocabulary, wordings)
            for row, wording in enumerate(wordings):
                drawn = known.take(rng.permutation(len(known))[:pairs])
                ties = rng.permutation(len(flat_first))[: max(4, pairs // 4)]
                z = bank.z[np.concatenate([drawn.high, drawn.low, flat_first[ties], flat_second[ties]])]
                r = rewards(model, reading, row, bank.modality, z)
                n, t = len(drawn), len(ties)
                sign = 1.0 if direction == "more" else -1.0
                yield Answers(
                    modality=bank.modality,
                    attribute=name,
                    direction=direction,
                    wording=wording,
                    follows=follows_quality(bank, name, direction),
                    held_out=attribute.held_out,
                    differences=sign * (r[:n] - r[n : 2 * n]),
                    gaps=drawn.gap,
                    level=np.abs(r[2 * n : 2 * n + t] - r[2 * n + t :]),
                )


def examine_general(
    model: StarterModel, vocabulary: Vocabulary, bank: PairBank, split: Split, pairs: int = 60
) -> list[Answers]:
    """No criterion at all, and the general wordings, on pairs of which everything speaks for one side."""
    known = bank.general(split)
    if not len(known):
        return []
    rng = np.random.default_rng(1)
    drawn = known.take(rng.permutation(len(known))[:pairs])
    z = bank.z[np.concatenate([drawn.high, drawn.low])]
    better, worse = GENERAL[split]
    asked: list[tuple[str | None, bool]] = [(None, True), *((w, True) for w in better), *((w, False) for w in worse)]
    reading = read(model, vocabulary, [wording for wording, _ in asked])
    found = []
    for row, (wording, follows) in enumerate(asked):
        r = rewards(model, reading, row, bank.modality, z)
        difference = (r[: len(drawn)] - r[len(drawn) :]) * (1.0 if follows else -1.0)
        none = np.zeros(0, dtype=np.float32)
        found.append(
            Answers(
                bank.modality,
                "",
                "more" if follows else "less",
                wording or "",
                follows,
                False,
                difference,
                drawn.gap,
                none,
            )
        )
    return found


@torch.inference_mode()
def examine_human(
    model: StarterModel, vocabulary: Vocabulary, human: HumanPairs, z: np.ndarray, split: str
) -> dict[str, float]:
    """Share of decided human pairs on which the model agrees, by source."""
    found: dict[str, float] = {}
    rows = human.decided(split)
    criteria = sorted({human.criteria[row] or "" for row in rows})
    if not criteria:
        return found
    reading = read(model, vocabulary, criteria)
    owner = torch.tensor([criteria.index(human.criteria[row] or "") for row in rows])
    first, second = (
        model.rewards(reading, owner, human.modality, torch.from_numpy(z[rows, side])).numpy() for side in (0, 1)
    )
    right = (first > second) == (human.labels[rows] == 1)
    for source in np.unique(human.sources[rows]):
        found[str(source)] = float(right[human.sources[rows] == source].mean())
    return found


@torch.inference_mode()
def coverages(
    model: StarterModel, vocabulary: Vocabulary, modality: Modality, split: Split
) -> tuple[np.ndarray, np.ndarray]:
    """Coverage in [0, 1] of the wishes of a split, and of what cannot be seen."""
    wishes, place = load(modality), model.modalities.index(modality)
    askable = [
        wording
        for name in wishes.attributes
        for direction in DIRECTIONS
        for wording in wishes.of(name, direction, split)
    ]
    seen, unseen = (
        torch.sigmoid(model.coverage(read(model, vocabulary, texts)))[:, place].numpy()
        for texts in (askable, list(unaskable(modality)[split]))
    )
    return seen, unseen
