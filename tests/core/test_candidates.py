"""Candidates of known quality: what fits is a group, what does not is a bad row with its line and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.candidates import CandidateGroup, read_groups
from core.errors import BadInput
from core.formats import BadRow
from core.modalities import Limits
from core.nouns import Modality, Task
from tests.core.small_pairs import content

TWO = [{"content": "one", "quality": 1}, {"content": "two", "quality": 0.5, "model": "m"}]
ROW = {"id": "a", "task": "t2t", "prompt": "p", "criterion": "c", "candidates": TWO}


def read(folder: Path, *rows: Any) -> list[CandidateGroup | BadRow]:
    path = folder / "candidates.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(read_groups(path, Limits()))


def test_a_row_is_read_with_its_qualities(tmp_path: Path) -> None:
    right = [{"content": "one", "quality": True}, {"content": "two", "quality": False}]
    scored, judged = read(tmp_path, ROW, ROW | {"id": "b", "candidates": right, "criterion": None})
    assert isinstance(scored, CandidateGroup)
    assert isinstance(judged, CandidateGroup)
    assert (scored.id, scored.criterion, scored.qualities) == ("a", "c", [1.0, 0.5])
    assert (judged.criterion, judged.qualities) == (None, [1.0, 0.0])
    question = scored.question(1, 0)
    assert (question.pair.first.content.text, question.pair.first.model) == ("two", "m")
    assert (question.pair.prompt, question.criterion) == ("p", "c")


@pytest.mark.parametrize("task", list(Task))
def test_every_task_is_read(tmp_path: Path, task: Task) -> None:
    row: dict[str, Any] = ROW | {"task": task.value}
    if task.context:
        row["context"] = content(task.context, 2, tmp_path).name
    if task.response is not Modality.TEXT:
        row["candidates"] = [{"content": content(task.response, n, tmp_path).name, "quality": n} for n in (0, 1)]
    (found,) = read(tmp_path, row)
    assert isinstance(found, CandidateGroup), found
    assert found.question(0, 1).pair.modality is task.response


def test_rewardbench_2_is_read_as_it_is_downloaded(tmp_path: Path) -> None:
    row = {"id": 7, "subset": "Math", "prompt": "2 + 2?", "chosen": ["4"], "rejected": ["5", "6"], "num_correct": 1}
    found, broken = read(tmp_path, row, row | {"num_correct": 2})
    assert isinstance(found, CandidateGroup)
    assert (found.id, found.qualities) == ("7", [1.0, 0.0, 0.0])
    assert [one.response.content.text for one in found.candidates] == ["4", "5", "6"]
    assert isinstance(broken, BadRow)
    assert (broken.line, broken.id) == (2, "7")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"candidates": TWO[:1]}, "not a list of two or more"),
        ({"candidates": [TWO[0], {"content": "x"}]}, "neither a finite number"),
        ({"candidates": [TWO[0], {"content": "x", "quality": "1"}]}, "neither a finite number"),
        ({"candidates": [TWO[0], {"content": "x", "quality": 10**400}]}, "neither a finite number"),
        ({"candidates": [TWO[0], {"content": "x", "quality": float("nan")}]}, "neither a finite number"),
        ({"candidates": [TWO[0], {"content": "x", "quality": 1, "label": 1}]}, "'label' is not known"),
        ({"candidates": [TWO[0], "x"]}, "not an object"),
        ({"task": "t2x"}, "is no task"),
        ({"criteria": ["c"]}, "'criteria' is not known"),
        ({"task": "t2i", "candidates": [{"content": "gone.png", "quality": 1}] * 2}, "not there"),
        ({"context": "a.png"}, "text only"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    good, found = read(tmp_path, ROW, ROW | {"id": "b"} | change)
    assert isinstance(good, CandidateGroup)
    assert isinstance(found, BadRow)
    assert (found.line, found.id) == (2, "b")
    assert said in found.reason


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a file"):
        list(read_groups(tmp_path / "gone.jsonl", Limits()))
