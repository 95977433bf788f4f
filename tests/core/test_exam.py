"""What is told of a judge that was tried on held-out pairs."""

from __future__ import annotations

from core.intervals import share
from core.jobs._exam import Exam


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
