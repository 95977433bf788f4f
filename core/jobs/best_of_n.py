"""A judge chooses among several responses to each prompt, whose quality is known: how good its choice is, the more
there are to choose from, between a choice at random and the best there is. It is what Omni-RRM's judge is used for
(Best-of-N, arXiv 2602.00846).

In the job's folder lies at the end result.json, the curve. A prompt of which any verdict failed is not answered: it is
counted, and stands in no line of the curve.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from enum import StrEnum
from itertools import islice
from pathlib import Path

from pydantic import Field

from core.candidates import read_groups
from core.choosing import Point, curve
from core.errors import BadInput
from core.evidence import Measuring
from core.formats import BadRow
from core.jobs import Estimate, JobTools, JudgeName, Progress, Report
from core.jobs._asking import Asking
from core.jobs._choosing import Keyed, by_knockout, by_rewards
from core.judging import judge_questions
from core.modalities import Limits
from core.nouns import Noun

RESULT = "result.json"
TRIED = 4  # questions of a dry run
CURVE = "quality of the best of n"


class Way(StrEnum):
    """How the judge chooses."""

    REWARDS = "rewards"
    KNOCKOUT = "knockout"


class BestOfNSpec(Noun):
    """What `best_of_n` is asked to do."""

    source: str = Field(
        min_length=1,
        json_schema_extra={"path": True},
        description="A file with an object a line: id, task, prompt, criterion and candidates, each of them with "
        "content and quality; or RewardBench 2 as downloaded.",
    )
    judge: JudgeName = Field("starter", description="The judge that chooses.")
    way: Way = Field(
        Way.REWARDS,
        description="rewards: the highest is chosen, for judges that reward every response by itself. knockout: in a "
        "random order, the one that holds is compared with the next in both orders and stays where they tie.",
    )
    draws: int = Field(1, ge=1, le=64, description="Random orders of each prompt's candidates, for knockouts.")
    limit: int | None = Field(None, ge=1, description="Only so many prompts from the beginning; all where empty.")
    seed: int = Field(0, ge=0, description="Draws the orders and the intervals.")
    batch: int = Field(16, ge=1, le=1024, description="Pairs that the judge is given at once.")


class Selection(Noun):
    """The curve of a run. `compared` counts pairs of candidates in the answered prompts that the judge told apart or
    not, `ties` those that it did not; `failures` are verdicts that failed."""

    settings: BestOfNSpec
    prompts: int = Field(ge=0)
    answered: int = Field(ge=0)
    bad_rows: int = Field(ge=0)
    compared: int = Field(ge=0)
    ties: int = Field(ge=0)
    failures: int = Field(ge=0)
    points: tuple[Point, ...]


class BestOfN:
    title = "Best of N"
    about = "A judge chooses among several responses to each prompt; how good its choice is, the more there are."
    Spec = BestOfNSpec

    def subject(self, spec: BestOfNSpec) -> str:
        return f"{spec.judge} on {spec.source.rsplit('/', 1)[-1]}"

    def run(self, spec: BestOfNSpec, tools: JobTools, out_dir: Path, report: Report) -> None:
        """Judge what has not been judged, and draw the curve. Raises BadInput where there is nothing to choose from, or
        where the judge gives no rewards and has to."""
        groups, bad_rows = read(spec, tools.limits)
        asking = Asking(tools, report, spec.batch, total=sum(_questions(len(g.candidates), spec) for _, g in groups))
        asking.say("Loading the judge")
        with tools.judge(spec.judge) as judge:
            asking.say("Judging")
            found = (
                by_rewards(groups, judge, asking)
                if spec.way is Way.REWARDS
                else by_knockout(groups, spec.draws, spec.seed, judge, asking)
            )
            made = [one for one in found if one is not None]
        selection = Selection(
            settings=spec,
            prompts=len(groups),
            answered=len(made),
            bad_rows=bad_rows,
            compared=sum(one.compared for one in made),
            ties=sum(one.ties for one in made),
            failures=sum(verdict.failure is not None for verdict in asking.verdicts.values()),
            points=curve([one.chosen for one in made], spec.seed),
        )
        part = out_dir / f"{RESULT}.part"
        part.write_text(selection.model_dump_json(indent=2) + "\n", encoding="utf-8")
        os.replace(part, out_dir / RESULT)
        _tell(selection, asking, report)

    def estimate(self, spec: BestOfNSpec, tools: JobTools) -> Estimate:
        """Loads the judge, judges a pair of each of the first prompts, and counts all."""
        began = time.perf_counter()
        groups, _ = read(spec, tools.limits)
        total = sum(_questions(len(group.candidates), spec) for _, group in groups)
        some = [group.question(0, 1) for _, group in groups[:TRIED]]
        with tools.judge(spec.judge) as judge:
            # the first call also pays for what is done only once
            judge_questions(judge, some[:1], tools.measure)
            loaded = time.perf_counter()
            # from the files, whatever a cache knows of them already
            judge_questions(judge, some, Measuring(tools.limits))
            each = (time.perf_counter() - loaded) / len(some)
        return Estimate(
            seconds=loaded - began + each * total,
            says=f"{len(groups)} prompts, at most {total} verdicts, {each:.2g} s each by the first {len(some)}.",
        )


def read(spec: BestOfNSpec, limits: Limits) -> tuple[list[Keyed], int]:
    """The prompts with a key of their own each, and how many rows did not fit. Raises BadInput where none did."""
    groups: list[Keyed] = []
    seen: Counter[str] = Counter()
    bad: list[BadRow] = []
    for row in islice(read_groups(Path(spec.source), limits), spec.limit):
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        seen[row.id] += 1
        groups.append((row.id if seen[row.id] == 1 else f"{row.id}~{seen[row.id]}", row))
    if not groups:
        why = f" Line {bad[0].line}: {bad[0].reason}" if bad else ""
        raise BadInput(f"There are no candidates in {Path(spec.source).name!r} to choose from.{why}")
    return groups, len(bad)


def _questions(candidates: int, spec: BestOfNSpec) -> int:
    """How many verdicts a prompt takes at most."""
    if spec.way is Way.REWARDS:
        return -(-candidates // 2)
    return 2 * min(spec.draws * (candidates - 1), candidates * (candidates - 1) // 2)


# -- what is told ---------------------------------------------------------------------------------------------------


def _tell(selection: Selection, asking: Asking, report: Report) -> None:
    """The curve over n, then what is told once."""
    for point in selection.points:
        metrics = {
            f"{CURVE}/judge": point.judge.value,
            f"{CURVE}/judge low": point.judge.low if point.judge.low is not None else point.judge.value,
            f"{CURVE}/judge high": point.judge.high if point.judge.high is not None else point.judge.value,
            f"{CURVE}/random": point.random.value,
            f"{CURVE}/oracle": point.oracle.value,
        }
        # where prompts have unlike numbers of candidates, each n stands on others of them
        if selection.points[-1].judge.of < selection.points[0].judge.of:
            metrics["prompts with n candidates"] = point.judge.of
        report(Progress(done=point.n, message="Counting", metrics=metrics))
    once: dict[str, float] = {
        "prompts answered, %": 100 * selection.answered / selection.prompts,
        "failed verdicts": selection.failures,
        "rows that did not fit": selection.bad_rows,
    }
    if selection.compared:
        once["ties, %"] = 100 * selection.ties / selection.compared
    report(Progress(done=asking.total, total=asking.total, message="All judged", metrics=once))


PLUG = BestOfN()
