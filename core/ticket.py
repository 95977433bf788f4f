"""What a caller holds while its questions wait for a judge that others ask too, and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from core.evidence import Measured, Measurer
from core.nouns import Noun, Question, Verdict


class Place(Noun):
    """Where a caller stands. `ahead`: questions that go before its first one, with those being judged; 0 once it has
    begun. `answered` of `asked` are done. While it waits `ahead` never rises, unless its caller asks twice at once.
    """

    ahead: int
    begun: bool
    answered: int
    asked: int


Watch = Callable[[Place | None], None]
"""Told in the caller's own thread whenever its place changes and once a second; None while its responses are being
measured. Whatever it raises takes the caller out of the line."""


def unwatched(place: Place | None) -> None:
    """The watch of a caller who does not want to be told."""


class Ticket:
    """A caller's questions at one judge and the verdicts found so far. Only its `Gathered` changes it."""

    def __init__(
        self, caller: Hashable, questions: Sequence[Question], measure: Measurer, measured: Sequence[Measured] = ()
    ) -> None:
        self.caller, self.questions, self.measure, self.measured = caller, tuple(questions), measure, measured
        self.found: list[Verdict | None] = [None] * len(self.questions)
        self.begun = self.left = False

    @property
    def done(self) -> bool:
        """All is answered, or the caller has left."""
        return self.left or None not in self.found

    @property
    def answered(self) -> int:
        return len(self.found) - self.found.count(None)

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
