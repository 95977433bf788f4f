"""Agreement between two raters, against figures worked by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.agreement import agreement
from core.nouns import Preference

F, T, S = Preference.FIRST, Preference.TIE, Preference.SECOND


def test_nothing_to_compare_is_no_number() -> None:
    nothing = agreement([])
    assert (nothing.observed, nothing.kappa, nothing.pairs) == (None, None, 0)


def test_a_table_worked_by_hand() -> None:
    """20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: observed .70, chance .50, κ = .40 (the textbook example)."""
    pairs = [(F, F)] * 20 + [(F, S)] * 5 + [(S, F)] * 10 + [(S, S)] * 15
    result = agreement(pairs)
    assert (result.agreed, result.pairs) == (35, 50)
    assert result.observed == pytest.approx(0.7)
    assert result.kappa == pytest.approx(0.4)


def test_kappa_is_undefined_where_both_always_say_the_same() -> None:
    assert agreement([(F, F)] * 5).kappa is None


@given(st.lists(st.tuples(st.sampled_from([F, T, S]), st.sampled_from([F, T, S])), min_size=1))
def test_agreement_does_not_know_who_is_who(pairs: list) -> None:
    one, other = agreement(pairs), agreement([(b, a) for a, b in pairs])
    assert one.observed == other.observed
    assert (one.kappa is None) == (other.kappa is None)
    if one.kappa is not None:
        assert one.kappa == pytest.approx(other.kappa)
        assert -1 - 1e-9 <= one.kappa <= 1
