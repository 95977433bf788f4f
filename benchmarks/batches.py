"""How many pairs a second the starter judges in batches of 64 against one at a time, by modality, in one run.

    make benchmark-batches
    make benchmark-batches ARGS="image --rounds 5"

"measured before" is judging alone, every value already known, as when pairs are judged again under another criterion;
"from the files" is decoding, measuring and judging. Small files, so that the judge itself shows. Memory is the peak of
the process so far.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import media
from benchmarks.judge_speed import TASKS, contents, timed
from core.evidence import Measuring
from core.judges import JUDGES, Judge
from core.judging import judge_questions
from core.nouns import Modality, PreferencePair, Question, Response

BATCH = 64
CRITERIA = ("Prefer the cleaner one.", "the darker, moodier version", "not so loud", "smoother", "keep it short", None)
MAKE: dict[Modality, Callable[[Path, int], object]] = {
    Modality.TEXT: lambda folder, seed: media.text(120, seed),
    Modality.IMAGE: lambda folder, seed: media.image_file(folder / f"{seed}.jpg", seed, 512, 384),
    Modality.AUDIO: lambda folder, seed: media.audio_file(folder / f"{seed}.wav", seed, 3.0),
    Modality.VIDEO: lambda folder, seed: media.video_file(folder / f"{seed}.mp4", seed, 1.0, 320, 240),
    Modality.MESH: lambda folder, seed: media.mesh_file(folder / f"{seed}.ply", seed, 50),
}


class Kept:
    """Evidence that has been measured, by key."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, float]] = {}

    def get(self, key: str) -> dict[str, float] | None:
        return self.values.get(key)

    def put(self, key: str, values: dict[str, float]) -> None:
        self.values[key] = values


def questions_of(modality: Modality, folder: Path) -> list[Question]:
    """A batch of pairs of sixteen files, so that no two pairs are the same."""
    found = contents(modality, [MAKE[modality](folder, seed) for seed in range(16)])
    pairs = [(a, b) for a in found for b in found if a.sha256 != b.sha256][::3][:BATCH]
    return [
        Question(
            pair=PreferencePair(task=TASKS[modality], first=Response(content=a), second=Response(content=b)),
            criterion=CRITERIA[place % len(CRITERIA)],
        )
        for place, (a, b) in enumerate(pairs)
    ]


def one_by_one(judge: Judge, questions: list[Question], measuring: Callable[[], Measuring]) -> None:
    for question in questions:
        judge_questions(judge, [question], measuring())


def peak() -> float:
    """Peak resident memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modality", nargs="*", help="only these: text image audio video mesh")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    judge = JUDGES["starter"].load()
    print(f"{'pairs a second':<12}{'one':>12}{'batch of 64':>14}{'ratio':>8}{'one':>12}{'batch':>10}{'ratio':>8}")  # noqa: T201
    print(f"{'':<14}{'measured before':>32}{'from the files':>30}{'peak memory':>14}")  # noqa: T201
    for modality in Modality:
        if options.modality and modality.value not in options.modality:
            continue
        with tempfile.TemporaryDirectory() as folder:
            questions, kept = questions_of(modality, Path(folder)), Kept()
            judge_questions(judge, questions, Measuring(cache=kept))  # the first time pays for imports
            cells = []
            for measuring in (lambda: Measuring(cache=kept), Measuring):  # noqa: B023
                rounds = []
                for _ in range(options.rounds):
                    alone = timed(lambda: one_by_one(judge, questions, measuring))  # noqa: B023
                    together = timed(lambda: judge_questions(judge, questions, measuring()))  # noqa: B023
                    rounds.append((alone, together))
                one, batch = (len(questions) / statistics.median(column) for column in zip(*rounds, strict=True))
                cells.append(f"{one:>12.1f}{batch:>12.1f}{batch / one:>8.2f}")
        print(f"{modality.label:<14}{''.join(cells)}{peak():>11.0f} MB")  # noqa: T201


if __name__ == "__main__":
    started = time.perf_counter()
    main()
    print(f"{time.perf_counter() - started:.0f} s in all")  # noqa: T201
