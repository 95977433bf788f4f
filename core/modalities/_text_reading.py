"""A text taken apart once: lines, sentences, words, their language, and the counts that measures share.

Every step is linear in the length of the text: no pattern here can be made to backtrack.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cached_property, lru_cache

from core.modalities._text_lexicon import STOPWORDS, count_markers
from core.modalities._text_words import frequency_class

ENGLISH = STOPWORDS["en"]
LONGEST_WORD = 60

_ASCII_WORD = re.compile(r"[A-Za-z0-9]++(?:'[A-Za-z0-9]++)*+")
# vowel signs and joiners are no letters to `re`, but belong to their word
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0981-\u0983"
    "\u09bc-\u09cd\u0a3c-\u0a4d\u0abc-\u0acd\u0b3c-\u0b4d\u0bbe-\u0bcd\u0c3e-\u0c4d\u0cbe-\u0ccd\u0d3e-\u0d4d"
    "\u0e31\u0e34-\u0e4e\u0eb1\u0eb4-\u0ece\u1031-\u103e\u200c\u200d"
)
# Han and kana are written without spaces: each character counts as a word
_SPACELESS = "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_ANY_WORD = re.compile(
    rf"[{_SPACELESS}]|(?:(?![{_SPACELESS}_])[\w{_MARKS}])++(?:'(?:(?![{_SPACELESS}_])[\w{_MARKS}])++)*+"
)
_STOP = re.compile(r"[.!?…]++[\"'”’)\]*_]*+|[。！？]++[」』”]*+")
_ABBREVIATIONS = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "jr",
        "sr",
        "vs",
        "etc",
        "e.g",
        "i.e",
        "eg",
        "ie",
        "cf",
        "al",
        "fig",
        "no",
        "vol",
        "approx",
        "inc",
        "ltd",
        "co",
        "corp",
        "u.s",
        "u.k",
        "a.m",
        "p.m",
        "dept",
        "est",
    ]
)
_BULLET = re.compile(r"(?:[-*•–·▪◦]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s")
_NUMBERED = re.compile(r"\(?\d{1,3}[.)]\s|step \d", re.IGNORECASE)
_HEADING = re.compile(r"#{1,6}\s|\*\*[^*]{1,80}\*\*:?$|__[^_]{1,80}__:?$")
NUMBER = re.compile(r"\d++(?:[.,]\d++)*+")
EMOJI = re.compile("[\U0001f300-\U0001faff\U0001f000-\U0001f2ff\u2600-\u27bf\u2b50\u2b55]")
_SCRIPTS = (
    ("HAN", "\u3400", "\u9fff"),
    ("KANA", "\u3041", "\u30ff"),
    ("HANGUL", "\uac00", "\ud7af"),
    ("CYRILLIC", "\u0400", "\u052f"),
    ("GREEK", "\u0370", "\u03ff"),
    ("HEBREW", "\u0590", "\u05ff"),
    ("ARABIC", "\u0600", "\u077f"),
    ("DEVANAGARI", "\u0900", "\u097f"),
    ("THAI", "\u0e00", "\u0e7f"),
)


def clean(text: str) -> tuple[str, int]:
    """The text as it is judged, and how many signs in it could not be read.

    Line ends become \\n. NUL, other control characters, lone surrogates and non-characters cannot be stored, shown or
    encoded everywhere: each becomes U+FFFD, the sign for what cannot be read. Tabs, direction marks and joiners stay.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    if text.isascii() and text.isprintable():
        return text, 0
    text = _UNREADABLE.sub("\ufffd", text)
    return text, text.count("\ufffd")


_UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def is_blank(text: str) -> bool:
    """Whether nothing would be seen: only white space, marks, joiners, direction signs and unreadable signs."""
    return all(sign == "\ufffd" or unicodedata.category(sign)[0] in "ZCM" for sign in text)


class Reading:
    """One text and what is found in it, each thing at most once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.plain = text.replace("’", "'")

    @cached_property
    def lines(self) -> list[str]:
        """Lines with something in them, stripped."""
        return [stripped for line in self.plain.split("\n") if (stripped := line.strip())]

    @cached_property
    def paragraphs(self) -> int:
        count, inside = 0, False
        for line in self.plain.split("\n"):
            full = not line.isspace() and line != ""
            count += full and not inside
            inside = full
        return count

    @cached_property
    def bullets(self) -> list[str]:
        return [line for line in self.lines if _BULLET.match(line)]

    @cached_property
    def numbered(self) -> list[str]:
        return [line for line in self.lines if _NUMBERED.match(line)]

    @cached_property
    def headings(self) -> list[str]:
        return [line for line in self.lines if _HEADING.match(line)]

    @cached_property
    def sentences(self) -> list[str]:
        """Sentences of at least one word; a line ends one, unless the next goes on in lower case."""
        found: list[str] = []
        joined: list[str] = []
        for line in self.lines:
            if joined and (not line[0].islower() or joined[-1][-1] in ".!?:"):
                found += _split(" ".join(joined))
                joined = []
            joined.append(line)
        if joined:
            found += _split(" ".join(joined))
        return found

    @cached_property
    def sentence_words(self) -> list[list[str]]:
        """Words of each sentence in lower case; sentences without words are dropped."""
        return [words for sentence in self.sentences if (words := words_of(sentence.lower()))]

    @cached_property
    def tokens(self) -> list[str]:
        """Words as written."""
        return words_of(self.plain)

    @cached_property
    def words(self) -> list[str]:
        """Words in lower case."""
        return [token.lower() for token in self.tokens]

    @cached_property
    def counts(self) -> Counter[str]:
        return Counter(self.words)

    @cached_property
    def markers(self) -> Counter[str]:
        """Occurrences of the lexicon's words and phrases by marker."""
        return count_markers(self.words)

    @cached_property
    def numbers(self) -> list[str]:
        """Numbers as digits, without thousands separators."""
        return [found.replace(",", "") for found in NUMBER.findall(self.plain)]

    @cached_property
    def names(self) -> list[str]:
        """Capitalised words that do not start a sentence, in lower case; in German these are the nouns too."""
        found = []
        for sentence in self.sentences:
            tokens = words_of(sentence)
            if sum(token[0].isupper() for token in tokens) > 0.6 * len(tokens) and len(tokens) > 3:
                continue  # a title or a shout: capitals say nothing there
            found += [
                token.lower().removesuffix("'s")
                for token in tokens[1:]
                if token[0].isupper() and len(token) > 1 and token.lower() not in ENGLISH
            ]
        return found

    @cached_property
    def script(self) -> str:
        """Script of most letters: LATIN, HAN, KANA, …, or OTHER; empty without letters."""
        if self.text.isascii():
            return "LATIN" if any(sign.isalpha() for sign in self.text[:5000]) else ""
        sample = self.text[:20000]
        counts: Counter[str] = Counter()
        for sign, count in Counter(sample).items():
            if sign.isalpha():
                counts[_script_of(sign)] += count
        # Japanese is Han with kana in it
        if counts["KANA"] > 0.1 * counts["HAN"] and counts["KANA"]:
            counts["KANA"] += counts.pop("HAN", 0)
        return counts.most_common(1)[0][0] if counts else ""

    @cached_property
    def languages(self) -> dict[str, float]:
        """Share of the words that are function words of each language written in Latin script."""
        total = max(1, len(self.words))
        return {
            language: sum(count for word, count in self.counts.items() if word in stop) / total
            for language, stop in STOPWORDS.items()
        }

    @cached_property
    def english(self) -> bool:
        """Latin script and no other language known here fits better, so misspelt English stays English."""
        if self.script != "LATIN" or not self.words:
            return False
        ours = self.languages["en"]
        theirs = max(share for language, share in self.languages.items() if language != "en")
        return theirs < 0.12 or ours >= theirs

    @cached_property
    def content(self) -> list[str]:
        """Stems of the words that carry content: no English function words, at least two letters or a digit."""
        return [stem(word) for word in self.words if is_content(word)]

    @cached_property
    def content_counts(self) -> Counter[str]:
        return Counter(self.content)


@lru_cache(maxsize=8)
def read_prompt(prompt: str) -> Reading:
    """A prompt is read once for both its responses."""
    return Reading(clean(prompt)[0])


def words_of(text: str) -> list[str]:
    """Words as written, each held to 60 letters, so that no hostile one fills the caches."""
    words = _ASCII_WORD.findall(text) if text.isascii() else _ANY_WORD.findall(text)
    return [word[:LONGEST_WORD] for word in words]


def is_content(word: str) -> bool:
    return word not in ENGLISH and (len(word) > 1 or word.isdigit() or ord(word[0]) > 0x2E7F)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A word without its English inflection, so that runs, running and run meet. Crude on purpose, and quick."""
    if len(word) <= 3 or not word.isascii():
        return word
    word = word.removesuffix("'s")
    for suffix, instead in (
        ("ies", "y"),
        ("sses", "ss"),
        ("ing", ""),
        ("edly", ""),
        ("ed", ""),
        ("ly", ""),
        ("es", ""),
        ("s", ""),
    ):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            word = word[: -len(suffix)] + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsaeo":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word[-1] == "e" else word


@lru_cache(maxsize=65536)
def rarity(word: str) -> float:
    """Weight of a content word: 0 for the commonest, 1 for words outside the list."""
    return frequency_class(word) / 8 if word.isascii() and word.isalpha() else 1.0


def _split(line: str) -> list[str]:
    found, start = [], 0
    for stop in _STOP.finditer(line):
        end = stop.end()
        if end < len(line) and not line[end].isspace() and stop.group()[0] not in "。！？":
            continue  # inside a number, an address or an ellipsis
        if end < len(line) and stop.group()[-1] in "\"'”’…" and line[end + 1 : end + 2].islower():
            continue  # "Stop!" she said
        if stop.group() == ".":
            before = line[max(start, stop.start() - 12) : stop.start()].rsplit(None, 1)
            last = before[-1].lower().lstrip("(") if before else ""
            initial = len(last) == 1 and last.isalpha() and last != "i"
            item = last.isdigit() and not line[start : stop.start() - len(last)].strip()
            if end < len(line) and (last in _ABBREVIATIONS or initial or item):
                continue
        found.append(line[start:end].strip())
        start = end
    found.append(line[start:].strip())
    return [sentence for sentence in found if any(sign.isalnum() for sign in sentence)]


def _script_of(sign: str) -> str:
    for name, low, high in _SCRIPTS:
        if low <= sign <= high:
            return name
    return "LATIN" if sign < "\u0250" or "\u1e00" <= sign <= "\u1eff" else "OTHER"
