"""Many callers of one judge: all answered in their own order and in turn, in few calls, and nobody pays for another."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput, JobCancelled, JudgeFailed
from core.gathering import Gathered
from core.judging import judge_questions
from core.nouns import Evidence, FailureKind, PreferencePair, Verdict
from core.ticket import Place
from tests.core.asking import WAIT, RecordingJudge, names, no_measure, question, until


@pytest.fixture
def people() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as threads:
        yield threads


def waiting(gathered: Gathered) -> int:
    return len(gathered._line)


def ask(people: ThreadPoolExecutor, gathered: Gathered, *asked: str, **more) -> Future[list[Verdict]]:
    """Ask in a thread of its own; back when the questions stand in the line or are being judged."""
    before = waiting(gathered) + gathered._running
    caller = gathered.on_behalf(more.pop("caller", None), **more)
    answers = people.submit(caller.judge, [question(*name.split("/")) for name in asked], no_measure)
    until(lambda: waiting(gathered) + gathered._running >= before + len(asked) or answers.done())
    return answers


def test_twenty_at_once_are_answered_in_fewer_calls_and_move_up_in_line(people: ThreadPoolExecutor) -> None:
    judge = RecordingJudge(seconds=0.05)
    gathered, start = Gathered(judge, batch=8), threading.Barrier(20)
    told: dict[int, list[Place]] = {number: [] for number in range(20)}

    def one(number: int) -> list[Verdict]:
        def watch(place: Place | None) -> None:
            assert place is not None
            told[number].append(place)

        start.wait(WAIT)
        return gathered.on_behalf(f"person {number}", watch).judge([question(f"{number}")], no_measure)

    answers = [people.submit(one, number) for number in range(20)]
    assert [names(answer.result(WAIT)) for answer in answers] == [[f"{number}"] for number in range(20)]
    assert sorted(name for call in judge.calls for name in call) == sorted(str(number) for number in range(20))
    assert len(judge.calls) < 20
    assert max(map(len, judge.calls)) <= 8
    assert judge.most_running == 1
    for places in told.values():
        ahead = [place.ahead for place in places]
        assert ahead == sorted(ahead, reverse=True)
        assert (places[-1].ahead, places[-1].answered) == (0, 1)
    gathered.close()


def test_five_hundred_questions_do_not_starve_one(people: ThreadPoolExecutor) -> None:
    judge = RecordingJudge(hold=True)
    gathered = Gathered(judge, batch=4)
    bench = ask(people, gathered, *(f"bench {number}" for number in range(500)))
    judge.begun()
    ada, grace = ask(people, gathered, "ada"), ask(people, gathered, "grace 1", "grace 2")
    judge.go.set()
    assert names(ada.result(WAIT)) == ["ada"]
    assert names(grace.result(WAIT)) == ["grace 1", "grace 2"]
    assert names(bench.result(WAIT)) == [f"bench {number}" for number in range(500)]
    assert judge.calls[0] == [f"bench {number}" for number in range(4)]
    assert sorted(judge.calls[1]) == ["ada", "bench 4", "bench 5", "grace 1"]
    assert "grace 2" in judge.calls[2]
    gathered.close()


def test_one_caller_has_one_turn_however_often_it_asks(people: ThreadPoolExecutor) -> None:
    judge = RecordingJudge(hold=True)
    gathered = Gathered(judge, batch=2)
    first = ask(people, gathered, "first")
    judge.begun()
    greedy = [ask(people, gathered, f"greedy {number}", caller="greedy") for number in range(5)]
    ada = ask(people, gathered, "ada", caller="ada")
    judge.go.set()
    assert [names(answer.result(WAIT)) for answer in (first, *greedy, ada)][-1] == ["ada"]
    assert judge.calls[:2] == [["first"], ["greedy 0", "ada"]]
    gathered.close()


def test_somebody_alone_never_waits_for_company() -> None:
    """With a deadline beyond the test's own patience, every single answer comes at once."""
    judge = RecordingJudge()
    gathered = Gathered(judge, deadline=10 * WAIT)
    for number in range(5):
        assert names(gathered.judge([question(f"{number}")], no_measure)) == [f"{number}"]
    assert judge.calls == [[f"{number}"] for number in range(5)]
    gathered.close()


def test_company_is_waited_for_and_goes_together(people: ThreadPoolExecutor) -> None:
    """Three who were served together ask again one after the other: one call, begun when the third has asked."""
    judge = RecordingJudge(hold=True)
    gathered = Gathered(judge, deadline=10 * WAIT)
    zero = ask(people, gathered, "zero")
    judge.begun()
    three = [ask(people, gathered, name) for name in "abc"]
    judge.go.set()
    assert [names(one.result(WAIT)) for one in (zero, *three)] == [["zero"], ["a"], ["b"], ["c"]]
    first, second = ask(people, gathered, "d"), ask(people, gathered, "e")
    assert not first.done()
    assert not second.done()
    third = ask(people, gathered, "f")
    assert [names(one.result(WAIT)) for one in (first, second, third)] == [["d"], ["e"], ["f"]]
    assert judge.calls == [["zero"], ["a", "b", "c"], ["d", "e", "f"]]
    gathered.close()


def test_company_is_waited_for_until_the_deadline_only(people: ThreadPoolExecutor) -> None:
    judge = RecordingJudge(hold=True)
    gathered = Gathered(judge, deadline=0.01)
    zero = ask(people, gathered, "zero")
    judge.begun()
    pair = [ask(people, gathered, name) for name in "ab"]
    judge.go.set()
    for one in (zero, *pair):
        one.result(WAIT)
    assert names(gathered.judge([question("alone")], no_measure)) == ["alone"]
    gathered.close()


def test_company_of_long_ago_is_not_waited_for(people: ThreadPoolExecutor) -> None:
    now = [0.0]
    judge = RecordingJudge(hold=True)
    gathered = Gathered(judge, deadline=10 * WAIT, idle=1e9, clock=lambda: now[0])
    zero = ask(people, gathered, "zero")
    judge.begun()
    pair = [ask(people, gathered, name) for name in "ab"]
    judge.go.set()
    for one in (zero, *pair):
        one.result(WAIT)
    now[0] += 10 * WAIT + 1
    assert names(ask(people, gathered, "alone").result(WAIT)) == ["alone"]
    gathered.close()


def test_one_bad_question_costs_only_itself(people: ThreadPoolExecutor) -> None:
    judge = RecordingJudge(hold=True)
    gathered = Gathered(judge, batch=16)
    first = ask(people, gathered, "first")
    judge.begun()
    good = [ask(people, gathered, f"good {number}") for number in range(14)]
    mixed = ask(people, gathered, "mixed 1", "mixed 2/bad", "mixed 3")
    judge.go.set()
    first.result(WAIT)
    assert [names(one.result(WAIT)) for one in good] == [[f"good {number}"] for number in range(14)]
    assert names(mixed.result(WAIT)) == ["mixed 1", "That question is bad.", "mixed 3"]
    # halves of sixteen: far fewer calls than one a question
    assert len(judge.calls) <= 1 + 1 + 2 * 4 + 1
    gathered.close()


def test_who_leaves_is_not_judged_and_costs_the_others_nothing(people: ThreadPoolExecutor) -> None:
    judge = RecordingJudge(hold=True)
    gathered = Gathered(judge, batch=2)
    first = ask(people, gathered, "first")
    judge.begun()
    gone = threading.Event()

    def watch(place: Place | None) -> None:
        if gone.is_set():
            raise JobCancelled("The page was closed.")

    leaver = ask(people, gathered, "leaver 1", "leaver 2", "leaver 3", watch=watch)
    stayer = ask(people, gathered, "stayer 1", "stayer 2")
    gone.set()
    with pytest.raises(JobCancelled, match="page was closed"):
        leaver.result(WAIT)
    judge.go.set()
    assert names(first.result(WAIT)) == ["first"]
    assert names(stayer.result(WAIT)) == ["stayer 1", "stayer 2"]
    assert judge.calls == [["first"], ["stayer 1", "stayer 2"]]
    gathered.close()


def test_leaving_goes_through_judge_questions(people: ThreadPoolExecutor) -> None:
    """What asks a judge elsewhere must not ask again for somebody who has left."""
    judge = RecordingJudge(hold=True)
    gathered = Gathered(judge)
    first = ask(people, gathered, "first")
    judge.begun()

    def watch(place: Place | None) -> None:
        raise JobCancelled("gone")

    with pytest.raises(JobCancelled):
        judge_questions(gathered.on_behalf("me", watch), [question("a"), question("b")], no_measure)
    judge.go.set()
    first.result(WAIT)
    assert judge.calls == [["first"]]
    gathered.close()


def test_who_leaves_while_being_judged_disturbs_nobody(people: ThreadPoolExecutor) -> None:
    judge = RecordingJudge(hold=True)
    gathered = Gathered(judge)
    ticket = gathered.ask([question("leaver")], no_measure)
    judge.begun()
    other = ask(people, gathered, "other")
    gathered.leave(ticket)
    gathered.leave(ticket)
    assert names(gathered.wait(ticket)) == ["The question was dropped, since its caller left."]
    judge.go.set()
    assert names(other.result(WAIT)) == ["other"]
    assert gathered._open == 0
    gathered.close()


def test_a_full_line_refuses_with_a_sentence_and_takes_again_later(people: ThreadPoolExecutor) -> None:
    judge = RecordingJudge(hold=True)
    gathered = Gathered(judge, most=2)
    held = [ask(people, gathered, name) for name in "ab"]
    with pytest.raises(JudgeFailed, match="2 callers wait for the judge 'recording' already"):
        gathered.ask([question("c")], no_measure)
    refused = gathered.judge([question("c"), question("d")], no_measure)
    assert [verdict.failure.kind for verdict in refused if verdict.failure] == [FailureKind.ERROR] * 2
    judge.go.set()
    for one in held:
        one.result(WAIT)
    assert names(gathered.judge([question("c")], no_measure)) == ["c"]
    gathered.close()


def test_closing_answers_all_who_wait_and_leaves_no_thread(people: ThreadPoolExecutor) -> None:
    judge = RecordingJudge(hold=True)
    gathered = Gathered(judge, batch=1)
    first = ask(people, gathered, "first")
    judge.begun()
    others = [ask(people, gathered, f"{number} a", f"{number} b") for number in range(5)]
    threads = list(gathered._threads)
    closing = people.submit(gathered.close)
    for other in others:
        assert all("put away" in message for message in names(other.result(WAIT)))
    assert not closing.done(), "a call under way is not cut off"
    judge.go.set()
    assert names(first.result(WAIT)) == ["first"]
    closing.result(WAIT)
    assert not any(thread.is_alive() for thread in threads)
    assert judge.closed
    assert judge.calls == [["first"]]
    assert "put away" in names(gathered.judge([question("late")], no_measure))[0]
    with pytest.raises(JudgeFailed, match="put away"):
        gathered.ask([question("late")], no_measure)


def test_the_thread_starts_with_the_first_question_and_ends_when_idle() -> None:
    judge = RecordingJudge()
    gathered = Gathered(judge, idle=0.0)
    assert gathered._threads == []
    for number in range(3):
        assert names(gathered.judge([question(f"{number}")], no_measure)) == [f"{number}"]
        until(lambda: not any(thread.is_alive() for thread in gathered._threads))
    assert all(thread.daemon for thread in gathered._threads)
    gathered.close()


def test_a_judge_that_dies_of_anything_leaves_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    class Dying(RecordingJudge):
        def judge(self, questions, measure):
            raise SystemExit(1)

    gathered = Gathered(Dying())
    for _ in range(2):
        assert names(gathered.judge([question("a")], no_measure)) == [
            "The judge stopped with an error; the log has it."
        ]
    assert "stopped on 1 questions" in caplog.text
    gathered.close()


def test_a_judge_that_answers_several_at_a_time_is_asked_so(people: ThreadPoolExecutor) -> None:
    judge = RecordingJudge(hold=True)
    gathered = Gathered(judge, batch=1, workers=3)
    answers = [ask(people, gathered, f"{number}") for number in range(7)]
    for _ in range(3):
        judge.begun()
    assert (gathered._running, waiting(gathered)) == (3, 4)
    judge.go.set()
    assert [names(one.result(WAIT)) for one in answers] == [[f"{number}"] for number in range(7)]
    assert judge.most_running == 3
    gathered.close()


def test_measuring_is_done_by_the_callers_side_by_side_and_once_a_pair(people: ThreadPoolExecutor) -> None:
    """Two who measure meet at a barrier, which they could not if one thread measured for both."""
    together, measured = threading.Barrier(2), Counter[str]()

    def measure(pair: PreferencePair) -> tuple[Evidence, Evidence]:
        measured[pair.id] += 1
        together.wait(WAIT)
        return no_measure(pair)

    judge = RecordingJudge()
    gathered = Gathered(judge, measuring=4)

    def one(name: str) -> list[Verdict]:
        asked = question(name)
        return gathered.judge([asked, asked.model_copy(update={"criterion": "Shorter."})], measure)

    answers = [people.submit(one, name) for name in "ab"]
    assert [names(answer.result(WAIT)) for answer in answers] == [["a", "a"], ["b", "b"]]
    assert measured == {"a": 1, "b": 1}
    first, second = answers[0].result()
    assert first.seconds > 0.0, "measuring is a part of what the first verdict took"
    assert second.seconds == 0.0
    gathered.close()


def test_what_cannot_be_measured_is_that_questions_failure() -> None:
    def measure(pair: PreferencePair) -> tuple[Evidence, Evidence]:
        if pair.id == "broken":
            raise BadInput("It cannot be read.")
        return no_measure(pair)

    for measuring in (0, 2):
        gathered = Gathered(RecordingJudge(), measuring=measuring)
        verdicts = gathered.judge([question("a"), question("broken"), question("c")], measure)
        assert names(verdicts) == ["a", "It cannot be read.", "c"]
        assert verdicts[1].failure is not None
        assert verdicts[1].failure.kind is FailureKind.BAD_INPUT
        gathered.close()


def test_who_leaves_while_measuring_is_out(people: ThreadPoolExecutor) -> None:
    def watch(place: Place | None) -> None:
        assert place is None
        raise JobCancelled("gone")

    gathered = Gathered(RecordingJudge(), measuring=1)
    with pytest.raises(JobCancelled):
        gathered.on_behalf("me", watch).judge([question("a")], no_measure)
    assert gathered._open == 0
    gathered.close()


def test_different_measurers_never_share_a_call(people: ThreadPoolExecutor) -> None:
    judge = RecordingJudge(hold=True)
    gathered = Gathered(judge)
    first = ask(people, gathered, "first")
    judge.begun()
    mine = ask(people, gathered, "mine")
    other = people.submit(gathered.judge, [question("other")], lambda pair: no_measure(pair))
    until(lambda: waiting(gathered) == 2)
    late = ask(people, gathered, "late")
    judge.go.set()
    for one in (first, mine, other, late):
        one.result(WAIT)
    assert judge.calls == [["first"], ["mine"], ["other"], ["late"]]
    gathered.close()


@pytest.mark.parametrize("nonsense", [{"batch": 0}, {"workers": 0}, {"most": 0}])
def test_a_line_that_nobody_would_ever_serve_is_refused(nonsense: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Gathered(RecordingJudge(), **nonsense)


def test_asking_nothing_is_answered_with_nothing() -> None:
    gathered = Gathered(RecordingJudge())
    assert gathered.judge([], no_measure) == []
    assert gathered._open == 0
    gathered.close()


callers = st.lists(
    st.tuples(st.lists(st.sampled_from([None, "Shorter.", "bad"]), min_size=0, max_size=7), st.sampled_from([0, 1, 3])),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(callers, st.integers(1, 6), st.integers(1, 3), st.sampled_from([0, 2]))
def test_in_any_order_of_arrival_everyone_gets_exactly_their_answers(
    arrivals: list[tuple[list[str | None], int]], batch: int, workers: int, measuring: int
) -> None:
    """Some ask twice at once under one name, some questions are bad, some callers leave; the rest notice nothing."""
    judge = RecordingJudge()
    gathered = Gathered(judge, batch=batch, workers=workers, measuring=measuring, deadline=0.001, idle=0.0)

    def one(number: int, criteria: list[str | None], name: int) -> list[Verdict]:
        asked = [question(f"{number}.{place}", criterion) for place, criterion in enumerate(criteria)]
        return gathered.on_behalf(name or None).judge(asked, no_measure)

    def leave(number: int) -> None:
        gathered.leave(gathered.ask([question(f"leaver {number}")] * 3, no_measure))

    with ThreadPoolExecutor(16) as people:
        answers = [people.submit(one, number, *arrival) for number, arrival in enumerate(arrivals)]
        leavers = [people.submit(leave, number) for number in range(len(arrivals) // 2)]
        for number, ((criteria, _), answer) in enumerate(zip(arrivals, answers, strict=True)):
            verdicts = answer.result(WAIT)
            assert [verdict.criterion for verdict in verdicts] == criteria
            assert names(verdicts) == [
                "That question is bad." if criterion == "bad" else f"{number}.{place}"
                for place, criterion in enumerate(criteria)
            ]
        for leaver in leavers:
            leaver.result(WAIT)
    # without bad questions nothing is asked twice
    if not any("bad" in criteria for criteria, _ in arrivals):
        asked = Counter(name for call in judge.calls for name in call if not name.startswith("leaver"))
        assert asked == {f"{n}.{p}": 1 for n, (criteria, _) in enumerate(arrivals) for p in range(len(criteria))}
    assert max(map(len, judge.calls), default=0) <= batch
    assert judge.most_running <= workers
    until(lambda: not any(thread.is_alive() for thread in gathered._threads))
    assert (gathered._open, waiting(gathered)) == (0, 0)
    gathered.close()
