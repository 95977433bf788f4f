"""The engine `local`: the job's own process judges, one batch after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from core.engines import Engine, Judging, KeyedRow, KeyedVerdict, judge_rows
from core.errors import BadInput
from core.evidence import Measurer
from core.jobs import JobTools
from core.judges import Judge


class LocalEngine:
    """A judge in this process."""

    def __init__(self, judge: Judge, batch: int, measure: Measurer) -> None:
        self.judge, self.batch, self.measure = judge, batch, measure

    def judged(self, rows: Iterator[KeyedRow]) -> Iterator[list[KeyedVerdict]]:
        """A batch at a time, in order."""
        while part := list(islice(rows, self.batch)):
            verdicts = judge_rows(self.judge, [row for _, row in part], self.measure)
            yield [(key, verdict) for (key, _), verdict in zip(part, verdicts, strict=True)]


class LocalKind:
    title = "This machine"
    free = True

    @contextmanager
    def opened(self, address: str, asked: Judging, tools: JobTools, measure: Measurer) -> Iterator[Engine]:
        if address:
            raise BadInput(f"The engine local is this machine and takes no address such as {address!r}.")
        with tools.judge(asked.judge) as judge:
            yield LocalEngine(judge, asked.batch, measure)


PLUG = LocalKind()
