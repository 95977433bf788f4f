"""How the judge that a training job made does on the rows that it kept away from training."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.bench_metrics import Ties, prediction
from core.formats import LabelledPair
from core.intervals import Figure, share
from core.jobs import JobTools
from core.judges import JUDGES
from core.nouns import Noun, Preference, Question
from core.training.rows import swapped

AT_ONCE = 8  # pairs that the judge is asked together


class Exam(Noun):
    """`accuracy` is over all pairs, a failed judgement counted as wrong; `answered` is how many were none."""

    accuracy: Figure
    answered: int

    @property
    def told(self) -> str:
        found, missed = self.accuracy, self.accuracy.of - self.answered
        unanswered = f", {missed:,} of them without an answer" if missed else ""
        among = f"({found.low:.0%}–{found.high:.0%}) of {found.of:,} held-out pair{'s' * (found.of > 1)}"
        return f"right on {found.value:.0%} {among}{unanswered}"

    @property
    def metrics(self) -> dict[str, float]:
        named = {"accuracy": self.accuracy.value, "low": self.accuracy.low, "high": self.accuracy.high}
        return {f"held_out_{name}": value for name, value in named.items() if value is not None}


def examine(
    judge: str,
    settings: Mapping[str, Any],
    held: Sequence[LabelledPair],
    tools: JobTools,
    tell: Callable[[str], None],
) -> Exam | None:
    """How a judge with these settings, its model among them, does on pairs that it was not trained on; None where no
    pair is decided.

    Of every second pair it is shown the second response first: files have the better one always in one place.
    """
    decided = [row for row in held if row.label is not Preference.TIE]
    asked = [swapped(row) if number % 2 else row for number, row in enumerate(decided)]
    if not asked:
        return None
    gc.collect()  # what was trained may stand in memory still, in a circle of references
    backend: Any = JUDGES[judge]
    bound = backend.configured(type(backend.spec).model_validate(dict(settings)), tools.limits)
    loaded, right, answered = bound.load(), 0, 0
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start : start + AT_ONCE]
        verdicts = loaded.judge([Question(pair=row.pair, criterion=row.criterion) for row in some], tools.measure)
        found = [prediction(verdict, Ties.WITHOUT) for verdict in verdicts]
        right += sum(one is row.label for one, row in zip(found, some, strict=True))
        answered += sum(one is not None for one in found)
        tell(f"Tried {start + len(some):,} of {len(asked):,} held-out pairs")
    accuracy = share(right, len(asked))
    return None if accuracy is None else Exam(accuracy=accuracy, answered=answered)
