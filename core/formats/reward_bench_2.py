"""RewardBench 2 (arXiv 2506.01937): one or more right answers to a prompt among wrong ones.

    {"id":"ref:3","subset":"Ties","prompt":"Name a primary colour.","chosen":["Red","Blue"],"rejected":["Brown"],
     "num_correct":2,"total_completions":3}

A row with m chosen and n rejected texts becomes max(m, n) pairs in which every text occurs, a chosen one always first.
All pairs of a row have its `group`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from core.errors import BadInput
from core.formats import BadRow, LabelledPair
from core.formats._fields import id_of, text_content, text_of
from core.formats._rows import SUFFIXES, Object, read_pairs
from core.modalities import Limits
from core.nouns import Content, Preference, PreferencePair, Response, Task


class RewardBench2:
    title = "RewardBench 2: prompt, right and wrong answers"
    suffixes = SUFFIXES

    def read(self, path: Path, limits: Limits) -> Iterator[LabelledPair | BadRow]:
        """Every row in order, as its pairs. Raises BadInput where the file as a whole cannot be read."""
        return read_pairs(path, partial(_pairs, limits=limits))


def _pairs(line: int, row: Object, *, limits: Limits) -> list[LabelledPair]:
    name, prompt, subset = id_of(row), text_of(row, "prompt"), text_of(row, "subset")
    chosen, rejected = answers(row, limits)
    return [
        LabelledPair(
            line=line,
            pair=PreferencePair(
                id=f"{name}#{place + 1}",
                task=Task.T2T,
                prompt=prompt,
                first=Response(content=chosen[place % len(chosen)]),
                second=Response(content=rejected[place % len(rejected)]),
            ),
            label=Preference.FIRST,
            subset=subset,
            group=name,
        )
        for place in range(max(len(chosen), len(rejected)))
    ]


def answers(row: Object, limits: Limits) -> tuple[list[Content], list[Content]]:
    """The right and the wrong answers of a row, at least one of each. Raises BadInput."""
    chosen, rejected = (_texts(row, key, limits) for key in ("chosen", "rejected"))
    for key, count in (("num_correct", len(chosen)), ("total_completions", len(chosen) + len(rejected))):
        if row.get(key) is not None and row[key] != count:
            raise BadInput(f"{key} is {str(row[key])[:40]}, but there are {count} texts; one of them is wrong.")
    return chosen, rejected


def _texts(row: Object, key: str, limits: Limits) -> list[Content]:
    texts = row.get(key)
    if not isinstance(texts, list) or not texts:
        raise BadInput(f"{key!r} is not a list of texts with at least one in it.")
    return [text_content(text, key, limits) for text in texts]


PLUG = RewardBench2()
