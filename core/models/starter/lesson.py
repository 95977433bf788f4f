"""What reading is learned from: batches of wordings, each with the end of an attribute that it asks for.

Both ends of everything are drawn in equal number. Besides single wishes there are two in one sentence, criteria that
measuring cannot decide, and wishes that belong to another modality.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.models.starter.changes import CHANGES, DIRECTIONS, Direction
from core.models.starter.config import OVERALL
from core.models.starter.recipe import Steps
from core.models.starter.wishes import Wish, frames, load, rated, unaskable
from core.models.starter.wording import Wordings, glosses
from core.nouns import Modality

# a soundtrack and a frame are part of a video, so a wish about them may well be seen there
_SHARED = {(Modality.IMAGE, Modality.VIDEO), (Modality.VIDEO, Modality.IMAGE)}
_SHARED |= {(Modality.AUDIO, Modality.VIDEO), (Modality.VIDEO, Modality.AUDIO)}


@dataclass
class Lesson:
    """Criteria, the modality (place in the model's) that each is asked of, and as shares of one the classes that it
    asks for: `target` (criteria, 2): two classes of that modality's reading, alike where there is only one."""

    criteria: list[str]
    modality: np.ndarray
    target: np.ndarray


class Teacher:
    """Draws lessons. `attributes` maps a modality to what can be asked for, as `StarterConfig.attributes` has it."""

    def __init__(self, attributes: dict[Modality, list[str]], steps: Steps, content: tuple[str, ...] = ()) -> None:
        self.attributes, self.steps = attributes, steps
        self.modalities = tuple(attributes)
        self.wordings = {
            (modality, name, direction): _wordings(modality, name, direction)
            for modality, names in attributes.items()
            for name in names
            for direction in DIRECTIONS
        }
        self.unaskable = {
            modality: [*unaskable(modality).train, *(content if modality is Modality.TEXT else ())]
            for modality in attributes
        }
        # all that lessons are drawn from, for whoever has to know whether it is still the same
        self.told: list[object] = [[*map(str, key), w.own, w.gloss] for key, w in self.wordings.items()]
        self.told += [*self.unaskable.items(), frames().model_dump()]
        self.asked = [(modality, name) for modality, names in attributes.items() for name in names]

    def lesson(self, rng: np.random.Generator, wordings: int) -> Lesson:
        """About as many criteria as asked for, an eighth more of them unaskable."""
        rows: list[tuple[str, Modality, int, int]] = []
        for place in rng.integers(len(self.asked), size=wordings // 2):
            modality, name = self.asked[int(place)]
            rows += [self._row(modality, name, direction, rng) for direction in DIRECTIONS]
        for place in rng.integers(len(self.modalities), size=wordings // 8):
            modality = self.modalities[int(place)]
            options = self.unaskable[modality]
            none = 2 * len(self.attributes[modality])
            rows.append((options[int(rng.integers(len(options)))], modality, none, none))
        return Lesson(
            [row[0] for row in rows],
            np.array([self.modalities.index(row[1]) for row in rows]),
            np.array([row[2:] for row in rows]),
        )

    def _row(
        self, modality: Modality, name: str, direction: Direction, rng: np.random.Generator
    ) -> tuple[str, Modality, int, int]:
        wording, asked = self._drawn(modality, name, direction, rng), self._class(modality, name, direction)
        lot = rng.random()
        if lot < self.steps.joined_share:
            other = str(rng.choice([n for n in self.attributes[modality] if n != name]))
            turn: Direction = DIRECTIONS[int(rng.integers(2))]
            second = self._drawn(modality, other, turn, rng)
            if len(wording.split()) + len(second.split()) <= 16:
                text = str(rng.choice(frames().joined)).format(a=wording.rstrip(".!"), b=second)
                return text, modality, asked, self._class(modality, other, turn)
        elif lot < self.steps.joined_share + self.steps.elsewhere_share:
            elsewhere = [m for m in self.modalities if not self._known(modality, name, m)]
            if elsewhere:
                where = elsewhere[int(rng.integers(len(elsewhere)))]
                none = 2 * len(self.attributes[where])
                return wording, where, none, none
        return wording, modality, asked, asked

    def _drawn(self, modality: Modality, name: str, direction: Direction, rng: np.random.Generator) -> str:
        return self.wordings[modality, name, direction].draw(rng, self.steps.word_drop)

    def _class(self, modality: Modality, name: str, direction: Direction) -> int:
        return 2 * self.attributes[modality].index(name) + int(direction == "less")

    def _known(self, modality: Modality, name: str, other: Modality) -> bool:
        """Whether a wish about one modality may well be seen in another."""
        alike = any(attribute.name == name for attribute in CHANGES[other].attributes)
        return name == OVERALL or other is modality or (modality, other) in _SHARED or alike


def _wordings(modality: Modality, name: str, direction: Direction) -> Wordings:
    other: Direction = "less" if direction == "more" else "more"
    if name == OVERALL:
        wish: Wish | None = frames().general
    else:
        wish = rated(modality).get(name)
    if wish is not None:
        return Wordings(wish[direction].train, wish[other].train, [], [])
    wishes, attribute = load(modality), CHANGES[modality][name]
    return Wordings(
        wishes.of(name, direction, "train"),
        wishes.of(name, other, "train"),
        glosses(attribute, direction),
        glosses(attribute, other),
    )
