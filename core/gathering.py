"""Many callers, one judge: what several people ask at about the same time goes to it in one call, each in turn.

The judge itself is asked by `Gathered`'s own threads only (one, unless it is said to answer several at a time), so it
need not be safe for threads, and nobody waits for more than a question of each other caller.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Sequence

from core.errors import JobCancelled, JudgeFailed
from core.evidence import Measured, Measurer, Remembering
from core.judges import AloudJudge, Judge
from core.judging import judge_questions
from core.line import FairLine
from core.nouns import FailureKind, Question, Verdict
from core.ticket import Place, Ticket, Waiting, Watch, hearing, unwatched

log = logging.getLogger(__name__)

HEARTBEAT = 1.0  # seconds; whoever waits is told so often at least, and can leave then


class Gathered:
    """A judge that many threads may ask, and that asks `judge` for up to `batch` questions in one call.

    A call begins as soon as the judge is free. Only right after a call that served several callers, who are likely to
    come back together, does it wait for them: until as many ask again, the batch is full, or `deadline` seconds after
    the first asked. So somebody alone never waits. Questions with different measurers never share a call.

    `workers`: calls at once, for a judge that answers several by itself. `measuring`: 0 leaves measuring to the judge;
    else responses are measured in the callers' own threads, so many callers at a time. `most` callers may wait or be
    served; the next is refused. `idle`: seconds after which an unasked thread ends; the next question starts another.
    """

    def __init__(
        self,
        judge: Judge,
        *,
        batch: int = 16,
        deadline: float = 0.03,
        workers: int = 1,
        measuring: int = 0,
        most: int = 256,
        idle: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if min(batch, workers, most) < 1:
            raise ValueError(f"batch, workers and most are at least 1, not {batch}, {workers} and {most}")
        self.inner, self.name = judge, judge.name
        self.batch, self.deadline, self.workers, self.most, self.idle = batch, deadline, workers, most, idle
        self._clock = clock
        self._gate = threading.BoundedSemaphore(measuring) if measuring else None
        self._changed = threading.Condition()  # guards all below
        self._line: FairLine[Waiting] = FairLine()
        self._threads: list[threading.Thread] = []  # some may have ended
        self._working = 0  # threads that will look into the line again …
        self._free = 0  # … and those of them that judge nothing now
        self._running = 0  # questions that are being judged
        self._open = 0  # callers who wait or are served
        self._company = 1  # tickets that the last call served …
        self._ended = self._first = 0.0  # … when it ended, and when the first of those who wait now came
        self._closed = False

    # -- asking ---------------------------------------------------------------------------------------------------

    def judge(self, questions: Sequence[Question], measure: Measurer) -> list[Verdict]:
        """One verdict a question, in order; a refusal is a failure of each. Safe to call from several threads."""
        return self.on_behalf(None).judge(questions, measure)

    @property
    def heard(self) -> bool:
        """Whether the judge can be heard while it writes, and stops when all leave for whom it does."""
        return isinstance(self.inner, AloudJudge)

    def on_behalf(self, caller: Hashable, watch: Watch = unwatched, *, aloud: bool = False) -> Judge:
        """This judge as one caller asks it, whose calls have one turn together, and who is told where it stands.

        With `aloud` that tells what the judge writes, too, where it can be heard.
        """
        return _OnBehalf(self, caller, watch, aloud)

    def ask(
        self,
        questions: Sequence[Question],
        measure: Measurer,
        caller: Hashable = None,
        watch: Watch = unwatched,
        aloud: bool = False,
    ) -> Ticket:
        """Stand in line with some questions; returns when they are in it. None as the caller is somebody new.

        Raises JudgeFailed where too many wait already, or where the judge was closed; and what `watch` raises.
        """
        questions = tuple(questions)
        with self._changed:
            self._refuse_closed()
            if self._open >= self.most:
                raise JudgeFailed(
                    f"{self._open} callers wait for the judge {self.name!r} already. Please try again in a while."
                )
            self._open += 1
        try:
            measured = self._measured(questions, measure, watch)
            ticket = Ticket(object() if caller is None else caller, questions, measure, measured, aloud)
            with self._changed:
                self._refuse_closed()
                self._enter(ticket)
        except BaseException:
            with self._changed:
                self._open -= 1
            raise
        return ticket

    def _refuse_closed(self) -> None:
        if self._closed:
            raise JudgeFailed(f"The judge {self.name!r} was put away meanwhile. Please ask again.")

    def _measured(self, questions: tuple[Question, ...], measure: Measurer, watch: Watch) -> list[Measured]:
        """Each pair measured once, in this thread; nothing where that is the judge's own affair."""
        if self._gate is None:
            return []
        measured = []
        for pair in {id(question.pair): question.pair for question in questions}.values():
            watch(None)
            while not self._gate.acquire(timeout=HEARTBEAT):
                watch(None)
            try:
                measured.append(Measured.now(pair, measure))
            finally:
                self._gate.release()
        return measured

    def _enter(self, ticket: Ticket) -> None:
        if not len(self._line):
            self._first = self._clock()
        self._line.add(ticket.caller, (Waiting(ticket, number) for number in range(len(ticket.questions))))
        if ticket.done:  # nothing was asked
            self._open -= 1
        while self._working < self.workers and self._free * self.batch < len(self._line):
            self._working += 1
            self._free += 1
            thread = threading.Thread(target=self._work, name=f"judge {self.name}", daemon=True)
            self._threads = [*(other for other in self._threads if other.is_alive()), thread]
            thread.start()
        self._changed.notify_all()

    # -- waiting and leaving --------------------------------------------------------------------------------------

    def position(self, ticket: Ticket) -> Place:
        """Where a ticket stands now."""
        with self._changed:
            return self._place(ticket)

    def _place(self, ticket: Ticket) -> Place:
        ahead = 0
        if not ticket.begun:
            own = self._line.own_before(ticket.caller, lambda waiting: waiting.ticket is ticket)
            ahead = 0 if own is None else self._running + self._line.ahead(ticket.caller, own)
        asked, written = len(ticket.questions), ticket.written
        return Place(ahead=ahead, begun=ticket.begun, answered=ticket.answered, asked=asked, written=written)

    def wait(self, ticket: Ticket, watch: Watch = unwatched) -> list[Verdict]:
        """The ticket's verdicts, when all are there; what was dropped is a failure. `watch` is told in this thread."""
        told: Place | None = None
        while True:
            told, done = self._news(ticket, told, watch is not unwatched)
            watch(told)
            if done:
                left = "The question was dropped, since its caller left."
                return [
                    verdict or Verdict.failed(self.name, question.criterion, FailureKind.ERROR, left)
                    for question, verdict in zip(ticket.questions, ticket.found, strict=True)
                ]

    def _news(self, ticket: Ticket, told: Place | None, watched: bool) -> tuple[Place, bool]:
        """Wait until there is something to tell, at most a heartbeat for who watches: the place, and whether done."""
        with self._changed:
            if watched:
                self._changed.wait_for(lambda: ticket.done or self._place(ticket) != told, HEARTBEAT)
            else:
                self._changed.wait_for(lambda: ticket.done)
            return self._place(ticket), ticket.done

    def leave(self, ticket: Ticket) -> None:
        """Drop what has not been started; those being judged are judged to their end, for nobody, unless the judge can
        be stopped and nobody else is served with them. No harm when done."""
        with self._changed:
            if not ticket.done:
                ticket.left = True
                self._open -= 1
                self._line.drop(ticket.caller, lambda waiting: waiting.ticket is ticket)
                self._changed.notify_all()

    def close(self) -> None:
        """Answer everybody who waits with a failure, end the threads and close the judge; a call under way ends first.

        The judge is closed where it has a `close`. Asked later, this raises or gives failures.
        """
        with self._changed:
            self._closed = True
            message = f"The judge {self.name!r} was put away while this question waited. Please ask again."
            for waiting in self._line.clear():
                failure = Verdict.failed(self.name, waiting.question.criterion, FailureKind.ERROR, message)
                self._deliver(waiting, failure)
            self._changed.notify_all()
            threads = list(self._threads)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()
        close = getattr(self.inner, "close", None)
        if close is not None:
            close()

    # -- judging, in threads of its own ---------------------------------------------------------------------------

    def _work(self) -> None:
        while taken := self._next():
            verdicts = self._answers(taken)
            with self._changed:
                for waiting, verdict in zip(taken, verdicts, strict=True):
                    self._deliver(waiting, verdict)
                self._running -= len(taken)
                self._free += 1
                self._company, self._ended = len({waiting.ticket for waiting in taken}), self._clock()
                self._changed.notify_all()

    def _next(self) -> list[Waiting]:
        """The questions of the next call, when it is time for it; none when this thread is to end."""
        rested = self._clock() + self.idle
        with self._changed:
            while True:
                seconds = self._worth_waiting() if len(self._line) else rested - self._clock()
                if len(self._line) and seconds <= 0:
                    return self._begin()
                if not len(self._line) and (self._closed or seconds <= 0):
                    self._working -= 1
                    self._free -= 1
                    return []
                self._changed.wait(seconds)

    def _worth_waiting(self) -> float:
        """Seconds for which others may still be expected to ask."""
        alone = self._company == 1 or self._first > self._ended + self.deadline
        if alone or len(self._line) >= self.batch or len({waiting.ticket for waiting in self._line}) >= self._company:
            return 0.0
        return self._first + self.deadline - self._clock()

    def _begin(self) -> list[Waiting]:
        taken = self._line.take(self.batch, lambda first, other: first.ticket.measure == other.ticket.measure)
        for waiting in taken:
            waiting.ticket.begun = True
        self._running += len(taken)
        self._free -= 1
        self._changed.notify_all()
        return taken

    def _answers(self, taken: list[Waiting]) -> list[Verdict]:
        questions = [waiting.question for waiting in taken]
        tickets = {id(waiting.ticket): waiting.ticket for waiting in taken}.values()
        known = [one for ticket in tickets for one in ticket.measured]
        hear = hearing(taken, self._changed) if any(ticket.aloud for ticket in tickets) else None
        try:
            return judge_questions(self.inner, questions, Remembering(known, taken[0].ticket.measure), hear)
        except JobCancelled:
            stopped = "The judge was stopped."
            return [Verdict.failed(self.name, q.criterion, FailureKind.ERROR, stopped) for q in questions]
        except BaseException:
            # whatever it is, nobody may be left waiting for an answer that never comes
            log.exception("%s stopped on %d questions", self.name, len(questions))
            message = "The judge stopped with an error; the log has it."
            return [Verdict.failed(self.name, q.criterion, FailureKind.ERROR, message) for q in questions]

    def _deliver(self, waiting: Waiting, verdict: Verdict) -> None:
        if not waiting.ticket.left:
            waiting.ticket.answer(waiting.number, verdict)
            if waiting.ticket.done:
                self._open -= 1


class _OnBehalf:
    """A gathered judge as one caller asks it."""

    def __init__(self, gathered: Gathered, caller: Hashable, watch: Watch, aloud: bool) -> None:
        self.name, self._gathered, self._caller, self._watch = gathered.name, gathered, caller, watch
        self._aloud = aloud

    def judge(self, questions: Sequence[Question], measure: Measurer) -> list[Verdict]:
        """One verdict a question, in order; a refusal is a failure of each. Raises only what `watch` raises."""
        try:
            ticket = self._gathered.ask(questions, measure, self._caller, self._watch, self._aloud)
        except JudgeFailed as error:
            return [Verdict.failed(self.name, q.criterion, FailureKind.ERROR, str(error)) for q in questions]
        try:
            return self._gathered.wait(ticket, self._watch)
        finally:
            self._gathered.leave(ticket)
