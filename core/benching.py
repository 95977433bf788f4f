"""One judge on one bench: items in, verdicts out as they come, going on where a run was stopped.

A job or a command is these calls:

    read = read_bench(settings, folder, limits)
    for outcome in run(read.items, judge, measure, settings, done):
        keep(outcome.key, outcome.verdict)
    result = result_of(settings, read, outcomes_of(read.items, verdicts_by_key))
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from pydantic import Field

from core.bench_metrics import Outcome, Summary
from core.benches import BENCHES, BenchItem
from core.errors import BadInput
from core.evidence import Measurer
from core.formats import BadRow
from core.judges import Judge
from core.judging import judge_questions
from core.modalities import Limits
from core.nouns import Noun, Verdict


class Order(StrEnum):
    """Which response a judge is shown first."""

    AS_GIVEN = "as given"
    SHUFFLED = "shuffled by the seed"


class RunSettings(Noun):
    """Everything that a run's figures depend on besides the files and the judge's weights."""

    bench: str
    judge: str
    seed: int = Field(default=0, ge=0, description="Draws the sides, the sample and the bootstrap.")
    order: Order = Field(default=Order.SHUFFLED, description="Which response the judge is shown first.")
    sample: int | None = Field(default=None, ge=1, description="At most so many prompts of each part; all where empty.")
    batch: int = Field(
        default=16, ge=1, le=1024, description="Pairs asked together; the same batches give the same bits."
    )


class BenchRead(Noun):
    """What of a bench is to be judged, in the files' order, and the rows that did not fit."""

    items: tuple[BenchItem, ...]
    bad_rows: tuple[BadRow, ...]


class Result(Noun):
    """The figures of a run, under the settings that they need to be made again."""

    settings: RunSettings
    items: int = Field(ge=0)
    judged: int = Field(ge=0)
    bad_rows: int = Field(ge=0)
    summaries: tuple[Summary, ...]


def read_bench(settings: RunSettings, folder: Path | None, limits: Limits) -> BenchRead:
    """The bench's items in `folder`, or in the one that ships with the program where None, as the settings sample them.

    Raises NotFound where there is no such bench, and BadInput where the folder does not hold it.
    """
    bench = BENCHES[settings.bench]
    folder = folder or bench.shipped
    if folder is None:
        at = f" (hf download {bench.hub} --repo-type dataset --local-dir FOLDER)" if bench.hub else ""
        hub = ", or write hub in place of a folder" if bench.hub else ""
        raise BadInput(f"{bench.title} does not come with the program; download it{at} and name its folder{hub}.")
    items, bad_rows = [], []
    for one in bench.items(folder, limits):
        if isinstance(one, BenchItem):
            items.append(one)
        else:
            bad_rows.append(one)
    return BenchRead(items=tuple(_sampled(items, settings)), bad_rows=tuple(bad_rows))


def run(
    items: Sequence[BenchItem],
    judge: Judge,
    measure: Measurer,
    settings: RunSettings,
    done: Collection[str] = (),
) -> Iterator[Outcome]:
    """Judge what is not `done` (keys) and give each verdict as soon as its batch is through, in the item's own order.

    Batches are cut by an item's place among all items. A batch of which a part is done is asked again as a whole, and
    only what was missing is given: a model's last bits may depend on what stands beside a question, and a run that was
    stopped is to give the very verdicts of one that was not. JobCancelled passes through.
    """
    for start in range(0, len(items), settings.batch):
        batch = items[start : start + settings.batch]
        if all(item.key in done for item in batch):
            continue
        exchanged = [shown_exchanged(item.key, settings) for item in batch]
        questions = [
            item.question.model_copy(update={"pair": item.pair.swapped}) if swap else item.question
            for item, swap in zip(batch, exchanged, strict=True)
        ]
        verdicts = judge_questions(judge, questions, measure)
        for item, swap, verdict in zip(batch, exchanged, verdicts, strict=True):
            if item.key not in done:
                yield _outcome(item, _told_back(verdict) if swap else verdict)


def shown_exchanged(key: str, settings: RunSettings) -> bool:
    """Whether a judge is shown this item's second response first: a coin that only the seed and the key decide."""
    return settings.order is Order.SHUFFLED and bool(_drawn(settings.seed, "side", key)[0] & 1)


def outcomes_of(items: Sequence[BenchItem], verdicts: Mapping[str, Verdict]) -> list[Outcome]:
    """Items with the verdicts that were kept of them, by key; items without one are left out."""
    return [_outcome(item, verdicts[item.key]) for item in items if item.key in verdicts]


def result_of(settings: RunSettings, read: BenchRead, outcomes: Sequence[Outcome]) -> Result:
    """The figures, the same bits whatever the order of the outcomes."""
    return Result(
        settings=settings,
        items=len(read.items),
        judged=len(outcomes),
        bad_rows=len(read.bad_rows),
        summaries=BENCHES[settings.bench].summaries(outcomes, settings.seed),
    )


def _outcome(item: BenchItem, verdict: Verdict) -> Outcome:
    return Outcome(
        key=item.key,
        task=item.pair.task,
        subset=item.subset,
        group=item.group,
        label=item.label,
        verdict=verdict,
    )


def _told_back(verdict: Verdict) -> Verdict:
    """A verdict on the exchanged pair told of the pair itself; words cannot be exchanged safely, so they get a note."""
    told = verdict.swapped
    if told.rationale:
        note = "Asked with the responses exchanged: here A is the second response and B the first."
        told = told.model_copy(update={"rationale": f"{note}\n{told.rationale}"})
    return told


def _sampled(items: Sequence[BenchItem], settings: RunSettings) -> list[BenchItem]:
    """Items of at most `sample` prompts of each part, the same ones whatever the order of the rows."""
    if settings.sample is None:
        return list(items)
    prompts: dict[str, set[str]] = defaultdict(set)
    for item in items:
        prompts[item.subset].add(item.group or item.key)
    kept = {
        subset: set(sorted(names, key=lambda name: _drawn(settings.seed, "sample", name))[: settings.sample])
        for subset, names in prompts.items()
    }
    return [item for item in items if (item.group or item.key) in kept[item.subset]]


def _drawn(seed: int, purpose: str, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\x1f{purpose}\x1f{name}".encode()).digest()
