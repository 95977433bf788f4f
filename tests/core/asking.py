"""A judge that writes down what it is asked, can be held, and can be made to stumble; and questions for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from core.aloud import Hear, Written
from core.errors import JobCancelled, JudgeFailed
from core.evidence import Measurer
from core.nouns import Evidence, Modality, Preference, PreferencePair, Question, Verdict
from tests.core.small_pairs import text_pair

WAIT = 20.0  # seconds after which a test has failed that waits for an event


def question(name: str, criterion: str | None = None) -> Question:
    return Question(pair=text_pair().model_copy(update={"id": name}), criterion=criterion)


def no_measure(pair: PreferencePair) -> tuple[Evidence, Evidence]:
    evidence = Evidence(modality=Modality.TEXT, version=1, values={"length": 1.0})
    return evidence, evidence


def names(verdicts: Sequence[Verdict]) -> list[str]:
    """The names of the questions that were answered, or what went wrong with them."""
    return [verdict.failure.message if verdict.failure else verdict.rationale for verdict in verdicts]


class RecordingJudge:
    """Answers with the question's name. A call with a question of the criterion "bad" raises, as a whole.

    While `hold` is set a call waits for `go`; `entered` counts the calls that have begun.
    """

    name = "recording"

    def __init__(self, seconds: float = 0.0, hold: bool = False) -> None:
        self.seconds, self.hold = seconds, hold
        self.go, self.entered = threading.Event(), threading.Semaphore(0)
        self.calls: list[list[str]] = []
        self.running = self.most_running = 0
        self.threads: set[str] = set()
        self.closed = False
        self._lock = threading.Lock()

    def judge(self, questions: Sequence[Question], measure: Measurer) -> list[Verdict]:
        with self._lock:
            self.calls.append([question.pair.id for question in questions])
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            self.threads.add(threading.current_thread().name)
        self.entered.release()
        try:
            if self.hold and not self.go.wait(WAIT):
                self.go.set()  # the test has failed; it need not fail slowly
                raise AssertionError("the judge was held for ever")
            time.sleep(self.seconds)
            if any(question.criterion == "bad" for question in questions):
                raise JudgeFailed("That question is bad.")
            return [self._verdict(question, measure) for question in questions]
        finally:
            with self._lock:
                self.running -= 1

    def _verdict(self, question: Question, measure: Measurer) -> Verdict:
        measure(question.pair)
        return Verdict(
            judge=self.name, criterion=question.criterion, preference=Preference.TIE, rationale=question.pair.id
        )

    def begun(self) -> None:
        """Wait until one more call has begun."""
        assert self.entered.acquire(timeout=WAIT), "the judge was not asked"

    def close(self) -> None:
        self.closed = True


class WritingJudge(RecordingJudge):
    """Writes the words of `said` after each question's name, in both orders, one word whenever `more()` lets it."""

    def __init__(self, said: str = "one two three") -> None:
        super().__init__()
        self.said, self._words = said, threading.Semaphore(0)
        self.stopped = False

    def more(self, words: int = 1) -> None:
        for _ in range(words):
            self._words.release()

    def judge_aloud(self, questions: Sequence[Question], measure: Measurer, hear: Hear) -> list[Verdict]:
        texts = [question.pair.id for question in questions]
        with self._lock:
            self.calls.append(texts)
        self.entered.release()
        try:
            for word in self.said.split():
                assert self._words.acquire(timeout=WAIT), "the judge was held for ever"
                texts = [f"{text} {word}" for text in texts]
                for number, text in enumerate(texts):
                    for swapped in (False, True):
                        hear(Written(number=number, swapped=swapped, text=f"{'B' if swapped else 'A'} {text}"))
        except JobCancelled:
            self.stopped = True
            raise
        return [self._verdict(question, measure) for question in questions]


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so; the test fails where it never is."""
    ends = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < ends, "what was waited for did not happen"
        time.sleep(0.001)
