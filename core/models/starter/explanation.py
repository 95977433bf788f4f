"""A verdict of the starter in plain words: the findings that decided, and what it can and cannot see.

True by construction: every sentence states measured values, and only those whose exchange would move the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from core.nouns import Evidence, Finding, Measure, Modality, Preference

if TYPE_CHECKING:
    from core.models.starter.scoring import Wish

SAID = 3
SMALL_SHARE = 0.08
TOLD_WISH = 0.25

FORM = {
    Modality.TEXT: "form (length, spelling, structure, tone of wording, readability)",
    Modality.IMAGE: "form (sharpness, noise, light, colour, composition, compression)",
    Modality.VIDEO: "form (sharpness, light, colour, motion, steadiness, sound)",
    Modality.AUDIO: "form (loudness, noise, tone, clipping, echo, pauses, tempo)",
    Modality.MESH: "form (holes, smoothness, detail, triangles, symmetry, proportions)",
}
CONTENT = {
    Modality.TEXT: "what is meant or whether it is true",
    Modality.IMAGE: "what is shown or whether it fits the prompt",
    Modality.VIDEO: "what happens or whether it fits the prompt",
    Modality.AUDIO: "what is said or played or whether it fits the prompt",
    Modality.MESH: "what it represents or whether it fits the prompt",
}


def findings_of(
    measures: Sequence[Measure], first: Evidence, second: Evidence, effects: Mapping[str, float]
) -> tuple[Finding, ...]:
    """A finding for every measure that either response has, the most decisive first."""
    found = [
        Finding(
            measure=measure,
            first=first.values.get(measure.name),
            second=second.values.get(measure.name),
            effect=effects.get(measure.name, 0.0),
        )
        for measure in measures
        if measure.name in first.values or measure.name in second.values
    ]
    return tuple(sorted(found, key=lambda finding: -abs(finding.effect)))


def cannot_see(modality: Modality) -> str:
    return (
        f"The starter cannot see this: it measures {FORM[modality]}, not {CONTENT[modality]}. Ask a larger judge, or "
        "name something that can be measured."
    )


def cannot_read() -> str:
    return "The starter cannot read this criterion: it reads English. Word it in English, or ask a larger judge."


def number(value: float, measure: Measure) -> str:
    """A value with its unit, in the measure's own number of digits."""
    text = f"{value:.{measure.digits}f}".replace("-", "−")
    if not measure.unit:
        return text
    return text + measure.unit if measure.unit in {"%", "°"} else f"{text} {measure.unit}"


def _compared(finding: Finding, winner: Preference) -> str:
    """ "sharper (edge sharpness 0.42 against 0.11 %)", told of the winner; the unit stands once."""
    measure, first, second = finding.measure, finding.first, finding.second
    own, other = (first, second) if winner is Preference.FIRST else (second, first)
    if own is None or other is None:
        raise ValueError(f"{measure.name} was not measured on both responses")
    word = measure.more if own > other else measure.less
    values = f"{number(own, measure.model_copy(update={'unit': ''}))} against {number(other, measure)}"
    return f"{word} ({measure.label[:1].lower() + measure.label[1:]} {values})"


def _telling(findings: Sequence[Finding], sign: float) -> list[Finding]:
    """The largest findings that speak for one side, both values known, no comparative told twice."""
    total = sum(abs(finding.effect) for finding in findings) or 1.0
    told, words = [], set()
    for finding in findings:
        if finding.first is None or finding.second is None or finding.effect * sign <= SMALL_SHARE * total * 0.5:
            continue
        # values that print alike would read like a mistake
        if number(finding.first, finding.measure) == number(finding.second, finding.measure):
            continue
        word = finding.measure.more if finding.first > finding.second else finding.measure.less
        if word not in words:
            words.add(word)
            told.append(finding)
    return told[:SAID]


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def read_as(wishes: Sequence[Wish]) -> str:
    """How a criterion was understood, so that a person sees a misunderstanding at once: "Read as: blurry, soft." """
    told = [wish.gloss for wish in wishes if abs(wish.weight) >= TOLD_WISH][:SAID]
    return f"Read as: {'; '.join(told)}. " if told else ""


def rationale(
    preference: Preference, findings: Sequence[Finding], general: Preference, asked: bool, wishes: Sequence[Wish] = ()
) -> str:
    """Why, in one to four sentences. `general` is what the starter prefers without a criterion; where it goes the
    other way, the reader is told that the criterion was followed against it."""
    return (read_as(wishes) if asked else "") + _reasons(preference, findings, general, asked)


def _reasons(preference: Preference, findings: Sequence[Finding], general: Preference, asked: bool) -> str:
    names = {Preference.FIRST: ("A", "B"), Preference.SECOND: ("B", "A")}
    if preference is Preference.TIE:
        sides = [
            f"{name} is {_compared(finding, side)}"
            for side, name, sign in ((Preference.FIRST, "A", 1.0), (Preference.SECOND, "B", -1.0))
            for finding in _telling(findings, sign)[:1]
        ]
        close = "By what can be measured, the two are about equal here"
        return f"{close}: {_listed(sides)}." if sides else f"{close}."
    winner, loser = names[preference]
    sign = 1.0 if preference is Preference.FIRST else -1.0
    reasons = [_compared(finding, preference) for finding in _telling(findings, sign)]
    if reasons:
        text = f"{winner} is {_listed(reasons)}."
    else:
        text = f"{winner} comes out ahead by many small differences, none of which decides alone."
    against = _telling(findings, -sign)
    if against and abs(against[0].effect) > 0.3 * abs(findings[0].effect):
        other = Preference.SECOND if preference is Preference.FIRST else Preference.FIRST
        text += f" For {loser} speaks that it is {_compared(against[0], other)}."
    if asked and general not in (preference, Preference.TIE):
        text += f" Without this criterion {loser} would be preferred; it is followed all the same."
    return text
