"""Spelling, grammar, capitals, spacing and damaged signs of a text."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from itertools import pairwise

from core.modalities._text_lexicon import WORDS, log_rate
from core.modalities._text_reading import Reading, words_of
from core.modalities._text_words import CLASSES, frequency_class, is_name, wordlikeness

_AN_ODD = ("hour", "honest", "honor", "honour", "heir", "herb", "homage")  # a silent h
_A_ODD = ("eu", "uni", "use", "usu", "one", "once", "ubiq", "ewe", "uto", "ura", "uri", "ute", "ukr")  # said yu or wu
_A_ODD_NOT = ("unin", "unim", "unid")  # un + a word
_SLIPS = re.compile(
    r"\b(?:could|should|would|must|might) of\b|\balot\b|\bmore (?:better|worse|easier|harder|faster|bigger|smaller)\b"
    r"|\bmost (?:best|easiest|biggest|worst)\b"
    r"|\b(?:did|didn't|does|doesn't|don't|to) (?:went|saw|came|took|made|knew|gave|had been)\b"
    r"|\b(?:informations|advices|furnitures|equipments|homeworks|childs|mans|womans|feets|mouses|sheeps)\b"
    r"|\b(?:he|she|it) (?:have|don't|haven't|weren't|are|go|want|need|like|think|know|say|do|make|come)\b"
    r"|\b(?:they|we|you) (?:is|was|has|does|doesn't|isn't|wasn't|hasn't|goes|wants|needs|makes)\b"
    r"|\bi (?:is|are|has|goes|does|doesn't|wants|needs)\b|\b(?:these|those|people|children) (?:is|was|has|does)\b"
    r"|\b(?:this|that) (?:are|were|have)\b|\bthere is (?:many|several|two|three|four|five|some people)\b"
    r"|\byour (?:welcome|right|wrong) *[.!,]|\bits (?:a|an|the|not|been|very|going|important)\b"
    r"|\b(?:more|less|better|worse|rather|bigger|smaller|larger|higher|lower|faster|older|younger) then\b"
    r"|\b(?:am|is|are|was|were) (?:agree|disagree|have|has|go|goes)\b|\bdiscuss about\b|\bcan able\b"
    r"|\bmuch (?:people|things|years)\b|\b(?:everyone|everybody|nobody|someone) (?:are|have|were|do)\b"
    r"|\bdoes(?:n't)? (?:has|goes|makes|wants|needs|is)\b|\b(?:a|an) (?:are|is|was|the|my|your|many)\b"
    r"|\bthe (?:a|an|the|is|are|was)\b|\bto (?:is|are|was|the be)\b|\bof of\b"
)
# the words that `_SLIPS` finds as a subject, which a verb before them may ask a bare form of: let it go
_SUBJECTS = frozenset(
    {"he", "she", "it", "they", "we", "you", "this", "that", "these", "those", "i", "people", "children"}
)
_SPACE_SLIPS = re.compile(r"\w [,.;:!?](?=\s|$)|[a-z],[A-Za-z]|[a-z]{2}[.!?][A-Z][a-z]|[^\s|]  +[^\s|]")
_WILD = re.compile(r"!!++|\?\?++|,,++|\.{4,}+|[!?]{3,}+")
_STRETCHED = re.compile(r"([a-z])\1\1")
_MOJIBAKE = re.compile("\ufffd|Ã[\u0080-\u00bf]|â€|Â[\u00a0-\u00bf]")


def measure(reading: Reading) -> dict[str, float]:
    return _signs(reading) | (_spelling(reading) | _grammar(reading) if reading.english else {})


def _signs(reading: Reading) -> dict[str, float]:
    """What is damaged or wild whatever the language."""
    text, words = reading.plain, len(reading.words)
    return {
        "unreadable": log_rate(0 if text.isascii() else len(_MOJIBAKE.findall(text)), words),
        "wild_signs": log_rate(len(_WILD.findall(text)) + len(_STRETCHED.findall(text)), words),
        "foreign_signs": _foreign(reading),
    }


def _foreign(reading: Reading) -> float:
    if reading.text.isascii():
        return 0.0
    letters = [sign for sign in reading.text[:20000] if sign.isalpha()]
    if reading.script == "LATIN":
        return math.sqrt(sum(sign > "\u024f" for sign in letters) / max(1, len(letters)))
    return math.sqrt(sum(sign < "\u0250" for sign in letters) / max(1, len(letters)))


@lru_cache(maxsize=65536)
def _unknown(word: str) -> bool:
    return frequency_class(word) >= CLASSES and not is_name(word)


def _spelling(reading: Reading) -> dict[str, float]:
    """Unknown words among those written in lower case, since a capital marks a name; and how odd the letters are."""
    checked = unknown = lost = 0
    oddness: list[float] = []
    caps = sum(token.isupper() for token in reading.tokens if len(token) > 3) > 0.4 * len(reading.tokens)
    for token in reading.tokens:
        if len(token) < 2 or not token.isascii() or not token.replace("'", "").isalpha():
            continue
        word = token.lower()
        if token == word or caps:
            checked += 1
            lost += word in WORDS["lost_apostrophes"]
            unknown += _unknown(word) and word not in WORDS["lost_apostrophes"]
        if len(word) > 3 and "'" not in word:
            oddness.append(-wordlikeness(word))
    values = {}
    if checked:
        values["unknown_words"] = log_rate(unknown, checked)
        values["lost_apostrophes"] = log_rate(lost, checked)
    if oddness:
        oddness.sort()
        values["odd_letters"] = sum(oddness) / len(oddness)
        tail = oddness[-max(1, len(oddness) // 10) :]
        values["oddest_word"] = sum(tail) / len(tail)
    return values


def _grammar(reading: Reading) -> dict[str, float]:
    words, count = reading.words, len(reading.words)
    values = {
        "article_slips": log_rate(_article_slips(reading.tokens), count),
        "doubled_words": log_rate(
            sum(
                one == two and one.isalpha() and len(one) > 1 and one not in WORDS["doubles_fine"]
                for one, two in pairwise(words)
            ),
            count,
        ),
        "grammar_slips": log_rate(_grammar_slips(reading), count),
        "spacing_slips": log_rate(len(_SPACE_SLIPS.findall(reading.plain)), count),
    }
    starts = [sentence.lstrip("\"'(*_-•#“‘ ")[:1] for sentence in reading.sentences]
    cased = [start for start in starts if start.isalpha()]
    if cased:
        small: float = sum(start.islower() for start in cased)
        small += reading.tokens.count("i")
        small += 0.5 * sum(token.islower() and len(token) > 4 and is_name(token) for token in reading.tokens)
        values["small_starts"] = min(1.0, small / len(cased))
    return values


def _article_slips(tokens: list[str]) -> int:
    slips = 0
    for article, noun in pairwise(tokens):
        one, two = article.lower(), noun.lower()
        # an MBA, a UFO: how an abbreviation is said cannot be seen
        if one not in ("a", "an") or len(two) < 3 or not two.isalpha() or not two.isascii() or noun.isupper():
            continue
        vowel = two[0] in "aeiou"
        if vowel and two.startswith(_A_ODD) and not two.startswith(_A_ODD_NOT):
            vowel = False
        elif two.startswith(_AN_ODD):
            vowel = True
        slips += vowel != (one == "an")
    return slips


def _grammar_slips(reading: Reading) -> int:
    slips = 0
    for sentence in reading.sentences:
        low = sentence.lower()
        for found in _SLIPS.finditer(low):
            first = found.group().split(None, 1)[0]
            if first in _SUBJECTS:
                before = words_of(low[max(0, found.start() - 20) : found.start()])
                # a clause starts here, or the verb before asks for a bare one
                if before and (
                    before[-1] in WORDS["before_bare_verb"]
                    or first in ("that", "this", "you", "people")
                    or before[-1] in ("of", "in", "between")
                ):
                    continue
            slips += 1
    return slips
