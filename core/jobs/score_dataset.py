"""A judge over any number of pairs, labelled or not. Each verdict is kept at once: what was judged stays judged.

The judge stands in this process, or on an engine (`core.engines`). Several jobs may share a list: with `shards=4`,
shard 1 judges rows 1, 5, 9, …, shard 2 rows 2, 6, 10, …
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from core.engines import ENGINES, Engine, KeyedRow
from core.errors import BadInput
from core.evidence import Measurer, Measuring
from core.jobs import Estimate, ItemJudged, JobTools, JudgeName, Progress, Report, Source, keyed
from core.nouns import Noun

TRIED = 4  # rows of a dry run


class ScoreSpec(Noun):
    """What `score_dataset` is asked to do."""

    source: Source = "examples"
    judge: JudgeName = Field("starter", description="The judge that is asked.")
    limit: int | None = Field(None, ge=1, description="Only so many rows from the beginning; all where empty.")
    batch: int = Field(16, ge=1, le=1024, description="Rows that the judge is given at once.")
    engine: str = Field(
        "local",
        json_schema_extra={"shelf": "engines"},
        description="Where the judge stands: local, this job's own process; ray, workers on this machine; "
        "ray:HOST:PORT or ray:auto, a Ray cluster that is there; hf_jobs:OWNER/NAME@FLAVOR, machines of Hugging Face "
        "Jobs, paid by the minute.",
    )
    workers: int = Field(2, ge=1, description="Workers of the engine that judge at once; local is always one.")
    shards: int = Field(1, ge=1, description="Parts that the list is dealt out to, a job each.")
    shard: int = Field(1, ge=1, description="Which of the parts this job judges, from 1.")

    @model_validator(mode="after")
    def _one_of_the_shards(self) -> Self:
        if self.shard > self.shards:
            raise ValueError(f"shard {self.shard} is none of the {self.shards} shards; they count from 1")
        return self

    @model_validator(mode="after")
    def _on_an_engine(self) -> Self:
        if self.engine.partition(":")[0] not in ENGINES:
            raise ValueError(f"there is no engine {self.engine!r}; there are: {', '.join(ENGINES)}")
        return self

    def opened(self, tools: JobTools, measure: Measurer) -> AbstractContextManager[Engine]:
        """The engine that judges for this job."""
        name, _, address = self.engine.partition(":")
        return ENGINES[name].opened(address, self, tools, measure)


class ScoreDataset:
    title = "Judge a dataset"
    about = "One judge over every pair of a file, of the examples, or of what people voted on."
    Spec = ScoreSpec

    def subject(self, spec: ScoreSpec) -> str:
        part = f", part {spec.shard} of {spec.shards}" if spec.shards > 1 else ""
        return f"{spec.judge} on {spec.source.rsplit('/', 1)[-1]}{part}"

    def run(self, spec: ScoreSpec, tools: JobTools, out_dir: Path, report: Report) -> None:
        """Judge every row that has not been judged; a bad row is a failure of its own. Raises BadInput where there is
        nothing to judge."""
        keys, done = [key for key, _ in rows_of(spec, tools)], tools.done()
        if not keys:
            raise BadInput(f"There are no rows in {spec.source!r} to judge; name another source.")
        total, finished = len(keys), sum(key in done for key in keys)
        report(Progress(done=finished, total=total, message="Loading the judge"))
        with spec.opened(tools, tools.measure) as engine:
            report(Progress(done=finished, total=total, message="Judging"))
            left = ((key, row) for key, row in rows_of(spec, tools) if key not in done)
            for part in engine.judged(left):
                for key, verdict in part:
                    report(ItemJudged(key=key, verdict=verdict))
                finished += len(part)
                report(Progress(done=finished, total=total, message="Judging"))
        report(Progress(done=finished, total=total, message="All judged"))

    def estimate(self, spec: ScoreSpec, tools: JobTools) -> Estimate:
        """Loads the judge, judges the first rows on one worker of the engine, and counts all. Raises BadInput where
        that would cost money."""
        name = spec.engine.partition(":")[0]
        if not ENGINES[name].free:
            raise BadInput(
                f"To try the engine {name} out costs money, so no dry run does; add the job with a limit of a few rows."
            )
        began = time.perf_counter()
        total = sum(1 for _ in rows_of(spec, tools))
        some = list(islice(rows_of(spec, tools), TRIED))
        if not some:
            raise BadInput(f"There are no rows in {spec.source!r} to judge; name another source.")
        # from the files, whatever a cache knows of them already
        with spec.model_copy(update={"workers": 1}).opened(tools, Measuring(tools.limits)) as engine:
            # the first call also pays for what is done only once
            list(engine.judged(iter(some[:1])))
            loaded = time.perf_counter()
            list(engine.judged(iter(some)))
            each = (time.perf_counter() - loaded) / len(some)
        workers = 1 if spec.engine == "local" else spec.workers
        shared = f", shared by {workers} workers" if workers > 1 else ""
        return Estimate(
            seconds=loaded - began + each * total / workers,
            says=f"{total} rows, {each:.2g} s each by the first {len(some)}{shared}.",
        )


def rows_of(spec: ScoreSpec, tools: JobTools) -> Iterator[KeyedRow]:
    """The rows that a job of this spec judges, with their keys."""
    return islice(keyed(islice(tools.pairs(spec.source), spec.limit)), spec.shard - 1, None, spec.shards)


PLUG = ScoreDataset()
