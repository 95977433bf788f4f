"""Pairs of measured variants whose preference is known for a wish, because a controlled change made it so.

A pair serves an attribute where the two variants of one file lie at different levels of it and nothing else that they
differ in pulls the same measures the other way: what an attribute does to the measures is estimated by ridge regression
of standardised values (within a file) on the levels, and attributes whose effects point along each other count
against each other by their cosine.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from core.models.starter.changes import CHANGES, Direction
from core.models.starter.sheet import Sheet
from core.models.starter.variants import Variants

KIN = 0.3
STRONG = 0.55
MILD = 0.5


@dataclass
class Pairs:
    """Index pairs: variant `high` lies further towards "more" than `low`; `gap` is by how much."""

    high: np.ndarray
    low: np.ndarray
    gap: np.ndarray

    def __len__(self) -> int:
        return len(self.high)

    def take(self, index: np.ndarray) -> Pairs:
        return Pairs(self.high[index], self.low[index], self.gap[index])


def effects(z: np.ndarray, levels: np.ndarray, file: np.ndarray) -> np.ndarray:
    """What one unit of each attribute's level does to each measure: (attributes, measures), by ridge regression."""
    filled = np.nan_to_num(z)
    inside, moved = filled.copy(), levels.astype(np.float64).copy()
    for owner in np.unique(file):
        rows = file == owner
        inside[rows] -= filled[rows].mean(axis=0)
        moved[rows] -= moved[rows].mean(axis=0)
    gram = moved.T @ moved + 1.0 * np.eye(moved.shape[1])
    return np.linalg.solve(gram, moved.T @ inside)


def likeness(effect: np.ndarray) -> np.ndarray:
    """Cosines between the attributes' effects, (attributes, attributes); small ones and the diagonal are zero."""
    norm = np.linalg.norm(effect, axis=1, keepdims=True)
    unit = effect / np.maximum(norm, 1e-9)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, 0.0)
    cosine[np.abs(cosine) < KIN] = 0.0
    return cosine


class PairBank:
    """All pairs of one modality, by split and attribute, with their standardised evidence."""

    def __init__(self, variants: Variants, sheet: Sheet) -> None:
        self.variants, self.modality = variants, variants.modality
        table = np.full((len(variants.values), len(sheet.names)), np.nan)
        for column, name in enumerate(sheet.names):
            if name in variants.measures:
                table[:, column] = variants.values[:, variants.measures.index(name)]
        self.z = sheet.standardise(table)
        self.attributes = {a.name: a for a in CHANGES[self.modality].attributes}
        learned = variants.splits[variants.file] == "train"
        taught = effects(self.z[learned], variants.levels[learned], variants.file[learned])
        # which pairs are fair to ask is known best from every file, held-out changes included; nothing is learned there
        everywhere = effects(self.z, variants.levels, variants.file)
        self._kin = {"train": likeness(taught)} | dict.fromkeys(("choose", "test"), likeness(everywhere))
        self._by_file: dict[str, list[np.ndarray]] = defaultdict(list)
        for owner in np.unique(variants.file):
            self._by_file[variants.splits[owner]].append(np.flatnonzero(variants.file == owner))
        self._cache: dict[tuple[str, str], Pairs] = {}

    def _candidates(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        firsts, seconds = [], []
        for rows in self._by_file[split]:
            i, j = np.triu_indices(len(rows), 1)
            firsts.append(rows[i])
            seconds.append(rows[j])
        empty = np.zeros(0, dtype=np.int64)
        return (np.concatenate(firsts), np.concatenate(seconds)) if firsts else (empty, empty)

    def conflicts(self, attribute: str, split: str) -> Pairs:
        """Pairs of which each side has one change, and not the same: only the criterion decides."""
        pairs, changed = self.of(attribute, split), self.variants.levels != 0
        alone = (changed[pairs.high].sum(1) == 1) & (changed[pairs.low].sum(1) == 1)
        other = (changed[pairs.high] != changed[pairs.low]).any(1)
        return pairs.take(np.flatnonzero(alone & other))

    def tangled(self, attribute: str, split: str) -> Pairs:
        """Pairs of which a side has several changes at once."""
        pairs, changed = self.of(attribute, split), self.variants.levels != 0
        return pairs.take(np.flatnonzero(np.maximum(changed[pairs.high].sum(1), changed[pairs.low].sum(1)) > 1))

    def of(self, attribute: str, split: str) -> Pairs:
        """Pairs that differ in an attribute, files of one split."""
        key = (attribute, split)
        if key not in self._cache:
            first, second = self._candidates(split)
            column = self.variants.attributes.index(attribute)
            levels = self.variants.levels
            change = levels[first] - levels[second]
            own = change[:, column]
            pull = change @ self._kin[split][column]
            sign = np.sign(own)
            keep = (np.abs(own) > 0.15) & (pull * sign > -0.5 * np.abs(own))
            if split != "test":
                # nothing can be learned where a change left no trace; in a test it counts as it is
                trace = np.nanmax(np.abs(np.nan_to_num(self.z[first] - self.z[second])), axis=1, initial=0.0)
                keep &= trace > 0.03
            high = np.where(sign > 0, first, second)[keep]
            low = np.where(sign > 0, second, first)[keep]
            self._cache[key] = Pairs(high, low, np.abs(own)[keep])
        return self._cache[key]

    def level(self, attribute: str, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of different variants that do not differ in an attribute, nor in anything akin to it: true ties."""
        first, second = self._candidates(split)
        column = self.variants.attributes.index(attribute)
        change = self.variants.levels[first] - self.variants.levels[second]
        same = (change[:, column] == 0) & (np.abs(change @ self._kin[split][column]) < 1e-6)
        return first[same], second[same]

    def general(self, split: str) -> Pairs:
        """Pairs in which everything of agreed quality that differs speaks for one side: `high` is the better."""
        key = ("", split)
        if key not in self._cache:
            side = {"more": 1.0, "less": -1.0, "neither": 0.0}
            weight = np.array([side[self.attributes[name].quality] for name in self.variants.attributes])
            first, second = self._candidates(split)
            change = (self.variants.levels[first] - self.variants.levels[second]) * weight
            # pushing a clean file further towards "quality" is not an improvement that everybody sees
            damage = np.minimum(self.variants.levels * weight, 0.0)
            worse = damage[first] - damage[second]
            total = worse.sum(axis=1)
            agreed = ((worse * np.sign(total)[:, None]) > -0.05).all(axis=1) & (np.abs(total) > 0.3)
            agreed &= ((change * np.sign(total)[:, None]) > -0.05).all(axis=1)
            better = total > 0
            self._cache[key] = Pairs(
                np.where(better, first, second)[agreed], np.where(better, second, first)[agreed], np.abs(total)[agreed]
            )
        return self._cache[key]

    def trained_attributes(self) -> list[str]:
        return [name for name in self.variants.attributes if not self.attributes[name].held_out]


def follows_quality(bank: PairBank, attribute: str, direction: Direction) -> bool | None:
    """Whether a wish asks for what people call better: True, False, or None where there is no such end."""
    quality = bank.attributes[attribute].quality
    return None if quality == "neither" else quality == direction
