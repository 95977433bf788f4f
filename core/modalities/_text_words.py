"""English words by frequency, and how much a string of letters looks like one."""

from __future__ import annotations

import lzma
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.modalities._text_lexicon import WORDS

CLASSES = 8  # of frequency, 0 the commonest; the ninth line of the file holds names
FILE = Path(__file__).with_name("_text_words.xz")
_FRONT_CODED = re.compile(r"([A-Z])([a-z]*)")


_PREFIXES = (
    "un", "re", "non", "pre", "post", "over", "under", "out", "mis", "dis", "in", "im", "co", "anti", "super", "sub",
    "multi",
    "inter", "micro", "macro", "bio", "eco", "cyber", "geo", "neuro", "photo", "hyper", "ultra", "semi", "self", "mega",
    "auto", "electro", "tele", "trans", "counter",
)  # fmt: skip
_SUFFIXES = (
    ("ness", ""), ("iness", "y"), ("less", ""), ("ful", ""), ("ly", ""), ("ily", "y"), ("able", ""), ("able", "e"),
    ("ability", "able"), ("ability", ""), ("ization", "ize"), ("isation", "ise"), ("ised", "ise"), ("izing", "ize"),
    ("ising", "ise"), ("ism", ""), ("ist", ""), ("ists", ""), ("ity", ""), ("ality", "al"), ("like", ""), ("wise", ""),
    ("ship", ""), ("s", ""), ("es", ""), ("ed", ""), ("ed", "e"), ("ing", ""), ("ing", "e"), ("er", ""), ("er", "e"),
    ("ers", ""), ("ers", "e"), ("ally", ""), ("ic", ""), ("ish", ""), ("y", ""), ("fold", ""), ("hood", ""),
)  # fmt: skip


@dataclass(frozen=True)
class _Lists:
    classes: dict[str, int]
    names: frozenset[str]
    trigrams: list[float]


@lru_cache(maxsize=1)
def _lists() -> _Lists:
    """Read the file once, on first use: each word is its common prefix with the word before (A = 0) and the rest."""
    lines = lzma.decompress(FILE.read_bytes()).decode("ascii").split("\n")
    decoded: list[list[str]] = []
    for line in lines:
        words, before = [], ""
        for shared, rest in _FRONT_CODED.findall(line):
            before = before[: ord(shared) - 65] + rest
            words.append(before)
        decoded.append(words)
    classes = {word: number for number, words in enumerate(decoded[:CLASSES]) for word in words}
    # words of the last years and of the net, that the list is too old for
    for word in WORDS["recent"]:
        classes.setdefault(word, 5)
    return _Lists(classes, frozenset(decoded[CLASSES]), _trigram_scores(decoded[:CLASSES]))


def _trigram_scores(by_class: list[list[str]]) -> list[float]:
    """log₂ P(third letter | two before) over 27 signs (0 = border), 19,683 values, smoothed by one in a hundred."""
    counts = np.full(27**3, 0.01)
    for number, words in enumerate(by_class):
        letters = np.frombuffer(("``" + "``".join(words) + "``").encode("ascii"), np.uint8).astype(np.int64) - 96
        at = (letters[:-2] * 27 + letters[1:-1]) * 27 + letters[2:]
        # a commoner word shapes the expectation more, but not by its full frequency
        counts += np.bincount(at, minlength=27**3) * (CLASSES - number)
    table = counts.reshape(27, 27, 27)
    return np.log2(table / table.sum(axis=2, keepdims=True)).ravel().tolist()


@lru_cache(maxsize=65536)
def frequency_class(word: str) -> int:
    """0 (commonest) to 7 of a lower-case word; 8 where neither it nor what it is built from is in the list."""
    classes = _lists().classes
    known = classes.get(word)
    if known is not None:
        return known
    if "'" in word:
        # can't: ca + n't and can + 't
        stems = (word.removesuffix("n't"), word.split("'", 1)[0])
        return min(classes.get(stem, CLASSES) for stem in stems)
    if len(word) < 5 or len(word) > 40:
        return CLASSES
    for suffix, instead in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            stem = word[: -len(suffix)] + instead
            if stem in classes and len(stem) >= 4:
                return 7
    for prefix in _PREFIXES:
        rest = word[len(prefix) :]
        if word.startswith(prefix) and len(rest) >= 4 and classes.get(rest, CLASSES) <= 6:
            return 7
    for cut in range(4, len(word) - 3):
        # compounds of two everyday words
        if classes.get(word[:cut], CLASSES) <= 5 and classes.get(word[cut:], CLASSES) <= 5:
            return 7
    return CLASSES


def is_name(word: str) -> bool:
    """Whether a lower-cased word is a name of people, places, months, …, and no ordinary word."""
    return word in _lists().names


@lru_cache(maxsize=65536)
def wordlikeness(word: str) -> float:
    """Mean log₂ probability of a letter after the two before it, of a lower-case a–z word and its end: about −3."""
    scores = _lists().trigrams
    before, last, total = 0, 0, 0.0
    for letter in word:
        code = ord(letter) - 96
        total += scores[(before * 27 + last) * 27 + code]
        before, last = last, code
    total += scores[(before * 27 + last) * 27]
    return total / (len(word) + 1)
