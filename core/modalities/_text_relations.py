"""A text against its prompt: what it takes up, adds, copies and answers."""

from __future__ import annotations

import math
import re

import numpy as np

from core.modalities._text_reading import Reading, is_content, rarity, read_prompt, stem

_LANGUAGES = {
    "english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "portuguese": "pt",
    "dutch": "nl", "polish": "pl", "swedish": "sv", "turkish": "tr",
    "chinese": "HAN", "mandarin": "HAN", "japanese": "KANA",
    "korean": "HANGUL", "russian": "CYRILLIC", "ukrainian": "CYRILLIC", "greek": "GREEK", "hebrew": "HEBREW",
    "arabic": "ARABIC", "hindi": "DEVANAGARI", "thai": "THAI",
}  # fmt: skip
_ASKED_LANGUAGE = re.compile(rf"\b(?:to|in|into) ({'|'.join(_LANGUAGES)})\b", re.IGNORECASE)
_SMALL = {
    word: number
    for number, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], start=1
    )
} | {"fifteen": 15, "twenty": 20, "fifty": 50, "hundred": 100}
_COUNT = re.compile(
    rf"\b(\d{{1,4}}|{'|'.join(_SMALL)})[ -](?:\w{{1,20}} )?"
    r"(words?|sentences?|paragraphs?|items?|points?|tips?|ideas?|examples?|steps?|reasons?|ways?|bullets?|lines?|things?|facts?|"
    r"names?|questions?|suggestions?|options?|benefits?|advantages?|features?|titles?|adjectives?|synonyms?|books?|movies?|songs?)\b",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"\b(?:at most|no more than|less than|fewer than|under|up to|within|maximum|max)\b[^.]{0,12}$", re.IGNORECASE
)
_YES_NO = re.compile(
    r"^(?:is|are|was|were|do|does|did|can|could|should|would|will|has|have|am|may|might)\b", re.IGNORECASE
)
_ASKS = (
    (re.compile(r"\bhow (?:many|much|long|old|far|tall|big|fast|often)\b", re.IGNORECASE), "number"),
    (re.compile(r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|time)\b", re.IGNORECASE), "number"),
    (re.compile(r"\bwhy\b|\bexplain\b|\breasons?\b", re.IGNORECASE), "cause"),
    (re.compile(r"\bwho(?:se|m)?\b|\bwhere\b", re.IGNORECASE), "name"),
    (re.compile(r"\bhow (?:do|can|to|should|would)\b|\bsteps?\b|\brecipe\b|\binstructions\b", re.IGNORECASE), "steps"),
    (re.compile(r"\blist\b|\btop \d|\bideas\b|\bexamples of\b|\btips\b", re.IGNORECASE), "list"),
    (re.compile(r"\bcode\b|\bfunction\b|\bpython\b|\bscript\b|\bsql\b|\bjavascript\b", re.IGNORECASE), "code"),
)  # fmt: skip
_MONTHS = frozenset(
    [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "today",
        "yesterday",
    ]
)
_LONG = 20_000  # words of each side that the run of copied words is searched in


def relate(reading: Reading, prompt: str) -> dict[str, float]:
    """Values of the relative measures; empty without a prompt of at least one word."""
    asked = read_prompt(prompt)
    if not asked.words or not reading.words:
        return {}
    values = _overlap(reading, asked) | _copies(reading, asked) | _facts(reading, asked) | _languages(reading, asked)
    values["length_ratio"] = math.log2((1 + len(reading.words)) / (1 + len(asked.words)))
    values |= _form(reading, asked) | _count_kept(reading, asked)
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


def _weights(reading: Reading) -> dict[str, float]:
    """Rarity of each content stem, from the rarest form that occurs."""
    weights: dict[str, float] = {}
    for word in reading.counts:
        if is_content(word):
            key = stem(word)
            weights[key] = max(weights.get(key, 0.0), 0.1 + rarity(word))
    return weights


def _overlap(reading: Reading, asked: Reading) -> dict[str, float]:
    values: dict[str, float] = {}
    theirs, ours = _weights(asked), _weights(reading)
    if theirs:
        values["prompt_coverage"] = sum(w for key, w in theirs.items() if key in ours) / sum(theirs.values())
    if ours:
        values["novelty"] = sum(w for key, w in ours.items() if key not in theirs) / sum(ours.values())
        backed = sum(n for key, n in reading.content_counts.items() if key in theirs)
        values["supported_share"] = backed / sum(reading.content_counts.values())
    if theirs and ours:
        one = {key: w * (1 + math.log(asked.content_counts[key])) for key, w in theirs.items()}
        two = {key: w * (1 + math.log(reading.content_counts[key])) for key, w in ours.items()}
        dot = sum(w * two.get(key, 0.0) for key, w in one.items())
        values["topic_match"] = dot / math.sqrt(sum(w * w for w in one.values()) * sum(w * w for w in two.values()))
        taken = {key: w for key, w in theirs.items() if key in ours}
        if taken and len(reading.words) > 25:
            opening = {stem(word) for word in reading.words[:25]}
            values["directness"] = sum(w for key, w in taken.items() if key in opening) / sum(taken.values())
        last = [stem(word) for word in reading.sentence_words[-1] if is_content(word)] if reading.sentence_words else []
        if last and len(reading.sentence_words) > 1:
            values["last_sentence_match"] = sum(key in theirs for key in last) / len(last)
    return values


def _copies(reading: Reading, asked: Reading) -> dict[str, float]:
    ours, theirs = reading.words[:_LONG], asked.words[:_LONG]
    values = {"copying": math.log2(1 + _longest_run(ours, theirs))}
    if len(ours) >= 3:
        known = set(zip(theirs, theirs[1:], theirs[2:], strict=False))
        trigrams = list(zip(ours, ours[1:], ours[2:], strict=False))
        values["copied_share"] = sum(trigram in known for trigram in trigrams) / len(trigrams)
    return values


def _longest_run(ours: list[str], theirs: list[str]) -> int:
    """Length of the longest run of words in both: O(n log² n), by bisection over 64-bit hashes of runs.

    Hashes of runs of 1, 2, 4, … words are built once; a run of any length is two of them that overlap.
    """
    numbers = {word: at + 1 for at, word in enumerate(dict.fromkeys(theirs))}
    one = [np.array([numbers.get(word, 0) for word in ours], np.uint64)]
    two = [np.array([numbers[word] for word in theirs], np.uint64)]
    low, high = 0, min(len(ours), len(theirs))
    while 2 << (len(one) - 1) <= high:
        step = 1 << (len(one) - 1)
        for levels in (one, two):
            levels.append(_mixed(levels[-1][:-step], levels[-1][step:]))
    while low < high:
        length = (low + high + 1) // 2
        level = length.bit_length() - 1
        shift = length - (1 << level)
        runs = [_mixed(h[level][: h[level].size - shift], h[level][shift:]) for h in (one, two)]
        if np.isin(runs[0], runs[1]).any():
            low = length
        else:
            high = length - 1
    return low


def _mixed(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """One hash of two, in order; multiplication modulo 2⁶⁴ by odd constants, then a shift down."""
    both: np.ndarray = left * np.uint64(0x9E3779B97F4A7C15) + right * np.uint64(0xC2B2AE3D27D4EB4F)
    return (both ^ (both >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)


def _facts(reading: Reading, asked: Reading) -> dict[str, float]:
    values: dict[str, float] = {}
    numbers, words = set(reading.numbers), set(reading.words)
    if asked.numbers:
        theirs = set(asked.numbers)
        values["numbers_kept"] = len(theirs & numbers) / len(theirs)
    if asked.names:
        known = set(asked.names)
        values["names_kept"] = len(known & words) / len(known)
    said = set(asked.words)
    # the marks of a numbered list are no facts
    strange = len(numbers - set(asked.numbers) - {str(n) for n in range(1, len(reading.numbered) + 1)})
    strange += len({name for name in reading.names if name not in said})
    values["unsupported"] = math.log2(1 + strange)
    return values


def _fits(reading: Reading, language: str) -> float:
    """1 where the text is in a language: by script, or by its function words against the best other language's."""
    if language.isupper():
        return float(reading.script == language)
    if reading.script != "LATIN":
        return 0.0
    share = reading.languages[language]
    best = max(reading.languages.values())
    return share / best if best > 0 else 0.5


def _languages(reading: Reading, asked: Reading) -> dict[str, float]:
    values: dict[str, float] = {}
    named = _ASKED_LANGUAGE.findall(asked.plain[:2000])
    if named:
        values["asked_language"] = _fits(reading, _LANGUAGES[named[-1].lower()])
    elif asked.script and reading.script:
        if asked.script != "LATIN" or reading.script != "LATIN":
            values["language_match"] = float(asked.script == reading.script)
        elif len(asked.words) >= 4 and len(reading.words) >= 4:
            one, two = asked.languages, reading.languages
            size = math.sqrt(sum(v * v for v in one.values()) * sum(v * v for v in two.values()))
            if size > 0:
                values["language_match"] = sum(one[key] * two[key] for key in one) / size
    return values


def _form(reading: Reading, asked: Reading) -> dict[str, float]:
    """Whether the answer has the form that the last question or request of the prompt asks for."""
    if not (asked.english and reading.english and asked.sentences):
        return {}
    request = next((s for s in reversed(asked.sentences) if s.endswith("?")), asked.sentences[0])[-600:]
    checks: list[float] = []
    if _YES_NO.match(request) and request.endswith("?") and " or " not in request:
        opening = set(reading.words[:12])
        clear = opening & {
            "yes",
            "no",
            "yeah",
            "nope",
            "not",
            "sure",
            "absolutely",
            "definitely",
            "depends",
            "can't",
            "cannot",
        }
        checks.append(float(bool(clear)))
    for pattern, form in _ASKS:
        if pattern.search(request):
            checks.append(_has_form(reading, form))
    return {"question_answered": sum(checks) / len(checks)} if checks else {}


def _has_form(reading: Reading, form: str) -> float:
    words = reading.counts
    if form == "number":
        return float(bool(reading.numbers) or any(word in _SMALL or word in _MONTHS for word in words))
    if form == "cause":
        return min(1.0, reading.markers["cause"] / 2)
    if form == "name":
        return float(bool(reading.names))
    if form == "steps":
        return min(1.0, (len(reading.bullets) + reading.markers["sequence"]) / 3)
    if form == "list":
        return min(1.0, max(len(reading.bullets), reading.plain.count(",") / 2) / 3)
    return float("```" in reading.text or any(sign in reading.text for sign in ("def ", "();", "{\n", "SELECT", "= ")))


def _count_kept(reading: Reading, asked: Reading) -> dict[str, float]:
    """How near the words, sentences, paragraphs or items come to a number that the prompt asks for; 1 is exact."""
    text = asked.plain[:4000]
    scores = []
    for found in _COUNT.finditer(text):
        raw, noun = found.group(1).lower(), found.group(2).lower().rstrip("s")
        wanted = int(raw) if raw.isdigit() else _SMALL[raw]
        if wanted < 1 or wanted > 5000:
            continue
        have = {
            "word": len(reading.words),
            "sentence": len(reading.sentence_words),
            "paragraph": reading.paragraphs,
            "line": len(reading.lines),
        }.get(noun, len(reading.bullets) or len(reading.lines))
        if _LIMIT.search(text[max(0, found.start() - 30) : found.start()]) and have <= wanted:
            scores.append(1.0)
        else:
            scores.append(math.exp(-abs(math.log((have + 0.5) / (wanted + 0.5)))))
    return {"count_kept": sum(scores) / len(scores)} if scores else {}
