"""What is kept away from training: whole prompts, always the same, and what is told of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.formats import LabelledPair
from core.intervals import share
from core.jobs._held_out import Exam, split
from core.nouns import Content, Preference, PreferencePair, Response, Task


def row(number: int, prompt: str) -> LabelledPair:
    sides = [Response(content=Content.of_text(f"{number} {side}")) for side in "ab"]
    pair = PreferencePair(id=str(number), task=Task.T2T, prompt=prompt, first=sides[0], second=sides[1])
    return LabelledPair(line=number + 1, pair=pair, label=Preference.FIRST)


@given(st.lists(st.integers(0, 12), max_size=40), st.floats(0, 0.5), st.integers(0, 9))
def test_prompts_are_held_out_whole_and_always_the_same(prompts: list[int], part: float, seed: int) -> None:
    rows = [row(number, f"prompt {prompt}") for number, prompt in enumerate(prompts)]
    learned, held = split(rows, part, seed)
    assert sorted([*learned, *held], key=lambda one: one.line) == rows
    there = {one.pair.prompt for one in held}
    assert not there & {one.pair.prompt for one in learned}
    assert len(there) == round(part * len(set(prompts)))
    # neither the order of the rows nor one that comes twice changes which prompts they are
    again = split([*reversed(rows), *rows], part, seed)[1]
    assert {one.pair.prompt for one in again} == there


def test_the_seed_draws_them() -> None:
    rows = [row(number, f"prompt {number}") for number in range(200)]
    held = [{one.pair.id for one in split(rows, 0.1, seed)[1]} for seed in (0, 1)]
    assert [len(ids) for ids in held] == [20, 20]
    assert len(held[0] & held[1]) < 10


def test_the_figure_is_told_with_its_interval_and_what_was_not_answered() -> None:
    figure = share(15, 20)
    assert figure is not None
    assert Exam(accuracy=figure, answered=20).told == "right on 75% (53%–89%) of 20 held-out pairs"
    assert Exam(accuracy=figure, answered=18).told.endswith("pairs, 2 of them without an answer")
    assert set(Exam(accuracy=figure, answered=20).metrics) == {
        "held_out_accuracy",
        "held_out_low",
        "held_out_high",
    }
