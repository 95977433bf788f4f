"""The table of text measures, and all that is measured on a text by itself."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

from core.modalities import _text_form, _text_slips, _text_tone, _text_wording
from core.modalities._text_reading import Reading
from core.nouns import Measure

_COLUMNS = ("label", "unit", "more", "less", "source", "digits")
MEASURES = tuple(
    Measure(name=name, relative=group == "relations", **dict(zip(_COLUMNS, row, strict=False)))
    for group, rows in tomllib.loads(
        Path(__file__).with_name("_text_measures.toml").read_text(encoding="utf-8")
    ).items()
    for name, row in rows.items()
)


def measure(reading: Reading) -> dict[str, float]:
    """Values by measure name, all finite; what the text's language or length does not allow is left out."""
    values: dict[str, float] = {}
    for part in (_text_form, _text_wording, _text_tone, _text_slips):
        values |= part.measure(reading)
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}
