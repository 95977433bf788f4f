"""What a job is given, without a queue: judges by name, and a memory of what it reported that outlives a stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.benches import BenchItem
from core.contamination import BenchIndex
from core.errors import BadInput, JudgeFailed, NotFound
from core.evidence import Measurer, Measuring
from core.fingerprints import Marking
from core.formats import FORMATS, BadRow, LabelledPair
from core.jobs import KINDS, HubAccess, ItemJudged, JobEvent, Progress
from core.judges import Judge, JudgeBackend
from core.modalities import Limits
from core.models.served import EndpointSpec
from core.nouns import Preference, Question, Verdict

Answer = Callable[[Question], Verdict | Preference | tuple[float, float]]


class Killed(BaseException):
    """What a kill looks like from inside: nothing catches it."""


class ToldJudge:
    """Answers by a function: a preference, two rewards, or a whole verdict. `asked` is all that it was asked."""

    def __init__(self, name: str, answer: Answer) -> None:
        self.name, self.answer = name, answer
        self.asked: list[Question] = []

    def judge(self, questions: Sequence[Question], measure: Measurer) -> list[Verdict]:
        self.asked += questions
        return [self._verdict(question) for question in questions]

    def _verdict(self, question: Question) -> Verdict:
        said = self.answer(question)
        if isinstance(said, Verdict):
            return said
        if isinstance(said, Preference):
            return Verdict(judge=self.name, criterion=question.criterion, preference=said, rationale=f"It is {said}.")
        first, second = said
        preference = Preference.TIE if first == second else Preference.FIRST if first > second else Preference.SECOND
        return Verdict(
            judge=self.name, criterion=question.criterion, preference=preference, reward_1=first, reward_2=second
        )


@dataclass
class Tools:
    """`core.jobs.JobTools` over judges that are given, and pairs of preference_jsonl."""

    judges: dict[str, Judge] = field(default_factory=dict)
    endpoint: EndpointSpec = field(default_factory=EndpointSpec)
    kept: dict[str, Verdict] = field(default_factory=dict)
    events: list[JobEvent] = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)
    bench: Sequence[BenchItem] = ()

    @property
    def mark(self) -> Marking:
        return Marking(self.limits)

    def bench_index(self, watch: Callable[[str], None]) -> BenchIndex:
        return BenchIndex((("made_up", item) for item in self.bench), self.mark)

    @property
    def measure(self) -> Measurer:
        return Measuring(self.limits)

    def pairs(self, source: str) -> Iterator[LabelledPair | BadRow]:
        return FORMATS["preference_jsonl"].read(Path(source), self.limits)

    @contextmanager
    def judge(self, name: str) -> Iterator[Judge]:
        yield self.judges[name]

    def backend(self, name: str) -> JudgeBackend:
        raise NotFound(f"{name} stands here loaded, and has no backend.")

    def served(self, model: str, base_url: str = "") -> EndpointSpec:
        spec = self.endpoint.model_copy(update={"model": model} | ({"base_url": base_url} if base_url else {}))
        if problem := spec.problem():
            raise JudgeFailed(problem)
        return spec

    def hub(self) -> HubAccess:
        raise BadInput("There is no token for the Hub here.")

    def gpu(self) -> nullcontext[None]:
        return nullcontext()

    def done(self) -> set[str]:
        return set(self.kept)

    def verdicts(self) -> Mapping[str, Verdict]:
        return dict(self.kept)

    def report(self, event: JobEvent) -> None:
        self.events.append(event)
        if isinstance(event, ItemJudged):
            self.kept.setdefault(event.key, event.verdict)

    def run(self, kind: str, out: Path, killed_after: int | None = None, **given: Any) -> None:
        """Run a kind; with `killed_after`, until so many verdicts more have been reported, as if killed right then."""
        left = [killed_after]

        def report(event: JobEvent) -> None:
            self.report(event)
            if left[0] is not None and isinstance(event, ItemJudged):
                left[0] -= 1
                if left[0] == 0:
                    raise Killed

        out.mkdir(parents=True, exist_ok=True)
        plug = KINDS[kind]
        plug.run(plug.Spec.model_validate(given), self, out, report)

    @property
    def told(self) -> dict[str, float]:
        """The metrics of the last progress."""
        return next(event for event in reversed(self.events) if isinstance(event, Progress)).metrics
