"""Words and phrases that mark a manner of writing in English, and the function words of ten languages."""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from pathlib import Path

_LISTS = tomllib.loads(Path(__file__).with_name("_text_lexicon.toml").read_text(encoding="utf-8"))

STOPWORDS: dict[str, frozenset[str]] = {
    language: frozenset(words.split()) for language, words in _LISTS["stopwords"].items()
}
WORDS: dict[str, frozenset[str]] = {name: frozenset(words.split()) for name, words in _LISTS["words"].items()}

MARKERS: tuple[str, ...] = tuple(_LISTS["markers"])


def _phrases(text: str) -> set[tuple[str, ...]]:
    return {tuple(phrase.replace(".", " ").split()) for phrase in text.split(",") if phrase.strip()}


# first word -> the rest of each phrase that starts with it, and its marker
_STARTS: dict[str, list[tuple[tuple[str, ...], str]]] = {}
for _marker, _text in _LISTS["markers"].items():
    for _first, *_rest in sorted(_phrases(_text)):
        _STARTS.setdefault(_first, []).append((tuple(_rest), _marker))


def count_markers(words: list[str]) -> Counter[str]:
    """How often each marker's words and phrases occur in lower-case words; one pass over all phrases."""
    found: Counter[str] = Counter()
    for at, word in enumerate(words):
        for rest, marker in _STARTS.get(word, ()):
            if not rest or tuple(words[at + 1 : at + 1 + len(rest)]) == rest:
                found[marker] += 1
    return found


def log_rate(count: float, words: int) -> float:
    """log₂(1 + occurrences per 100 words); a text below 20 words is taken as 20, so that one word does not shout."""
    return math.log2(1.0 + 100.0 * count / max(words, 20))
