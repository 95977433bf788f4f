"""The nouns refuse what makes no sense, and swapping twice changes nothing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.errors import BadInput
from core.nouns import (
    Answer,
    Content,
    Evidence,
    FailureKind,
    Finding,
    Measure,
    Modality,
    Preference,
    PreferencePair,
    Response,
    Task,
    Verdict,
)

TEXT = Content.of_text("a")
IMAGE = Content(modality=Modality.IMAGE, sha256="0" * 64, path="a.png")


def test_the_nine_tasks_follow_from_what_is_compared() -> None:
    assert {task.code for task in Task} == {"T2T", "TI2T", "TV2T", "TA2T", "T2I", "T2V", "T2A", "T23D", "TI2I"}
    for task in Task:
        assert Task.of(task.response, task.context) is task


@pytest.mark.parametrize(
    ("response", "context"),
    [(r, c) for r in Modality for c in Modality if (c, r) not in {(t.context, t.response) for t in Task}],
)
def test_other_combinations_are_no_task_and_say_what_is(response: Modality, context: Modality) -> None:
    with pytest.raises(BadInput, match="nine tasks"):
        Task.of(response, context)


def test_a_pair_compares_what_its_task_says() -> None:
    with pytest.raises(ValidationError, match="T2I compares"):
        PreferencePair(task=Task.T2I, first=Response(content=TEXT), second=Response(content=TEXT))
    with pytest.raises(ValidationError, match="TI2T needs"):
        PreferencePair(task=Task.TI2T, first=Response(content=TEXT), second=Response(content=TEXT))


def test_rendered_images_are_accepted_as_3d_responses() -> None:
    pair = PreferencePair(task=Task.T23D, first=Response(content=IMAGE), second=Response(content=IMAGE))
    assert pair.modality is Modality.IMAGE


@pytest.mark.parametrize("choice", ["", "FIRST", "1", "A", "frist", "neither"])
def test_a_stranger_is_no_preference(choice: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Preference(choice)


def test_both_bad_counts_as_a_tie_and_a_skip_as_nothing() -> None:
    assert Answer.BOTH_BAD.preference is Preference.TIE
    assert Answer.SKIP.preference is None
    assert Answer.FIRST.preference is Preference.FIRST


@given(st.sampled_from(list(Preference)), st.sampled_from(list(Answer)))
def test_swapping_twice_changes_nothing(preference: Preference, answer: Answer) -> None:
    assert preference.swapped.swapped is preference
    assert answer.swapped.swapped is answer


def test_a_verdict_is_a_preference_or_a_failure() -> None:
    with pytest.raises(ValidationError, match="either a preference or a failure"):
        Verdict(judge="x", criterion=None)
    failed = Verdict.failed("x", "c", FailureKind.UNREADABLE, "no verdict in the answer", raw="hm")
    assert failed.preference is None
    assert failed.failure is not None
    with pytest.raises(ValidationError):
        Verdict(judge="x", criterion=None, preference=Preference.TIE, failure=failed.failure)


@pytest.mark.parametrize("probabilities", [(0.5, None, None), (0.5, 0.5, 0.5), (1.2, -0.1, -0.1)])
def test_probabilities_come_together_and_sum_to_one(probabilities: tuple) -> None:
    first, tie, second = probabilities
    with pytest.raises(ValidationError):
        Verdict(judge="x", criterion=None, preference="first", p_first=first, p_tie=tie, p_second=second)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_that_is_none_gets_in(value: float) -> None:
    with pytest.raises(ValidationError):
        Verdict(judge="x", criterion=None, preference="first", reward_1=value)
    with pytest.raises(ValidationError):
        Evidence(modality=Modality.TEXT, version=1, values={"length": value})


def test_a_swapped_verdict_tells_the_same_of_the_swapped_pair() -> None:
    measure = Measure(name="sharpness", label="Sharpness", unit="", more="sharper", less="blurrier", source="x")
    verdict = Verdict(
        judge="x",
        criterion="sharp",
        preference=Preference.FIRST,
        reward_1=2.0,
        reward_2=1.0,
        p_first=0.7,
        p_tie=0.1,
        p_second=0.2,
        findings=(Finding(measure=measure, first=0.9, second=None, effect=0.4),),
    )
    swapped = verdict.swapped
    assert (swapped.preference, swapped.reward_1, swapped.p_first) == (Preference.SECOND, 1.0, 0.2)
    assert (swapped.findings[0].first, swapped.findings[0].effect) == (None, -0.4)
    assert swapped.swapped == verdict


@given(st.text())
def test_every_text_has_a_hash_of_its_own_bytes(text: str) -> None:
    content = Content.of_text(text)
    assert content.text == content.source == text
    assert len(content.sha256) == 64


def test_a_lone_surrogate_is_not_its_replacement() -> None:
    assert Content.of_text("\ud800").sha256 != Content.of_text("?").sha256
