"""Length, structure, repetition and finish of a text, and its numbers of sentences, lists and code."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter

from core.modalities._text_lexicon import STOPWORDS, log_rate
from core.modalities._text_reading import Reading

_FENCE = re.compile(r"```")
_SPAN = re.compile(r"`[^`\n]{1,200}`")
_CODE_LINE = re.compile(
    r"(?:def |class |import |from \w++ import|return\b|#include|public |private |var |let |const |function\b|SELECT "
    r"|</?\w++[ >]|\})"
)
_EMPHASIS = re.compile(r"\*\*[^*\n]{1,200}\*\*|(?<![*\w])[*_][^*_\n]{1,200}[*_](?![*\w])")
_LINK = re.compile(r"https?://|www\.|\]\(")
_FORMULA = re.compile(r"[\w)] ?[=+^≤≥≈×÷<>] ?[\w(\\]|\\[a-z]{2,}|[√∑∫∞π]")
# words that no finished sentence ends on
_HANGING = (STOPWORDS["en"] | {"including", "because", "although", "though", "unless"}) - {
    *(
        "it",
        "him",
        "her",
        "them",
        "me",
        "us",
        "you",
        "so",
        "too",
        "there",
        "here",
        "this",
        "that",
        "now",
        "again",
        "well",
    )
}


def measure(reading: Reading) -> dict[str, float]:
    return _length(reading) | _structure(reading) | _repetition(reading) | _end(reading)


def _length(reading: Reading) -> dict[str, float]:
    lengths = [len(words) for words in reading.sentence_words]
    values = {"length": math.log2(1 + len(reading.words)), "sentences": math.log2(1 + len(lengths))}
    if lengths:
        mean = sum(lengths) / len(lengths)
        values["sentence_length"] = math.log2(1 + mean)
        values["longest_sentence"] = math.log2(1 + max(lengths))
        if len(lengths) > 1:
            deviation = math.sqrt(sum((length - mean) ** 2 for length in lengths) / len(lengths))
            values["sentence_rhythm"] = min(3.0, deviation / mean)
    values["paragraphs"] = math.log2(1 + reading.paragraphs)
    values["paragraph_length"] = math.log2(1 + len(reading.words) / max(1, reading.paragraphs))
    values["line_length"] = math.log2(1 + len(reading.words) / max(1, len(reading.lines)))
    return values


def _structure(reading: Reading) -> dict[str, float]:
    lines, words = max(1, len(reading.lines)), len(reading.words)
    return {
        "list_share": len(reading.bullets) / lines,
        "numbered_share": len(reading.numbered) / lines,
        "headings": math.sqrt(len(reading.headings) / lines),
        "emphasis": log_rate(len(_EMPHASIS.findall(reading.text)), words),
        "code_share": math.sqrt(min(1.0, _code_signs(reading) / max(1, len(reading.text)))),
        "tables": sum(line.count("|") >= 2 for line in reading.lines) / lines,
        "links": log_rate(len(_LINK.findall(reading.text)), words),
        "formulas": log_rate(len(_FORMULA.findall(reading.text)), words),
    }


def _code_signs(reading: Reading) -> int:
    """Signs inside fences (an open fence runs to the end), in `spans`, and on lines that look like code."""
    parts = _FENCE.split(reading.text)
    fenced = sum(len(part) for part in parts[1::2])
    if fenced:
        return fenced + sum(len(span) for part in parts[::2] for span in _SPAN.findall(part))
    lines = sum(len(line) for line in reading.lines if _CODE_LINE.match(line) or line.endswith((";", "{", "};", "):")))
    return lines + sum(len(span) for span in _SPAN.findall(reading.text))


def _repetition(reading: Reading) -> dict[str, float]:
    words = reading.words
    values: dict[str, float] = {}
    if len(words) >= 2:
        values["vocabulary"] = _moving_variety(words, 50)
    if len(words) >= 4:
        trigrams = list(zip(words, words[1:], words[2:], strict=False))
        values["repeated_phrases"] = 1.0 - len(set(trigrams)) / len(trigrams)
    sentences = [" ".join(sentence) for sentence in reading.sentence_words]
    if len(sentences) >= 2:
        values["repeated_sentences"] = 1.0 - len(set(sentences)) / len(sentences)
        openings = [tuple(sentence[:2]) for sentence in reading.sentence_words]
        values["same_openings"] = 1.0 - len(set(openings)) / len(openings)
    raw = reading.text[:32000].encode("utf-8", "replace")
    if len(raw) >= 80:
        values["compression"] = 1.0 - min(1.0, len(zlib.compress(raw, 6)) / len(raw))
    return values


def _moving_variety(words: list[str], window: int) -> float:
    """Mean share of different words in every window of `window` words; shorter texts are one window."""
    if len(words) <= window:
        return len(set(words)) / len(words)
    counts = Counter(words[:window])
    total = different = len(counts)
    for gone, come in zip(words, words[window:], strict=False):
        counts[come] += 1
        different += counts[come] == 1
        counts[gone] -= 1
        different -= counts[gone] == 0
        total += different
    return total / (len(words) - window + 1) / window


def _end(reading: Reading) -> dict[str, float]:
    text = reading.plain.rstrip()
    bare = text.rstrip("\"')]}*_`”»」』 ")
    last = bare[-1:] or text[-1:]
    fenced = text.endswith("```") and text.count("```") % 2 == 0
    finished = (
        fenced or last in ".!?…。！？" or text[-1:] in ")]}" or (not last.isalnum() and last not in ",;:-–—(/&+=")
    )
    cut = 0.0
    if text.count("```") % 2:
        cut = 1.0
    elif not finished:
        final = reading.words[-1] if reading.words and last.isalnum() else ""
        single = len(reading.words) < 8 or bool(reading.bullets) or len(reading.lines) > 3
        # verse, lists and bare answers need no full stop; a sentence does
        cut = 1.0 if last in ",;-–—(/&+=" or final in _HANGING else 0.75 if last == ":" else 0.25 if single else 0.5
    elif text.count("(") > text.count(")") + 1:
        cut = 0.3
    return {"finished": float(finished), "cut_off": cut}
