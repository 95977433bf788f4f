"""Prompts with several candidate responses of known quality: what a judge chooses among.

A file of one JSON object a line; media as paths relative to the file, tasks as in preference_jsonl:

    {"id":"t2i-17","task":"t2i","prompt":"A guinea pig holding a carrot","context":null,"criterion":null,
     "candidates":[{"content":"a.png","quality":0.9,"model":"m1"},{"content":"b.png","quality":0.2}]}

`id`, `task` and two candidates or more must be there, each with `content`, a text or a path, and `quality`, a number
(more is better) or true and false for right and wrong. `prompt`, `context`, `criterion` and `model` are as in
preference_jsonl; any other key is refused. Rows of RewardBench 2 (`chosen` and `rejected`) are read as they are
downloaded: a chosen answer has the quality 1, a rejected one 0.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from core.errors import BadInput
from core.formats import BadRow
from core.formats._fields import id_of, text_of
from core.formats._rows import Object, objects
from core.formats.preference_jsonl import context_of, response_of, task_of
from core.formats.reward_bench_2 import answers
from core.modalities import Limits
from core.nouns import Content, Finite, Noun, PreferencePair, Question, Response, Task

_KEYS = ("id", "task", "prompt", "context", "criterion", "candidates")
_CANDIDATE_KEYS = ("content", "quality", "model")


class Candidate(Noun):
    """A response and how good it is known to be; more is better."""

    response: Response
    quality: Finite


class CandidateGroup(Noun):
    """One prompt, the criterion, and the candidates to choose among."""

    id: str = Field(min_length=1)
    task: Task
    prompt: str = ""
    context: Content | None = None
    criterion: str | None = None
    candidates: tuple[Candidate, ...] = Field(min_length=2)

    @property
    def qualities(self) -> list[float]:
        return [candidate.quality for candidate in self.candidates]

    def question(self, first: int, second: int) -> Question:
        """The candidates at these places as a pair."""
        pair = PreferencePair(
            task=self.task,
            prompt=self.prompt,
            context=self.context,
            first=self.candidates[first].response,
            second=self.candidates[second].response,
            id=self.id,
        )
        return Question(pair=pair, criterion=self.criterion)


def read_groups(path: Path, limits: Limits) -> Iterator[CandidateGroup | BadRow]:
    """Every row in order. Raises BadInput where the file as a whole cannot be read."""
    folder = path.absolute().parent.resolve()
    for line, row in objects(path):
        if isinstance(row, BadRow):
            yield row
            continue
        try:
            yield _reward_bench(row, limits) if "chosen" in row else _group(row, folder, limits)
        except BadInput as error:
            yield BadRow(line=line, id=str(row.get("id", ""))[:80], reason=str(error))


def _reward_bench(row: Object, limits: Limits) -> CandidateGroup:
    chosen, rejected = answers(row, limits)
    return CandidateGroup(
        id=id_of(row),
        task=Task.T2T,
        prompt=text_of(row, "prompt"),
        candidates=tuple(
            Candidate(response=Response(content=content), quality=quality)
            for contents, quality in ((chosen, 1.0), (rejected, 0.0))
            for content in contents
        ),
    )


def _group(row: Object, folder: Path, limits: Limits) -> CandidateGroup:
    _refuse_strangers(row, _KEYS)
    task, given = task_of(row), row.get("candidates")
    if not isinstance(given, list) or len(given) < 2:
        raise BadInput('\'candidates\' is not a list of two or more; write [{"content": …, "quality": …}, …].')
    candidates = tuple(_candidate(one, task, folder, limits) for one in given)
    if len({one.response.content.modality for one in candidates}) > 1:
        raise BadInput("Some candidates are images and some 3D files; those of one prompt must be of one kind.")
    return CandidateGroup(
        id=id_of(row),
        task=task,
        prompt=text_of(row, "prompt", optional=True),
        context=context_of(row, task, folder, limits),
        criterion=text_of(row, "criterion", optional=True) or None,
        candidates=candidates,
    )


def _candidate(given: Any, task: Task, folder: Path, limits: Limits) -> Candidate:
    if not isinstance(given, dict):
        raise BadInput('A candidate is not an object; write {"content": …, "quality": …}.')
    _refuse_strangers(given, _CANDIDATE_KEYS)
    response = Response(
        content=response_of(given, "content", task, folder, limits), model=text_of(given, "model", optional=True)
    )
    return Candidate(response=response, quality=_quality(given.get("quality")))


def _quality(value: Any) -> float:
    # a whole number may be too large for a float
    if not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise BadInput(f"The quality {str(value)[:40]!r} is neither a finite number nor true or false.")
    return float(value)


def _refuse_strangers(given: dict[str, Any], keys: tuple[str, ...]) -> None:
    strange = [key for key in given if key not in keys]
    if strange:
        raise BadInput(f"The key {str(strange[0])[:40]!r} is not known; the keys are {', '.join(keys)}.")
