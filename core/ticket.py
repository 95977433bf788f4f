"""What a caller holds while its questions wait for a judge that others ask too, and where it stands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from core.aloud import Hear, Pace, Written
from core.errors import JobCancelled
from core.evidence import Measured, Measurer
from core.nouns import Noun, Question, Verdict


class Place(Noun):
    """Where a caller stands. `ahead`: questions that go before its first one, with those being judged; 0 once it has
    begun. `answered` of `asked` are done. While it waits `ahead` never rises, unless its caller asks twice at once.
    `written` is what the judge has written so far for a caller who wants to hear it, by question and order.
    """

    ahead: int
    begun: bool
    answered: int
    asked: int
    written: tuple[Written, ...] = ()


Watch = Callable[[Place | None], None]
"""Told in the caller's own thread whenever its place changes and once a second; None while its responses are being
measured. Whatever it raises takes the caller out of the line."""


def unwatched(place: Place | None) -> None:
    """The watch of a caller who does not want to be told."""


class Ticket:
    """A caller's questions at one judge and the verdicts found so far; `aloud`: it wants to hear the judge write.

    Only its `Gathered` changes it.
    """

    def __init__(
        self,
        caller: Hashable,
        questions: Sequence[Question],
        measure: Measurer,
        measured: Sequence[Measured] = (),
        aloud: bool = False,
    ) -> None:
        self.caller, self.questions, self.measure, self.measured = caller, tuple(questions), measure, measured
        self.aloud = aloud
        self._heard: dict[tuple[int, bool], Written] = {}
        self.found: list[Verdict | None] = [None] * len(self.questions)
        self.begun = self.left = False

    @property
    def done(self) -> bool:
        """All is answered, or the caller has left."""
        return self.left or None not in self.found

    @property
    def answered(self) -> int:
        return len(self.found) - self.found.count(None)

    @property
    def written(self) -> tuple[Written, ...]:
        """What was heard so far, the first question's first order first."""
        return tuple(self._heard[key] for key in sorted(self._heard))

    def hear(self, written: Written) -> None:
        """Keep what is written on one question; `number` counts the ticket's own questions."""
        self._heard[written.number, written.swapped] = written

    def answer(self, number: int, verdict: Verdict) -> None:
        """Keep the verdict on one question; its seconds grow by what measuring the pair took outside the judge."""
        # once a pair, however many criteria share it
        for one in self.measured:
            if next(n for n, question in enumerate(self.questions) if question.pair is one.pair) == number:
                verdict = verdict.model_copy(update={"seconds": verdict.seconds + one.seconds})
        self.found[number] = verdict


@dataclass(frozen=True, eq=False)
class Waiting:
    """One question of a ticket, in the line or being judged."""

    ticket: Ticket
    number: int

    @property
    def question(self) -> Question:
        return self.ticket.questions[self.number]


def hearing(taken: Sequence[Waiting], changed: threading.Condition) -> Hear:
    """Gives the caller of each question what is written for it, and says so now and then by `changed`, which guards
    the tickets. JobCancelled once nobody is left who wants any of the answers."""
    pace = Pace()

    def hear(written: Written) -> None:
        waiting = taken[written.number]
        with changed:
            if all(one.ticket.left for one in taken):
                raise JobCancelled("Nobody wants the answers any more.")
            if waiting.ticket.aloud:
                waiting.ticket.hear(written.model_copy(update={"number": waiting.number}))
            # what is not told now is told with the next, or with the heartbeat
            if pace.due():
                changed.notify_all()

    return hear
