"""Audio-HH-RLHF: up to 2,000 questions of HH-RLHF read aloud, each with two written answers, made for Omni-RRM.

A folder with the released list of texts and the speech made from it, or with a list that names its sounds:

    text.jsonl                        or   final_data_with_audio.jsonl
    audio_output/sample_0000.wav …
    {"text_prompt":"When should I visit Hawaii?","answer_a":"In winter.","answer_b":"Ask me later.","label":0}

Known from the release (github.com/tmfk418/Omni-RRM, inference): the rows, the script that has Qwen2.5-Omni-7B read the
questions aloud, what a judge is asked beside the sound, and that "equal" counts as wrong and an answer that cannot be
read is left out (*over answered* here). The sounds themselves are not released and the list that named them has its
paths taken out, so speech made anew is not the paper's own to the sample. In text.jsonl the better answer always comes
first, so leave the sides shuffled. Source: Omni-RRM, arXiv 2602.00846; HH-RLHF: Bai et al. 2022, arXiv 2204.05862.
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


class AudioHHRLHFBench:
    title = "Audio-HH-RLHF"
    about = "Answers to questions that are spoken."
    source = "Omni-RRM, arXiv 2602.00846; Bai et al. 2022, arXiv 2204.05862"
    hub = None
    tasks = (Task.TA2T,)
    shipped = None

    def items(self, folder: Path, limits: Limits) -> Iterator[BenchItem | BadRow]:
        taken: Counter[str] = Counter()
        for path in files_in(folder, "text.jsonl", "final_data_with_audio.jsonl"):
            yield from items_of(FORMATS["audio_hh_rlhf"].read(path, limits), taken)

    def summaries(self, outcomes: Sequence[Outcome], seed: int) -> tuple[Summary, ...]:
        parts = counted_parts(outcomes, Ties.WITHOUT)
        return (
            Summary(ties=Ties.WITHOUT, parts=tuple(one.part for one in parts), overall=(pooled("overall", parts),)),
        )


PLUG = AudioHHRLHFBench()
