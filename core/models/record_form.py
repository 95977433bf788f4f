"""What the records of Omni-RRM (arXiv 2602.00846) look like: as a JSON schema, and as a form with places to fill in."""

from __future__ import annotations

import json
from typing import Any

from core.models.prompts import DIMENSIONS, PromptStyle

SCORES = range(11)
RECORDS = (PromptStyle.RRM, PromptStyle.RUBRIC)

Form = tuple[tuple[str, ...], ...]
"""What may stand before the first free text, between each two, and after the last one. In a text itself may stand what
a JSON string takes without escapes, and no `<`, which is how the tags around thoughts begin."""


def record_form(style: PromptStyle, ties: bool) -> Form | None:
    """The form of the record that `core.models.prompts` asks for, with every ending that is consistent: the verdict is
    the response with the higher score, and equal scores are a tie. None where the answer is no record."""
    if style not in RECORDS:
        return None
    if style is PromptStyle.RRM:
        return ('{"reasoning": "<think>',), tuple(f'</think>"{ending}' for ending in _endings(style, ties))
    first, *others = DIMENSIONS
    return (
        (f'{{"criteria": {{"{first}": "',),
        *((f'", "{key}": "',) for key in others),
        tuple(f'"}}{ending}' for ending in _endings(style, ties)),
    )


def _endings(style: PromptStyle, ties: bool) -> list[str]:
    """The record from behind its reasons, for every two scores that may be given."""
    found = []
    for first in SCORES:
        for second in SCORES:
            if first != second or ties:
                verdict = "equal" if first == second else "A" if first > second else "B"
                told = {"score_A": first, "score_B": second, **_verdict(style, verdict)}
                found.append(f", {json.dumps(told)[1:]}")
    return found


def _verdict(style: PromptStyle, word: str) -> dict[str, str]:
    if style is PromptStyle.RRM:
        return {"better": word, "final_verdict": f"<answer>[[{word}]]</answer>"}
    return {"verdict": word, "final_verdict": word}


def record_schema(style: PromptStyle, ties: bool) -> dict[str, Any] | None:
    """The same record as a JSON schema, for servers that constrain by one; None where the answer is no record.

    A schema cannot say that scores and verdict agree; whoever reads the record checks that.
    """
    if style not in RECORDS:
        return None
    reasons: dict[str, Any] = {"reasoning": {"type": "string"}}
    if style is PromptStyle.RUBRIC:
        reasons = {"criteria": _object({key: {"type": "string"} for key in DIMENSIONS})}
    words = [_verdict(style, word) for word in ("A", "B", *(("equal",) if ties else ()))]
    scores = {key: {"type": "integer", "enum": [*SCORES]} for key in ("score_A", "score_B")}
    verdicts = {key: {"type": "string", "enum": [word[key] for word in words]} for key in words[0]}
    return _object(reasons | scores | verdicts)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
