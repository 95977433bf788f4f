"""The fixed text of a record: Omni-RRM's JSON (arXiv 2602.00846) with its five dimensions, as pieces and as a whole.

A record is OPENERS[0] reason OPENERS[1] reason … OPENERS[4] reason SCORE_A n SCORE_B n ENDINGS[verdict]. Each piece is
one token of the judge, so that it costs one step and can be forced.
"""

from __future__ import annotations

import re

from core.models.prompts import DIMENSIONS
from core.nouns import Noun, Preference

OPENERS = tuple(
    ('{"criteria": {' if number == 0 else '", ') + f'"{dimension}": "' for number, dimension in enumerate(DIMENSIONS)
)
SCORE_A = '"}, "score_A": '
SCORE_B = ', "score_B": '
LETTERS = {Preference.FIRST: "A", Preference.TIE: "tie", Preference.SECOND: "B"}
ENDINGS = {
    preference: f', "verdict": "{letter}", "final_verdict": "{letter}"}}' for preference, letter in LETTERS.items()
}
PIECES = (*OPENERS, SCORE_A, SCORE_B, *ENDINGS.values())
FORBIDDEN = frozenset('"\\<>{}[]')  # and control characters: signs that a reason must not contain
HIGHEST = 10


def verdict_of(score_a: int, score_b: int) -> Preference:
    """The only verdict that agrees with the scores."""
    return Preference.TIE if score_a == score_b else Preference.FIRST if score_a > score_b else Preference.SECOND


class Record(Noun):
    """A record in parts: one reason a dimension in the order of DIMENSIONS, and whole scores 0 to 10."""

    reasons: tuple[str, ...]
    score_a: int
    score_b: int

    @property
    def preference(self) -> Preference:
        return verdict_of(self.score_a, self.score_b)

    @property
    def text(self) -> str:
        told = "".join(opener + reason for opener, reason in zip(OPENERS, self.reasons, strict=True))
        return f"{told}{SCORE_A}{self.score_a}{SCORE_B}{self.score_b}{ENDINGS[self.preference]}"


_REASON = r'([^"\\<>{}\[\]\x00-\x1f\x7f]+)'
_RECORD = re.compile(
    "".join(re.escape(opener) + _REASON for opener in OPENERS)
    + re.escape(SCORE_A)
    + r"(\d|10)"
    + re.escape(SCORE_B)
    + r"(\d|10)("
    + "|".join(re.escape(ending) for ending in ENDINGS.values())
    + ")",
    re.ASCII,
)


def parts_of(text: str) -> Record | None:
    """The parts of a text that is exactly one record, with a verdict that agrees with its scores; else None."""
    found = _RECORD.fullmatch(text)
    if found is None:
        return None
    *reasons, score_a, score_b, ending = found.groups()
    record = Record(reasons=tuple(reasons), score_a=int(score_a), score_b=int(score_b))
    return record if ending == ENDINGS[record.preference] else None
