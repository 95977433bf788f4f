"""Two orders, one verdict: agreement stands, habit of place does not, and half an answer is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.verdicts import Reading
from core.nouns import Failure, FailureKind, Preference, Verdict
from core.reconcile import agreed_shares, reconcile

A, TIE, B = Preference.FIRST, Preference.TIE, Preference.SECOND
UNREADABLE = Failure(kind=FailureKind.UNREADABLE, message="No verdict.", raw="hm")
BROKEN = Failure(kind=FailureKind.ERROR, message="The server cannot be reached.")


def answers(*said: Preference | Failure) -> list[Reading | Failure]:
    return [s if isinstance(s, Failure) else Reading(preference=s, rationale=f"because {s}") for s in said]


def verdict(straight: list, swapped: list, ties: bool) -> Verdict:
    return reconcile("judge", "c", answers(*straight), answers(*swapped), ties=ties)


def probabilities(found: Verdict) -> tuple[float | None, ...]:
    return found.p_first, found.p_tie, found.p_second


# `swapped` is told as it was answered: there, "first" is the pair's second response
@pytest.mark.parametrize(
    ("straight", "swapped", "ties", "expected"),
    [
        (A, B, True, A),
        (B, A, True, B),
        (A, B, False, A),
        (TIE, TIE, True, TIE),
        (A, A, True, TIE),
        (B, B, True, TIE),
        (A, TIE, True, TIE),
        (TIE, A, True, TIE),
    ],
)
def test_one_answer_an_order(straight: Preference, swapped: Preference, ties: bool, expected: Preference) -> None:
    found = verdict([straight], [swapped], ties)
    assert found.preference is expected
    assert probabilities(found) == tuple(float(expected is x) for x in (A, TIE, B))


@pytest.mark.parametrize("place", [A, B])
def test_a_judge_that_follows_the_place_fails_where_ties_are_not_allowed(place: Preference) -> None:
    found = verdict([place], [place], ties=False)
    assert found.failure is not None
    assert found.failure.kind is FailureKind.UNREADABLE
    assert "follows the place" in found.failure.message
    assert found.failure.raw.count("Verdict:") == 2


def test_an_even_vote_without_ties_is_a_failure() -> None:
    found = verdict([A, B], [A, B], ties=False)
    assert found.failure is not None
    assert "evenly" in found.failure.message


@pytest.mark.parametrize("failure", [UNREADABLE, BROKEN])
@pytest.mark.parametrize("ties", [True, False])
def test_one_order_alone_is_no_verdict_and_says_so(failure: Failure, ties: bool) -> None:
    for straight, swapped, first in (([A], [failure], "With B first"), ([failure], [B], "With A first")):
        found = verdict(straight, swapped, ties)
        assert found.failure is not None
        assert found.failure.kind is failure.kind
        assert "(it says A)" in found.failure.message
        assert f"{first}: {failure.message}" in found.failure.message


def test_two_failed_orders_tell_each_reason_once() -> None:
    found = verdict([UNREADABLE], [UNREADABLE], ties=True)
    assert found.failure is not None
    assert found.failure.message == "No verdict."
    assert found.failure.raw.count("hm") == 2
    mixed = verdict([UNREADABLE], [BROKEN], ties=True)
    assert mixed.failure is not None
    assert mixed.failure.kind is FailureKind.ERROR


def test_most_of_an_order_must_be_readable() -> None:
    assert verdict([A, A, UNREADABLE], [B, B, B], ties=False).preference is A
    assert "1 of 6 answers could not be read." in verdict([A, A, UNREADABLE], [B, B, B], ties=False).rationale
    assert verdict([A, UNREADABLE], [B, B], ties=False).failure is not None


def test_votes_become_probabilities() -> None:
    found = verdict([A, A, A, B], [B, B, A, A], ties=False)
    assert found.preference is A
    assert probabilities(found) == pytest.approx((0.625, 0.0, 0.375))  # the mean of 3/4 and 2/4
    tied = verdict([A, A, A, B], [B, B, A, A], ties=True)
    assert probabilities(tied) == pytest.approx((0.5, 0.25, 0.25))  # what differs by place counts as a tie


def test_the_rationale_is_told_in_the_pairs_own_order() -> None:
    assert verdict([A], [B], ties=True).rationale == "because first"
    both = verdict([A], [A], ties=True).rationale
    assert "asked with B first, it says B" in both
    assert "there, “A” is our B" in both


votes = st.lists(st.sampled_from([A, B]), min_size=1, max_size=6)
votes_with_ties = st.lists(st.sampled_from(list(Preference)) | st.just(UNREADABLE), min_size=1, max_size=6)


@given(votes, votes)
def test_without_ties_the_shares_are_the_mean_of_the_orders(straight: list, swapped: list) -> None:
    s = {x: straight.count(x) / len(straight) for x in Preference}
    t = {x: swapped.count(x) / len(swapped) for x in Preference}
    shares = agreed_shares(s, t, ties=False)
    assert shares == pytest.approx({x: (s[x] + t[x]) / 2 for x in Preference})


@given(votes_with_ties, votes_with_ties)
def test_swapping_the_pair_swaps_the_verdict(straight: list, swapped: list) -> None:
    one, other = verdict(straight, swapped, ties=True), verdict(swapped, straight, ties=True)
    assert one.preference is (other.preference.swapped if other.preference else None)
    assert (one.p_first, one.p_tie, one.p_second) == (other.p_second, other.p_tie, other.p_first)
