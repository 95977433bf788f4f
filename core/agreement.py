"""Agreement between annotators and judges over paired preferences."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from core.nouns import Noun, Preference


class Agreement(Noun):
    """Observed agreement in [0, 1], Cohen's kappa in [-1, 1] (None where undefined), and the pairs behind them."""

    observed: float | None
    kappa: float | None
    agreed: int = Field(ge=0)
    pairs: int = Field(ge=0)


def agreement(preferences: Sequence[tuple[Preference, Preference]]) -> Agreement:
    """Share of equal preferences and Cohen's kappa (Cohen 1960) over pairs that both raters decided.

    Kappa is undefined where chance agreement is 1 (both raters gave one and the same answer throughout).
    """
    pairs = len(preferences)
    if pairs == 0:
        return Agreement(observed=None, kappa=None, agreed=0, pairs=0)
    agreed = sum(a is b for a, b in preferences)
    observed = agreed / pairs
    chance = sum(
        sum(a is value for a, _ in preferences) * sum(b is value for _, b in preferences) for value in Preference
    ) / (pairs * pairs)
    kappa = None if chance >= 1.0 else (observed - chance) / (1.0 - chance)
    return Agreement(observed=observed, kappa=kappa, agreed=agreed, pairs=pairs)
