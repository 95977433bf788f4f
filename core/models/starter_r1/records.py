"""Target records: what the generative judge learns to write of a brief. True by construction, in several phrasings.

A reason states facts of the sheet in the sheet's own numbers; a dimension that nothing measured speaks to says so.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from functools import cache

from core.judging import preference_of
from core.modalities import MODALITIES
from core.models.prompts import DIMENSIONS
from core.models.starter_r1.brief import OTHER, Brief, Fact, Side, line_facts, side_of, wish_facts
from core.models.starter_r1.skeleton import HIGHEST, Record
from core.nouns import Modality, Preference

BLANKS = (
    "Nothing measured speaks to this.",
    "No measurement bears on this.",
    "The evidence says nothing about this.",
    "This was not measured.",
)
_STATED = ("{side} is {facts}.", "{side} comes out {facts}.", "What was measured makes {side} {facts}.")
_COUNTERED = ("But {side} is {facts}.", "On the other hand {side} is {facts}.", "{side}, though, is {facts}.")
_WANTED = (
    "Wanted is “{word}”: {side} scores {own} against {other}.",
    "As wished, {side} scores higher on “{word}”, {own} against {other}.",
    "Asked for was “{word}”, and {side} has more of it, {own} against {other}.",
)
_UNWANTED = (
    "Unwanted is “{word}”: {side} scores {own} against {other}.",
    "As wished, {side} scores lower on “{word}”, {own} against {other}.",
    "Asked against was “{word}”, and {side} has less of it, {own} against {other}.",
)
_EVEN = ("On “{word}” neither is ahead.", "Neither leads on “{word}”.")

FORM = "fluency_coherence"
ASKED = "relevance"
# measures of text that speak to another dimension than form; relative ones speak to relevance unless named here
_DIMENSION = {
    "reasoning_quality": ("cohesion", "sequence", "contrast", "cause", "example"),
    "accuracy_completeness": (
        "numbers_kept",
        "names_kept",
        "unsupported",
        "supported_share",
        "count_kept",
        "citation",
        "cut_off",
        "finished",
    ),
    "safety_ethics": ("rude", "harm", "caution"),
}


@cache
def dimension_of(modality: Modality, label: str) -> str:
    """The dimension that a measure speaks to, by its label on the sheet; form where nothing else is known."""
    for measure in MODALITIES[modality].measures:
        if measure.label.lower() != label.lower():
            continue
        named = [key for key, names in _DIMENSION.items() if measure.name in names]
        if modality is Modality.TEXT and named:
            return named[0]
        return ASKED if measure.relative else FORM
    return FORM


def evidence_for(brief: Brief) -> dict[str, list[Fact]]:
    """The facts of the sheet by the dimension that they speak to, each in order of strength; wishes come first."""
    found: dict[str, list[Fact]] = {dimension: [] for dimension in DIMENSIONS}
    found[ASKED] += wish_facts(brief)
    for fact in line_facts(brief):
        found[dimension_of(brief.modality, fact.label)].append(fact)
    return found


def preferred(brief: Brief, tie_threshold: float) -> Preference:
    """What a record of this brief has to say: a tie where |asked| ≤ ε nats, else the sign of `asked`."""
    return preference_of(brief.asked, tie_threshold)


def scores_of(difference: float, tie_threshold: float) -> tuple[int, int]:
    """Scores of A and B, 0 to 10, that sum to 10: the Bradley-Terry probability σ(r_A − r_B) in tenths.

    The starter's rewards have no absolute scale, so the scores only say how clearly one is better. A tie is 5 : 5, and
    a preference is at least 6 : 4.
    """
    preference = preference_of(difference, tie_threshold)
    if preference is Preference.TIE:
        return HIGHEST // 2, HIGHEST // 2
    probability = 1 / (1 + math.exp(-min(abs(difference), 50.0)))
    winner = min(HIGHEST, max(HIGHEST // 2 + 1, round(HIGHEST * probability)))
    return (winner, HIGHEST - winner) if preference is Preference.FIRST else (HIGHEST - winner, winner)


def said(fact: Fact) -> str:
    """A measure's fact as a comparison: "sharper (sharpness 4.21 against 3.10 log₂ levels)"."""
    unit = f" {fact.unit}" if fact.unit else ""
    return f"{fact.word} ({fact.label} {fact.own} against {fact.other}{unit})"


def record_of(brief: Brief, rng: random.Random, tie_threshold: float) -> Record:
    """A true record of `brief`; its verdict is the sign of `asked`. The same generator state gives the same record."""
    leading = side_of(brief.asked)
    reasons = tuple(_reason(facts, leading, rng) for facts in evidence_for(brief).values())
    score_a, score_b = scores_of(brief.asked, tie_threshold)
    return Record(reasons=reasons, score_a=score_a, score_b=score_b)


def _reason(facts: Sequence[Fact], leading: Side, rng: random.Random) -> str:
    wishes = [fact for fact in facts if not fact.label]
    measures = [fact for fact in facts if fact.label]
    if not facts:
        return rng.choice(BLANKS)
    sentences = [_wished(fact, rng) for fact in wishes[: rng.choice((2, 3))]]
    if not wishes:
        sentences += _measured(measures, leading, rng)
    elif measures:
        sentences += _measured(measures[:1], leading, rng)
    return " ".join(sentences)


def _wished(fact: Fact, rng: random.Random) -> str:
    frames = _EVEN if fact.side == "=" else _WANTED if fact.wanted else _UNWANTED
    return rng.choice(frames).format(word=fact.word, side=fact.side, own=fact.own, other=fact.other)


def _measured(facts: Sequence[Fact], leading: Side, rng: random.Random) -> list[str]:
    """The leading side's strongest facts, then the strongest of the other side."""
    side = leading if any(fact.side == leading for fact in facts) else facts[0].side
    own = [said(fact) for fact in facts if fact.side == side][: rng.choice((1, 2, 2))]
    against = [said(fact) for fact in facts if fact.side == OTHER[side]][:1]
    sentences = [rng.choice(_STATED).format(side=side, facts=" and ".join(own))]
    if against:
        sentences.append(rng.choice(_COUNTERED).format(side=OTHER[side], facts=against[0]))
    return sentences
