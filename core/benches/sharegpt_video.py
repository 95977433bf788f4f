"""ShareGPT-Video: 2,000 pairs of answers to questions about MSR-VTT videos, as Omni-RRM evaluates on it.

A folder with the released list, and the videos as MSR-VTT has them or as ShareGPTVideo's folders of frames:

    top2000_diff2_correct_label.jsonl
    msrvtt/video1026.mp4   or   msrvtt/video1026/c01_0001.jpeg …
    {"id":"video1026_0","video":"/path/to/resource","query":"What is the man cooking?","answer_a":"An omelette.",
     "answer_b":"Soup.","score_diff":2.0,"label":0}

Known from the release (github.com/tmfk418/Omni-RRM, inference): the rows, and that its script leaves answers of
"equal" and answers that cannot be read out, which is *over answered* here; a judge without rewards that says "tie" is
wrong here. The paths are taken out of the released rows; that an id names the MSR-VTT video is read off the ids. Not
known: how the pairs were chosen from ShareGPTVideo's scored answers beyond the name of the file (a score two apart),
and whether the figures are of videos or of frames. Every released label that was looked at is 0, so leave the sides
shuffled. Source: Omni-RRM, arXiv 2602.00846; ShareGPTVideo: Zhang et al. 2024, arXiv 2404.01258.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.bench_metrics import Outcome, Summary, Ties, counted_parts, pooled
from core.benches import BenchItem, files_in, items_of
from core.formats import FORMATS, BadRow
from core.modalities import Limits
from core.nouns import Task


class ShareGPTVideoBench:
    title = "ShareGPT-Video"
    about = "Answers to questions about a video."
    source = "Omni-RRM, arXiv 2602.00846; Zhang et al. 2024, arXiv 2404.01258"
    hub = None
    tasks = (Task.TV2T,)
    shipped = None

    def items(self, folder: Path, limits: Limits) -> Iterator[BenchItem | BadRow]:
        taken: Counter[str] = Counter()
        for path in files_in(folder, "top2000*.json*"):
            yield from items_of(FORMATS["sharegpt_video"].read(path, limits), taken)

    def summaries(self, outcomes: Sequence[Outcome], seed: int) -> tuple[Summary, ...]:
        parts = counted_parts(outcomes, Ties.WITHOUT)
        return (
            Summary(ties=Ties.WITHOUT, parts=tuple(one.part for one in parts), overall=(pooled("overall", parts),)),
        )


PLUG = ShareGPTVideoBench()
