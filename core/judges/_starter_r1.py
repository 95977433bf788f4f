"""The starter-r1 judge: a small generative judge that writes its reasons and scores over the starter's evidence.

Not on the shelf yet, as its leading underscore says: the starter does not offer briefs. To connect it, let
`starter_briefs` return them and drop the underscore.
"""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core.errors import JudgeFailed
from core.evidence import Measurer
from core.models.starter_r1.brief import Brief
from core.models.verdicts import Reading, read_verdict
from core.nouns import Failure, FailureKind, Modality, Question, Verdict
from core.reconcile import reconcile

if TYPE_CHECKING:
    from core.models.starter_r1.judging import R1

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "starter-r1"
NAME = "starter-r1"


class Briefs(Protocol):
    """Who measures, reads the criterion and says what the generative judge is given."""

    def briefs(self, questions: Sequence[Question], measure: Measurer) -> list[Brief | Failure]:
        """One brief a question, in order, or why there is none (a criterion that cannot be seen, a broken file)."""


def starter_briefs() -> Briefs:
    """The starter as a maker of briefs. The one place where the two are connected."""
    raise JudgeFailed("starter-r1 is not connected yet: this version of the starter writes no evidence sheets for it.")


class StarterR1Judge:
    """Writes a record in both orders of each pair and reconciles them. Threads share the weights."""

    def __init__(self, folder: Path, maker: Briefs, name: str = NAME) -> None:
        self.folder, self.maker, self.name = folder, maker, name
        self._writer: R1 | None = None
        self._lock = threading.Lock()

    @property
    def writer(self) -> R1:
        """The loaded model; JudgeFailed where the folder holds none."""
        with self._lock:
            if self._writer is None:
                from core.models.starter_r1.judging import R1

                self._writer = R1.read(self.folder)
            return self._writer

    def judge(self, questions: Sequence[Question], measure: Measurer) -> list[Verdict]:
        """One verdict a question; all records are written together."""
        started = time.perf_counter()
        writer, briefs = self.writer, self.maker.briefs(questions, measure)
        if len(briefs) != len(questions):
            raise JudgeFailed(f"{self.name} was given {len(briefs)} evidence sheets for {len(questions)} questions.")
        known = [brief for brief in briefs if isinstance(brief, Brief)]
        answers = writer.judge([order for brief in known for order in (brief, brief.swapped)])
        each = (time.perf_counter() - started) / max(1, len(questions))
        orders = iter(zip(answers[::2], answers[1::2], strict=True))
        verdicts = []
        for question, brief in zip(questions, briefs, strict=True):
            if isinstance(brief, Failure):
                seen = 0.0 if brief.kind is FailureKind.NOT_COVERED else None
                verdicts.append(
                    Verdict(judge=self.name, criterion=question.criterion, failure=brief, coverage=seen, seconds=each)
                )
                continue
            straight, swapped = ([_read(answer)] for answer in next(orders))
            verdicts.append(reconcile(self.name, question.criterion, straight, swapped, ties=True, seconds=each))
        return verdicts


def _read(answer: str | Failure) -> Reading | Failure:
    return answer if isinstance(answer, Failure) else read_verdict(answer, ties=True)


class StarterR1Backend:
    title = "Starter R1"
    about = (
        "Embedded, about a second, any CPU. A small language model reads the starter's evidence sheet and writes "
        "reasons, scores and a verdict. It sees what the starter sees, and no more."
    )
    modalities = frozenset(Modality)

    def unavailable(self) -> str | None:
        missing = [name for name in ("torch", "transformers", "tokenizers") if importlib.util.find_spec(name) is None]
        if missing:
            return f"starter-r1 needs {', '.join(missing)}: pip install -r requirements.txt"
        if not (ASSETS / "model.safetensors").is_file():
            return "The weights of starter-r1 are missing from assets/starter-r1; train it, or choose the starter."
        try:
            starter_briefs()
        except JudgeFailed as error:
            return str(error)
        return None

    def load(self, model: Path | str | None = None) -> StarterR1Judge:
        """The judge from a folder that training wrote, or the shipped one, with its weights read."""
        folder = Path(model) if model is not None else ASSETS
        if not (folder / "model.safetensors").is_file():
            raise JudgeFailed(f"There is no starter-r1 in {folder.name!r}: choose a folder that its training wrote.")
        judge = StarterR1Judge(folder, starter_briefs(), NAME if model is None else f"{NAME}:{folder.name}")
        _ = judge.writer  # read now: whoever loads a judge while a person is still typing wants it ready
        return judge


PLUG = StarterR1Backend()
