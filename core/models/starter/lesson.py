"""One training step's questions: wishes of every modality, human pairs, and criteria that measuring cannot decide."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from core.models.starter.changes import DIRECTIONS, Direction
from core.models.starter.human import HumanPairs
from core.models.starter.pairs import PairBank
from core.models.starter.recipe import Steps
from core.models.starter.wishes import load, unaskable
from core.models.starter.wording import GENERAL, Wordings, glosses
from core.nouns import Modality

# a soundtrack and a frame are part of a video, so a wish about them may well be seen there
_SHARED = {(Modality.IMAGE, Modality.VIDEO), (Modality.VIDEO, Modality.IMAGE)}
_SHARED |= {(Modality.AUDIO, Modality.VIDEO), (Modality.VIDEO, Modality.AUDIO)}


End = tuple[Modality, str, Direction]  # no name: the better or the worse in general


@dataclass
class Ask:
    """Pairs of one modality in a step: `owner` (pairs,) index into the step's criteria, z values of both sides."""

    modality: Modality
    owner: np.ndarray
    chosen: np.ndarray
    rejected: np.ndarray
    weight: float = 1.0


@dataclass
class Lesson:
    """A step: criteria, what is asked with them, what of them can be seen (criteria, modalities: 1, 0, or NaN where
    unknown), and which end of which attribute they ask for (index into `Teacher.ends`, −1 where none)."""

    criteria: list[str | None] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    seen: list[np.ndarray] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def add(self, criterion: str | None, seen: np.ndarray, end: int = -1) -> None:
        self.criteria.append(criterion)
        self.seen.append(seen)
        self.ends.append(end)


class Teacher:
    """Draws lessons: equally many of both directions, every attribute as often as any other."""

    def __init__(
        self, banks: dict[Modality, PairBank], human: dict[Modality, HumanPairs], z: dict[Modality, np.ndarray],
        steps: Steps, content: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.banks, self.human, self.z, self.steps, self.content = banks, human, z, steps, content
        self.modalities = tuple(banks)
        self.wordings: dict[tuple[Modality, str, Direction], Wordings] = {}
        for modality, bank in banks.items():
            wishes = load(modality)
            for name in bank.trained_attributes():
                attribute = bank.attributes[name]
                for direction in DIRECTIONS:
                    other: Direction = "less" if direction == "more" else "more"
                    self.wordings[modality, name, direction] = Wordings(
                        wishes.of(name, direction, "train"),
                        wishes.of(name, other, "train"),
                        glosses(attribute, direction),
                        glosses(attribute, other),
                    )
        # what can be asked of a modality: an end of an attribute, or in general the better or the worse; the two ends
        # of one thing stand side by side, so that the opposite of end n is end n ^ 1
        self.ends: list[End] = [
            *self.wordings,
            *((modality, "", direction) for modality in banks for direction in DIRECTIONS),
        ]
        self.owners = np.array([self.modalities.index(modality) for modality, _, _ in self.ends])
        self.names = {
            modality: [name for name in bank.trained_attributes() if len(bank.of(name, "train")) > 0]
            for modality, bank in banks.items()
        }

    def lesson(self, rng: np.random.Generator, human: bool = True) -> Lesson:
        """Everything of one step; without `human`, only what changes made known."""
        lesson = Lesson()
        for modality in self.modalities:
            self._wishes(lesson, modality, rng)
            self._general(lesson, modality, rng)
            if human and modality in self.human and len(self.human[modality].decided("train")):
                self._human(lesson, modality, rng)
            self._unaskable(lesson, modality, rng)
        return lesson

    def wording(self, end: End, rng: np.random.Generator) -> str:
        """One wording that asks for an end."""
        modality, name, direction = end
        if name:
            return self.wordings[modality, name, direction].draw(rng, self.steps.word_drop)
        options = GENERAL["train"][int(direction == "less")]
        return options[int(rng.integers(len(options)))]

    def _wishes(self, lesson: Lesson, modality: Modality, rng: np.random.Generator) -> None:
        bank, steps = self.banks[modality], self.steps
        names = rng.permutation(self.names[modality] * -(-steps.criteria // len(self.names[modality])))
        owners, chosen, rejected = [], [], []
        for name in names[: steps.criteria]:
            direction = DIRECTIONS[int(rng.integers(2))]
            pairs = bank.of(str(name), "train")
            pairs = pairs.take(rng.integers(len(pairs), size=steps.pairs))
            owners += [len(lesson.criteria)] * steps.pairs
            better, worse = (pairs.high, pairs.low) if direction == "more" else (pairs.low, pairs.high)
            chosen.append(bank.z[better])
            rejected.append(bank.z[worse])
            end = (modality, str(name), direction)
            lesson.add(self.wording(end, rng), self._seen(modality, str(name)), self.ends.index(end))
        lesson.asks.append(Ask(modality, np.array(owners), self._noisy(chosen, rng), self._noisy(rejected, rng)))

    def _general(self, lesson: Lesson, modality: Modality, rng: np.random.Generator) -> None:
        pairs = self.banks[modality].general("train")
        if not len(pairs):
            return
        pairs = pairs.take(rng.integers(len(pairs), size=self.steps.pairs))
        better, worse = self.banks[modality].z[pairs.high], self.banks[modality].z[pairs.low]
        drawn: Direction = DIRECTIONS[int(rng.integers(2))]
        asked = ((None, DIRECTIONS[0]), (self.wording((modality, "", drawn), rng), drawn))
        for criterion, direction in asked:
            chosen, rejected = (better, worse) if direction == "more" else (worse, better)
            owner = np.full(self.steps.pairs, len(lesson.criteria))
            sides = self._noisy([chosen], rng), self._noisy([rejected], rng)
            lesson.asks.append(Ask(modality, owner, *sides, weight=0.1))
            lesson.add(criterion, np.ones(len(self.modalities)), self.ends.index((modality, "", direction)))

    def _human(self, lesson: Lesson, modality: Modality, rng: np.random.Generator) -> None:
        human = self.human[modality]
        rows = human.decided("train")
        # every source as often as any other, whatever its size; few at a time, since their criteria are long to read
        sources = rng.permutation(np.unique(human.sources[rows]))[:3]
        picked = np.concatenate(
            [rng.choice(rows[human.sources[rows] == source], self.steps.pairs) for source in sources]
        )
        owner, places = [], {}
        for row in picked:
            criterion = human.criteria[row]
            if criterion not in places:
                places[criterion] = len(lesson.criteria)
                lesson.add(criterion, np.full(len(self.modalities), np.nan))
            owner.append(places[criterion])
        first = human.labels[picked] == 1
        z = self.z[modality][picked]
        better = np.where(first[:, None], z[:, 0], z[:, 1])
        worse = np.where(first[:, None], z[:, 1], z[:, 0])
        sides = (self._noisy([better], rng), self._noisy([worse], rng))
        lesson.asks.append(Ask(modality, np.array(owner), *sides, weight=self.steps.human_share))

    def words_only(self, rng: np.random.Generator, wordings: int) -> Lesson:
        """A lesson without evidence: as many wordings, both ends of each thing in equal number, and unaskable ones."""
        lesson = Lesson()
        for place in rng.integers(len(self.ends) // 2, size=wordings // 2):
            for end in (2 * int(place), 2 * int(place) + 1):
                modality, name, _ = self.ends[end]
                seen = self._seen(modality, name) if name else np.ones(len(self.modalities))
                lesson.add(self.wording(self.ends[end], rng), seen, end)
        for modality in self.modalities:
            self._unaskable(lesson, modality, rng)
        return lesson

    def _unaskable(self, lesson: Lesson, modality: Modality, rng: np.random.Generator) -> None:
        options = list(unaskable(modality).train)
        if modality is Modality.TEXT and self.content:
            options += list(rng.choice(self.content, size=min(len(self.content), len(options))))
        seen = np.full(len(self.modalities), np.nan)
        seen[self.modalities.index(modality)] = 0.0
        for _ in range(max(1, self.steps.criteria // 7)):
            lesson.add(str(options[int(rng.integers(len(options)))]), seen)

    def _seen(self, modality: Modality, name: str) -> np.ndarray:
        """A wish can be seen in its own modality; elsewhere not, unless the other has the like of it."""
        seen = np.zeros(len(self.modalities))
        for place, other in enumerate(self.modalities):
            if other is modality:
                seen[place] = 1.0
            elif (modality, other) in _SHARED or name in self.banks[other].attributes:
                seen[place] = np.nan
        return seen

    def _noisy(self, parts: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        z = np.concatenate(parts)
        return (z + rng.normal(0.0, self.steps.evidence_noise, z.shape)).astype(np.float32)
