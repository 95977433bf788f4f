"""What two teachers say together of one candidate pair, and the figures of a whole list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum

from core.agreement import agreement
from core.judging import both_orders
from core.nouns import Noun, Preference, Verdict


class Outcome(StrEnum):
    """Why a pair is kept or not; the first that holds, in this order."""

    FAILED = "a verdict failed"
    INCONSISTENT = "a verdict against its own scores"
    TIED = "a teacher sees a tie"
    DISAGREED = "the teachers disagree"
    KEPT = "kept"


class Opinion(Noun):
    """What one teacher says, asked in both orders: `preference` in the pair's own order, a tie where the orders differ,
    None where an order failed."""

    straight: Verdict
    swapped: Verdict

    @property
    def preference(self) -> Preference | None:
        return both_orders(self.straight, self.swapped)

    @property
    def consistent(self) -> bool:
        """Whether no order prefers one response and scores the other as high or higher. Rewards are its scores, or else
        its probabilities; without either there is nothing to contradict. Records whose own scores contradict their
        verdict have failed already when they were read (`core.models.verdicts`)."""
        return not any(map(_against_its_scores, (self.straight, self.swapped)))


class Decision(Noun):
    """Both teachers' opinions on one candidate."""

    first: Opinion
    second: Opinion

    @property
    def outcome(self) -> Outcome:
        preferences = (self.first.preference, self.second.preference)
        if None in preferences:
            return Outcome.FAILED
        if not (self.first.consistent and self.second.consistent):
            return Outcome.INCONSISTENT
        if Preference.TIE in preferences:
            return Outcome.TIED
        return Outcome.KEPT if preferences[0] is preferences[1] else Outcome.DISAGREED


def _against_its_scores(verdict: Verdict) -> bool:
    if verdict.preference not in (Preference.FIRST, Preference.SECOND):
        return False
    if verdict.reward_1 is not None and verdict.reward_2 is not None:
        lead = verdict.reward_1 - verdict.reward_2
    elif verdict.p_first is not None and verdict.p_second is not None:
        lead = verdict.p_first - verdict.p_second
    else:
        return False
    return lead <= 0 if verdict.preference is Preference.FIRST else lead >= 0


def figures(decisions: Sequence[Decision], known: Iterable[Preference | None]) -> dict[str, float]:
    """Shares of each outcome in percent, the teachers' Cohen's kappa (Cohen 1960) over the pairs that both answered,
    and of the kept pairs whose answer is `known` besides, how many got it. What is undefined is left out."""
    counts = Counter(decision.outcome for decision in decisions)
    found: dict[str, float] = {"pairs kept": counts[Outcome.KEPT]}
    if decisions:
        found |= {f"{outcome}, %": 100 * counts[outcome] / len(decisions) for outcome in reversed(Outcome)}
    both = [
        (one.first.preference, one.second.preference)
        for one in decisions
        if one.first.preference is not None and one.second.preference is not None
    ]
    kappa = agreement([(first, second) for first, second in both if first and second]).kappa
    if kappa is not None:
        found["teachers' Cohen's kappa"] = kappa
    right = [
        decision.first.preference is label
        for decision, label in zip(decisions, known, strict=True)
        if label is not None and decision.outcome is Outcome.KEPT
    ]
    if right:
        found["kept as is known besides, %"] = 100 * sum(right) / len(right)
    return found
