"""Hearing a judge that many ask: each hears its own, and a judge to whom nobody listens any more stops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from core.aloud import Pace, Written
from core.errors import JobCancelled, JudgeFailed
from core.evidence import Measurer
from core.gathering import Gathered
from core.judging import judge_questions
from core.nouns import Question, Verdict
from core.ticket import Place
from tests.core.asking import WAIT, RecordingJudge, WritingJudge, names, no_measure, question, until


@pytest.fixture
def people() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


class Listener:
    """One caller: what it was told last, and a way to leave."""

    def __init__(self, people: ThreadPoolExecutor, gathered: Gathered, *asked: str, aloud: bool = True) -> None:
        self.written: tuple[Written, ...] = ()
        self.gone = threading.Event()
        caller = gathered.on_behalf(None, self.watch, aloud=aloud)
        self.answers: Future[list[Verdict]] = people.submit(
            caller.judge, [question(name) for name in asked], no_measure
        )
        until(lambda: len(gathered._line) + gathered._running > 0 or self.answers.done())

    def watch(self, place: Place | None) -> None:
        if self.gone.is_set():
            raise JobCancelled("The page was left.")
        if place is not None:
            self.written = place.written

    @property
    def texts(self) -> list[tuple[int, str]]:
        return [(written.number, written.text) for written in self.written]


def test_each_caller_hears_its_own_while_all_are_judged_together(people: ThreadPoolExecutor) -> None:
    judge = WritingJudge()
    gathered = Gathered(judge)
    first = Listener(people, gathered, "first")
    judge.begun()
    ada = Listener(people, gathered, "ada 1", "ada 2")
    until(lambda: len(gathered._line) == 2)
    grace = Listener(people, gathered, "grace")
    until(lambda: len(gathered._line) == 3)
    judge.more(3)
    assert names(first.answers.result(WAIT)) == ["first"]
    judge.begun()
    judge.more()
    until(lambda: len(ada.texts) == 4 and len(grace.texts) == 2)
    assert ada.texts == [(0, "A ada 1 one"), (0, "B ada 1 one"), (1, "A ada 2 one"), (1, "B ada 2 one")]
    assert grace.texts == [(0, "A grace one"), (0, "B grace one")]
    assert [written.swapped for written in grace.written] == [False, True]
    judge.more(2)
    assert names(ada.answers.result(WAIT)) == ["ada 1", "ada 2"]
    assert names(grace.answers.result(WAIT)) == ["grace"]
    assert grace.texts[-1] == (0, "B grace one two three")
    assert len(judge.calls) == 2
    gathered.close()


def test_who_does_not_want_to_hear_asks_the_judge_silently(people: ThreadPoolExecutor) -> None:
    judge = WritingJudge()
    gathered = Gathered(judge)
    silent = Listener(people, gathered, "silent", aloud=False)
    assert names(silent.answers.result(WAIT)) == ["silent"]
    assert silent.written == ()
    assert not Gathered(RecordingJudge()).heard
    assert gathered.heard
    gathered.close()


def test_a_judge_that_cannot_be_heard_answers_as_ever(people: ThreadPoolExecutor) -> None:
    gathered = Gathered(RecordingJudge())
    one = Listener(people, gathered, "one")
    assert names(one.answers.result(WAIT)) == ["one"]
    assert one.written == ()
    gathered.close()


def test_a_judge_stops_when_all_for_whom_it_writes_have_left(people: ThreadPoolExecutor) -> None:
    judge = WritingJudge()
    gathered = Gathered(judge)
    first = Listener(people, gathered, "first")
    judge.begun()
    judge.more()
    first.gone.set()
    with pytest.raises(JobCancelled):
        first.answers.result(WAIT)
    judge.more()
    until(lambda: judge.stopped)
    judge.more(3)
    assert names(Listener(people, gathered, "next").answers.result(WAIT)) == ["next"]
    assert gathered._open == 0
    gathered.close()


def test_one_who_leaves_does_not_stop_it_for_the_other(people: ThreadPoolExecutor) -> None:
    judge = WritingJudge()
    gathered = Gathered(judge)
    first = Listener(people, gathered, "first")
    judge.begun()
    leaver, stayer = Listener(people, gathered, "leaver"), Listener(people, gathered, "stayer")
    until(lambda: len(gathered._line) == 2)
    judge.more(3)
    first.answers.result(WAIT)
    judge.begun()
    leaver.gone.set()
    with pytest.raises(JobCancelled):
        leaver.answers.result(WAIT)
    judge.more(3)
    assert names(stayer.answers.result(WAIT)) == ["stayer"]
    assert stayer.texts == [(0, "A stayer one two three"), (0, "B stayer one two three")]
    assert not judge.stopped
    gathered.close()


def test_halves_of_a_call_that_failed_are_still_told_apart() -> None:
    class Stumbling(WritingJudge):
        def judge_aloud(self, questions: Sequence[Question], measure: Measurer, hear: Callable) -> list[Verdict]:
            if len(questions) > 1:
                raise JudgeFailed("One at a time.")
            return super().judge_aloud(questions, measure, hear)

    judge, heard = Stumbling(), []
    judge.more(9)
    verdicts = judge_questions(judge, [question(name) for name in "abc"], no_measure, heard.append)
    assert names(verdicts) == ["a", "b", "c"]
    assert {written.number: written.text[2] for written in heard} == {0: "a", 1: "b", 2: "c"}


def test_a_pace_lets_through_the_first_and_then_one_in_its_time() -> None:
    now = [100.0]
    pace = Pace(0.2, lambda: now[0])
    passed = []
    for _ in range(100):
        passed.append(pace.due())
        now[0] += 0.05
    assert passed[0]
    assert 20 <= sum(passed) <= 26, "five seconds at five a second"
