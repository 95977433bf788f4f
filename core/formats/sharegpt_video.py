"""Two answers to a question about a video: ShareGPT-Video as Omni-RRM has it, and ShareGPTVideo's own DPO rows.

    {"id":"video1026_0","video":"/path/to/resource","query":"What is the man cooking?","answer_a":"An omelette.",
     "answer_b":"Soup.","score_diff":2.0,"label":0}
    {"id":"a_1","video":"a","prompt":"<video>\\nWhat is the man cooking?","chosen":"An omelette.","rejected":"Soup."}

The first is what Omni-RRM released (arXiv 2602.00846): `label` is 0 where answer_a is better, and in place of each path
there stands a word. Its id begins with the video's own name in MSR-VTT, by which it is found here. The second is a row
of LLaVA-Hound-DPO (Zhang et al. 2024, arXiv 2404.01258), by the keys that its training script reads.

A video is a file, or a folder of its frames as ShareGPTVideo publishes them (one frame a second, JPEGs whose names sort
by time). It lies beside the list or in `msrvtt`, `video_data/test/msrvtt` or `train_300k`, as the archives unpack.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from core.errors import BadInput
from core.formats import BadRow, LabelledPair
from core.formats._fields import file_content, id_of, text_content, text_of
from core.formats._frames import film_content
from core.formats._omni_rrm import LEFT_OUT, label_of
from core.formats._rows import SUFFIXES, Object, read_pairs
from core.modalities import MODALITIES, Limits
from core.nouns import Content, Modality, Preference, PreferencePair, Response, Task

PLACES = ("msrvtt", "video_data/test/msrvtt", "train_300k", ".")


class ShareGPTVideo:
    title = "ShareGPT-Video: two answers about a video"
    suffixes = SUFFIXES

    def read(self, path: Path, limits: Limits) -> Iterator[LabelledPair | BadRow]:
        """Every row in order. Raises BadInput where the file as a whole cannot be read."""
        return read_pairs(path, partial(_pairs, folder=path.absolute().parent.resolve(), limits=limits))


def _pairs(line: int, row: Object, *, folder: Path, limits: Limits) -> list[LabelledPair]:
    own = "chosen" in row or "rejected" in row
    question, first, second = ("prompt", "chosen", "rejected") if own else ("query", "answer_a", "answer_b")
    pair = PreferencePair(
        id=id_of(row),
        task=Task.TV2T,
        prompt=text_of(row, question).replace("<video>", "").strip(),
        context=_video(row, folder, limits),
        first=Response(content=text_content(text_of(row, first), first, limits)),
        second=Response(content=text_content(text_of(row, second), second, limits)),
    )
    label = Preference.FIRST if own else label_of(row)
    return [LabelledPair(line=line, pair=pair, label=label, subset="dpo" if own else "msrvtt")]


def _video(row: Object, folder: Path, limits: Limits) -> Content:
    """The video that the row names, or that its id names where the release left the path out."""
    named = text_of(row, "video")
    if named == LEFT_OUT:
        named = id_of(row).rpartition("_")[0]
    if not named.strip():
        raise BadInput("The row names no video, neither in 'video' nor at the beginning of its id (video1026_0).")
    found = _found(named, folder)
    if found and (folder / found).is_dir():
        return film_content(found, "video", folder, limits)
    if found or Path(named).is_absolute() or "://" in named:
        return file_content(found or named, "video", Modality.VIDEO, folder, limits)
    raise BadInput(
        f"The video {named[:80]!r} is not there, neither as a file nor as a folder of frames; put it beside this list "
        f"or into {' or '.join(PLACES[:-1])}."
    )


def _found(named: str, folder: Path) -> str:
    """The name below the first place that has it, with the suffix that it has there; empty where none has it."""
    spelt = (f"{place}/{named}{suffix}" for place in PLACES for suffix in ("", *MODALITIES[Modality.VIDEO].suffixes))
    return "" if Path(named).is_absolute() else next((one for one in spelt if _is_there(folder / one)), "")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError, RuntimeError):
        return False  # a name that no file can have, or links in a circle


PLUG = ShareGPTVideo()
