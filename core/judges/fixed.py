"""The `fixed` judge: prefers the longer text or larger file. Deterministic, for tests and for trying the studio out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from core.errors import JudgeFailed
from core.evidence import Measurer
from core.judging import preference_of, preference_probabilities
from core.nouns import Content, Modality, Question, Verdict


def _size(content: Content) -> int:
    source = content.source
    return source.stat().st_size if isinstance(source, Path) else len(source.encode("utf-8", "surrogatepass"))


class FixedJudge:
    """Reward = size in kilobytes. A criterion that contains "fail" is answered with a failure."""

    name = "fixed"

    def judge(self, questions: Sequence[Question], measure: Measurer) -> list[Verdict]:
        return [self._one(question) for question in questions]

    def _one(self, question: Question) -> Verdict:
        started = time.perf_counter()
        if question.criterion and "fail" in question.criterion:
            raise JudgeFailed("The fixed judge was asked to fail.")
        rewards = [_size(r.content) / 1000 for r in (question.pair.first, question.pair.second)]
        difference = rewards[0] - rewards[1]
        first, tie, second = preference_probabilities(difference, tie_weight=0.5)
        return Verdict(
            judge=self.name,
            criterion=question.criterion,
            preference=preference_of(difference, tie_threshold=0.0),
            reward_1=rewards[0],
            reward_2=rewards[1],
            p_first=first,
            p_tie=tie,
            p_second=second,
            coverage=1.0,
            rationale=f"A has {rewards[0]:.3f} kB and B {rewards[1]:.3f} kB; this judge prefers the larger.",
            seconds=time.perf_counter() - started,
        )


class FixedBackend:
    title = "Fixed (for tests)"
    about = "Prefers the larger response, whatever the criterion. For trying the studio out."
    modalities = frozenset(Modality)

    def unavailable(self) -> str | None:
        return None

    def load(self, model: Path | str | None = None) -> FixedJudge:
        return FixedJudge()


PLUG = FixedBackend()
