"""What a machine that shares nothing with the studio runs for it: pairs in, whole verdicts out.

    python -m app.remote part/pairs.jsonl verdicts.jsonl --judge starter --batch 16

Unlike the list that `python -m app judge` writes for people, a line is all that a verdict holds, findings included. The
settings come as STUDIO_… like everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from app.backends import runnable_judge
from app.commands import read_settings, told_in_a_sentence
from core.engines import judge_rows
from core.evidence import Measuring
from core.formats import FORMATS
from core.judges import Judge
from core.modalities import Limits


def judge_part(pairs: Path, out: Path, judge: Judge, batch: int, limits: Limits) -> int:
    """Write a verdict for each row of `pairs` (preference_jsonl), in order; returns how many."""
    measure, written = Measuring(limits), 0
    rows: Iterator = FORMATS["preference_jsonl"].read(pairs, limits)
    with open(out, "w", encoding="utf-8", newline="\n") as file:
        while some := list(islice(rows, batch)):
            verdicts = judge_rows(judge, some, measure)
            file.writelines(verdict.model_dump_json(ensure_ascii=True) + "\n" for verdict in verdicts)
            written += len(verdicts)
    return written


def main(
    pairs: Path,
    out: Path,
    judge: Annotated[str, typer.Option("--judge", help="Name of a judge.")],
    batch: Annotated[int, typer.Option("--batch", min=1, help="Rows that the judge is given at once.")] = 16,
) -> None:
    """Judge the pairs of one part."""
    with told_in_a_sentence():
        settings = read_settings()
        count = judge_part(pairs, out, runnable_judge(judge, settings), batch, settings.limits)
    typer.echo(f"{count} verdicts.", err=True)


if __name__ == "__main__":
    typer.run(main)
