"""The two ways in which a judge chooses among candidates, as a job asks for them.

Each gives, prompt by prompt, what was chosen and how the judge came to it; None where a verdict failed, since what the
judge would have chosen then is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from core.candidates import CandidateGroup
from core.choosing import Chosen, Walk, chosen_by_knockouts, chosen_by_rewards, drawn_order
from core.errors import BadInput
from core.jobs._asking import Asking
from core.judges import Judge
from core.judging import both_orders
from core.nouns import Noun, Preference, Question, Verdict

Keyed = tuple[str, CandidateGroup]


class Choices(Noun):
    """What the judge chose of one prompt, and how it came to that."""

    chosen: Chosen
    compared: int
    ties: int


def _key(key: str, first: int, second: int) -> str:
    return f"{key}/{first + 1}-{second + 1}"


# -- by rewards -----------------------------------------------------------------------------------------------------


def by_rewards(groups: Sequence[Keyed], judge: Judge, asking: Asking) -> Iterator[Choices | None]:
    """Every response is judged once, two at a time; the last of an odd number beside the first.

    Raises BadInput where the judge gives no rewards.
    """

    def look(verdict: Verdict) -> None:
        if verdict.failure is None and (verdict.reward_1 is None or verdict.reward_2 is None):
            raise BadInput(f"{judge.name} gives no rewards; choose the way knockout, which compares.")

    asked = {_key(key, *pair): group.question(*pair) for key, group in groups for pair in _couples(group)}
    asking.ask(judge, asked, look=look)
    for key, group in groups:
        rewards: dict[int, float | None] = {}
        for first, second in _couples(group):
            verdict = asking.verdicts[_key(key, first, second)]
            look(verdict)
            answered = verdict.failure is None
            rewards[first] = verdict.reward_1 if answered else None
            rewards.setdefault(second, verdict.reward_2 if answered else None)
        given = [reward for _, reward in sorted(rewards.items()) if reward is not None]
        if len(given) < len(group.candidates):
            yield None
            continue
        level = sum(one == other for one, other in combinations(given, 2))
        pairs = len(given) * (len(given) - 1) // 2
        yield Choices(chosen=chosen_by_rewards(given, group.qualities), compared=pairs, ties=level)


def _couples(group: CandidateGroup) -> list[tuple[int, int]]:
    count = len(group.candidates)
    odd = [(count - 1, 0)] if count % 2 else []
    return [(place, place + 1) for place in range(0, count - 1, 2)] + odd


# -- by knockout ----------------------------------------------------------------------------------------------------


class _Knockout:
    """One knockout: who held after the first, the second, … of a random order. It stops where a verdict failed."""

    def __init__(self, key: str, group: CandidateGroup, order: list[int]) -> None:
        self.key, self.group, self.order = key, group, order
        self.holders, self.failed = order[:1], False

    @property
    def walked(self) -> Walk:
        return Walk(order=tuple(self.order), holders=tuple(self.holders))

    @property
    def goes_on(self) -> bool:
        return not self.failed and len(self.holders) < len(self.order)

    @property
    def facing(self) -> tuple[int, int]:
        return self.holders[-1], self.order[len(self.holders)]

    def questions(self) -> dict[str, Question]:
        """The holder and the next, in both orders."""
        holder, next_one = self.facing
        both = ((holder, next_one), (next_one, holder))
        return {_key(self.key, *pair): self.group.question(*pair) for pair in both}

    def go(self, asking: Asking) -> Preference | None:
        """One step further, by what was said of the two: a tie keeps the holder."""
        holder, next_one = self.facing
        straight, swapped = (asking.verdicts[key] for key in self.questions())
        said = both_orders(straight, swapped)
        self.failed = said is None
        if not self.failed:
            self.holders.append(next_one if said is Preference.SECOND else holder)
        return said


def by_knockout(
    groups: Sequence[Keyed], draws: int, seed: int, judge: Judge, asking: Asking
) -> Iterator[Choices | None]:
    """All prompts go one step at a time, so that a judge has whole batches; who has met before is not asked again."""
    walks = {
        key: [_Knockout(key, group, drawn_order(len(group.candidates), seed, key, draw)) for draw in range(draws)]
        for key, group in groups
    }
    said: dict[str, dict[frozenset[int], Preference | None]] = {key: {} for key, _ in groups}
    while going := [walk for of_one in walks.values() for walk in of_one if walk.goes_on]:
        asking.ask(judge, {key: question for walk in going for key, question in walk.questions().items()})
        for walk in going:
            met = frozenset(walk.facing)
            said[walk.key][met] = walk.go(asking)
    for key, group in groups:
        if any(walk.failed for walk in walks[key]):
            yield None
            continue
        yield Choices(
            chosen=chosen_by_knockouts([walk.walked for walk in walks[key]], group.qualities),
            compared=len(said[key]),
            ties=sum(one is Preference.TIE for one in said[key].values()),
        )
