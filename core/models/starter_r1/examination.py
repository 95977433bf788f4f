"""How well a judge writes of unseen briefs, and what reinforcement gained, with bootstrap intervals."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from core.models.starter_r1 import rewards
from core.models.starter_r1.brief import Brief
from core.models.starter_r1.judging import R1
from core.models.starter_r1.recipe import Recipe
from core.models.starter_r1.records import preferred
from core.models.starter_r1.skeleton import parts_of
from core.models.verdicts import read_verdict
from core.nouns import Failure, Noun, Preference

_DRAWS = 4000


class Interval(Noun):
    """A mean with the middle 95 % of its bootstrap."""

    mean: float
    low: float
    high: float


class Marks(Noun):
    """One record, marked. Shares are over the whole examination, so counts are kept."""

    parsed: bool
    right: bool
    numbers: int
    strange: int
    comparisons: int
    false: int
    reward: float


class Examination(Noun):
    """Shares in [0, 1]; `reward` as weighted in the recipe. `decided`: accuracy where the answer is no tie;
    `orders_agree`: the swapped brief gets the swapped verdict; `seconds_alone`: one judged by itself (median);
    `seconds_each`: in a batch."""

    briefs: int
    parsed: float
    accuracy: Interval
    decided: float
    orders_agree: float
    numbers_on_sheet: float
    comparisons_true: float
    reward: Interval
    seconds_each: float
    seconds_alone: float
    marks: tuple[Marks, ...]

    def summary(self) -> dict[str, object]:
        return self.model_dump(exclude={"marks"})


def examine(judge: R1, briefs: Sequence[Brief], recipe: Recipe) -> Examination:
    """Have every brief judged in its own order, which is marked, and swapped, which must say the same."""
    alone = sorted(_timed(judge, [brief])[1] for brief in briefs[:9])
    answers, seconds = _timed(judge, briefs)
    swapped, _ = _timed(judge, [brief.swapped for brief in briefs])
    same = [
        _verdict(a) is not None and _verdict(a) is _swapped(_verdict(b)) for a, b in zip(answers, swapped, strict=True)
    ]
    marks = [mark(answer, brief, recipe) for answer, brief in zip(answers, briefs, strict=True)]
    decided = [
        m.right for m, b in zip(marks, briefs, strict=True) if preferred(b, recipe.tie_threshold) is not Preference.TIE
    ]
    return Examination(
        briefs=len(briefs),
        parsed=_share(sum(m.parsed for m in marks), len(marks)),
        accuracy=interval([float(m.right) for m in marks], recipe.seed),
        decided=_share(sum(decided), len(decided)),
        orders_agree=_share(sum(same), len(same)),
        numbers_on_sheet=1 - _share(sum(m.strange for m in marks), sum(m.numbers for m in marks)),
        comparisons_true=1 - _share(sum(m.false for m in marks), sum(m.comparisons for m in marks)),
        reward=interval([m.reward for m in marks], recipe.seed),
        seconds_each=seconds / max(1, len(briefs)),
        seconds_alone=alone[len(alone) // 2] if alone else 0.0,
        marks=tuple(marks),
    )


def mark(answer: str | Failure, brief: Brief, recipe: Recipe) -> Marks:
    text = answer.raw if isinstance(answer, Failure) else answer
    record = parts_of(text)
    reasons = record.reasons if record else ()
    return Marks(
        parsed=rewards.format_reward(text, brief) == 1.0,
        right=rewards.preference_reward(text, brief, tie_threshold=recipe.tie_threshold) == 1.0,
        numbers=sum(len(rewards.quoted_numbers(reason)) for reason in reasons),
        strange=sum(len(rewards.strange_numbers(reason, brief)) for reason in reasons),
        comparisons=sum(rewards.comparisons(reason) for reason in reasons),
        false=sum(len(rewards.false_comparisons(reason, brief)) for reason in reasons),
        reward=rewards.total_reward(text, brief, recipe.grpo.weights, tie_threshold=recipe.tie_threshold),
    )


def gain(before: Examination, after: Examination, seed: int) -> dict[str, Interval]:
    """What `after` is better by on the same briefs: paired differences of accuracy and reward."""
    pairs = list(zip(before.marks, after.marks, strict=True))
    return {
        "accuracy": interval([float(b.right) - float(a.right) for a, b in pairs], seed),
        "reward": interval([b.reward - a.reward for a, b in pairs], seed),
    }


def interval(values: Sequence[float], seed: int) -> Interval:
    """The mean, and the 2.5 and 97.5 % quantiles of its bootstrap over `values`."""
    if not values:
        return Interval(mean=0.0, low=0.0, high=0.0)
    rng = random.Random(seed)  # noqa: S311 - resamples
    means = sorted(sum(rng.choices(values, k=len(values))) / len(values) for _ in range(_DRAWS))
    return Interval(
        mean=sum(values) / len(values), low=means[round(0.025 * _DRAWS)], high=means[round(0.975 * _DRAWS) - 1]
    )


def _timed(judge: R1, briefs: Sequence[Brief]) -> tuple[list[str | Failure], float]:
    started = time.perf_counter()
    return judge.judge(briefs), time.perf_counter() - started


def _verdict(answer: str | Failure) -> Preference | None:
    reading = answer if isinstance(answer, Failure) else read_verdict(answer, ties=True)
    return None if isinstance(reading, Failure) else reading.preference


def _swapped(preference: Preference | None) -> Preference | None:
    return preference.swapped if preference else None


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
