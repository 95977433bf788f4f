"""What the rows of Omni-RRM's own benches have in common (arXiv 2602.00846; github.com/tmfk418/Omni-RRM)."""

from __future__ import annotations

from core.errors import BadInput
from core.formats._rows import Object
from core.nouns import Preference

LEFT_OUT = "/path/to/resource"  # stands in the released rows where the authors took out a path
_LABELS = {0: Preference.FIRST, 1: Preference.SECOND}


def label_of(row: Object) -> Preference:
    """0 where answer_a is the better one, 1 where answer_b is."""
    label = row.get("label")
    if type(label) is not int or label not in _LABELS:
        raise BadInput(f"The label {str(label)[:40]!r} is neither 0 (answer_a is better) nor 1 (answer_b).")
    return _LABELS[label]
