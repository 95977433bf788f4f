"""The starter-r1 judge with a maker of briefs that is told what to say, and a tiny model that was really trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from core.errors import JudgeFailed
from core.evidence import Measurer, Measuring
from core.judges import _starter_r1 as starter_r1
from core.judging import judge_questions
from core.models.starter_r1.brief import Brief
from core.models.starter_r1.recipe import Recipe, Shape, Writing
from core.models.starter_r1.sft import sft
from core.nouns import Content, Failure, FailureKind, PreferencePair, Question, Response, Task
from tests.core.models.starter_r1.made_up import made_up

BRIEFS = made_up(6, 4)
PAIR = PreferencePair(
    task=Task.T2T,
    prompt="Say something.",
    first=Response(content=Content.of_text("One.")),
    second=Response(content=Content.of_text("Two.")),
)
UNSEEN = Failure(kind=FailureKind.NOT_COVERED, message="The starter cannot see this.")


class Told:
    """A maker of briefs that gives what it was told, in order."""

    def __init__(self, said: Sequence[Brief | Failure]) -> None:
        self.said = list(said)

    def briefs(self, questions: Sequence[Question], measure: Measurer) -> list[Brief | Failure]:
        return self.said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = Recipe(
        threads=1,
        shape=Shape(
            vocab_size=500, hidden_size=32, intermediate_size=48, layers=1, heads=2, key_value_heads=1, longest_reason=8
        ),
        sft=Writing(steps=4, minutes=2, batch=4),
    )
    return sft(BRIEFS, tmp_path_factory.mktemp("r1"), recipe, lambda said: None)


def test_a_failure_stays_a_failure_and_the_others_are_judged(folder: Path) -> None:
    said = [BRIEFS[0], UNSEEN, BRIEFS[1]]
    judge = starter_r1.StarterR1Judge(folder, Told(said))
    questions = [Question(pair=PAIR, criterion=c) for c in ("sharper", "is there a carrot", None)]
    verdicts = judge_questions(judge, questions, Measuring())
    assert [verdict.criterion for verdict in verdicts] == ["sharper", "is there a carrot", None]
    assert verdicts[1].failure == UNSEEN
    assert verdicts[1].coverage == 0.0
    for verdict in (verdicts[0], verdicts[2]):
        assert verdict.judge == "starter-r1"
        assert verdict.preference is not None
        assert "Scores: A" in verdict.rationale


def test_the_two_orders_are_reconciled(folder: Path) -> None:
    question = Question(pair=PAIR, criterion="sharper")
    there, back = (
        starter_r1.StarterR1Judge(folder, Told([brief])).judge([question], Measuring())[0]
        for brief in (BRIEFS[0], BRIEFS[0].swapped)
    )
    assert back.preference is there.preference.swapped
    assert back.p_first == there.p_second


def test_a_maker_that_loses_a_question_is_told(folder: Path) -> None:
    judge = starter_r1.StarterR1Judge(folder, Told([]))
    with pytest.raises(JudgeFailed, match="0 evidence sheets for 1"):
        judge.judge([Question(pair=PAIR)], Measuring())


def test_it_says_why_it_cannot_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter_r1, "ASSETS", tmp_path)
    assert "assets/starter-r1" in starter_r1.PLUG.unavailable()
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert "not connected yet" in starter_r1.PLUG.unavailable()
    with pytest.raises(JudgeFailed, match="There is no starter-r1"):
        starter_r1.PLUG.load(tmp_path / "nowhere")
    with pytest.raises(JudgeFailed, match="not connected yet"):
        starter_r1.PLUG.load(tmp_path)
