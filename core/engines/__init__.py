"""The shelf of engines: where the rows of `score_dataset` are judged. Each file is one, its PLUG an `EngineKind`.

The job's own process reads the rows and hands those that are left to the engine; they come back as verdicts, a part at
a time, and that process reports them. So what was judged is kept, gone on with and cancelled in the same way wherever
the judge stands, and no engine sees the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from core.evidence import Measurer
from core.formats import BadRow, LabelledPair
from core.jobs import JobTools
from core.judges import Judge
from core.judging import judge_questions
from core.nouns import FailureKind, Question, Verdict
from core.plugs import Shelf

Row = LabelledPair | BadRow
KeyedRow = tuple[str, Row]
KeyedVerdict = tuple[str, Verdict]


class Judging(Protocol):
    """What an engine is told of the job."""

    judge: str
    batch: int
    workers: int


class Engine(Protocol):
    """A judge that is loaded somewhere, or will be when it is first asked."""

    def judged(self, rows: Iterator[KeyedRow]) -> Iterator[list[KeyedVerdict]]:
        """The rows' verdicts, a part at a time and the parts in any order; each key comes back once. Rows are read as
        they are needed. What goes wrong with one row is its failure; a StudioError that is raised ends the job."""


class EngineKind(Protocol):
    """`free` is False where to ask it costs money: no dry run does."""

    title: str
    free: bool

    def opened(
        self, address: str, asked: Judging, tools: JobTools, measure: Measurer
    ) -> AbstractContextManager[Engine]:
        """The engine at `address` (empty where none was given), for as long as the context lasts; all that runs for the
        job has ended afterwards. `measure` is for those that judge in this process; others measure where they judge.
        Raises BadInput, JudgeFailed, MissingExtra or StudioError with what to do."""


def judge_rows(judge: Judge, rows: Sequence[Row], measure: Measurer) -> list[Verdict]:
    """A verdict a row in order; what is wrong with a bad row is its failure."""
    asked = [Question(pair=row.pair, criterion=row.criterion) for row in rows if isinstance(row, LabelledPair)]
    verdicts = iter(judge_questions(judge, asked, measure))
    return [next(verdicts) if isinstance(row, LabelledPair) else refused(judge.name, row) for row in rows]


def refused(judge: str, row: BadRow) -> Verdict:
    """What every judge says of a row that does not fit."""
    return Verdict.failed(judge, None, FailureKind.BAD_INPUT, f"Line {row.line}: {row.reason}")


ENGINES: Shelf[EngineKind] = Shelf("core.engines", "engine")
