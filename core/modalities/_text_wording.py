"""Readability, vocabulary and cohesion of a text, and the signs inside its sentences."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from itertools import pairwise

from core.modalities._text_lexicon import log_rate
from core.modalities._text_reading import ENGLISH, Reading
from core.modalities._text_words import CLASSES, frequency_class

_QUOTED = re.compile(r"[\"“«][^\"“”«»\n]{2,400}[\"”»]")
_ASIDE = re.compile(r"[(\[]| [–—-] |—")
_VOWELS = re.compile(r"[aeiouy]+")
_RHYME = re.compile(r"[aeiouy]+[^aeiouy]*e?$")


def measure(reading: Reading) -> dict[str, float]:
    return _readability(reading) | _signs(reading)


@lru_cache(maxsize=65536)
def syllables(word: str) -> int:
    """Vowel groups of a lower-case English word, a silent last e left out; at least one."""
    groups = len(_VOWELS.findall(word))
    if groups > 1 and word.endswith("e") and not word.endswith(("le", "ee", "ye")):
        groups -= 1
    if groups > 1 and word.endswith("ed") and word[-3:-2] not in ("t", "d"):
        groups -= 1
    return max(1, groups)


def _readability(reading: Reading) -> dict[str, float]:
    counts = {word: count for word, count in reading.counts.items() if word[0].isalpha()}
    total = sum(counts.values())
    if not total:
        return {}
    values = {"word_length": sum(min(len(word), 30) * count for word, count in counts.items()) / total}
    if reading.script in ("LATIN", "CYRILLIC", "GREEK"):
        values["long_words"] = sum(count for word, count in counts.items() if len(word) > 6) / total
    if not reading.english:
        return values
    mean_syllables = sum(syllables(word) * count for word, count in counts.items()) / total
    values["syllables"] = min(mean_syllables, 6.0)
    mean_sentence = total / max(1, len(reading.sentence_words))
    values["reading_ease"] = min(120.0, max(-50.0, 206.835 - 1.015 * mean_sentence - 84.6 * mean_syllables))
    values["density"] = sum(count for word, count in counts.items() if word not in ENGLISH) / total
    classes = [
        (frequency_class(word), count) for word, count in counts.items() if word not in ENGLISH and word.isascii()
    ]
    listed = [(number, count) for number, count in classes if number < CLASSES]
    if listed:
        known = sum(count for _, count in listed)
        values["word_rarity"] = sum(number * count for number, count in listed) / known
        values["rare_words"] = sum(count for number, count in listed if number >= 6) / known
    return values


def _signs(reading: Reading) -> dict[str, float]:
    words = len(reading.words)
    values = {
        "commas": log_rate(sum(map(reading.plain.count, ",;，、；،")), words),
        "asides": log_rate(len(_ASIDE.findall(reading.plain)), words),
        "quotes": math.sqrt(
            min(1.0, sum(len(found) for found in _QUOTED.findall(reading.text)) / max(1, len(reading.text)))
        ),
    }
    from_sentence = [{word for word in words_ if word not in ENGLISH} for words_ in reading.sentence_words]
    overlaps = [len(one & two) / min(len(one), len(two)) for one, two in pairwise(from_sentence) if one and two]
    if overlaps:
        values["cohesion"] = sum(overlaps) / len(overlaps)
    ends = [found.group() for line in reading.lines if (found := _line_end(line))]
    if reading.english and len(ends) >= 2:
        hits = sum(end in ends[max(0, at - 3) : at] for at, end in enumerate(ends))
        values["rhyme"] = hits / (len(ends) - 1)
    return values


def _line_end(line: str) -> re.Match[str] | None:
    """The rhyming part of a line's last word; lines that end in a list item's colon or a number have none."""
    word = line[-24:].rstrip(".,;:!?\"'”’)*_- ").rsplit(None, 1)
    return _RHYME.search(word[-1].lower()) if word and word[-1].isalpha() and word[-1].isascii() else None
