"""The best of n: exact over subsets, between chance and the oracle, with a judge that knows and one that guesses."""

from __future__ import annotations

from itertools import combinations, permutations
from math import fsum, isclose

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.choosing import Walk, chosen_by_knockouts, chosen_by_rewards, curve, drawn_order, expected_quality
from core.intervals import mean

LEVELS = st.sampled_from([-1.0, 0.0, 0.5, 2.0])
SCORED = st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=7)


@given(SCORED)
@settings(deadline=None)
def test_the_estimator_is_the_mean_over_all_subsets(scored: list[tuple[float, float]]) -> None:
    rewards, qualities = zip(*scored, strict=True)
    found = expected_quality(rewards, qualities)
    assert len(found) == len(scored)
    for n, value in enumerate(found, 1):
        picks = []
        for subset in combinations(range(len(scored)), n):
            best = max(rewards[place] for place in subset)
            level = [qualities[place] for place in subset if rewards[place] == best]
            picks.append(fsum(level) / len(level))
        assert isclose(value, fsum(picks) / len(picks), abs_tol=1e-12)


@given(st.lists(LEVELS, min_size=1, max_size=9))
@settings(deadline=None)
def test_a_judge_that_knows_is_the_oracle_and_one_that_cannot_tell_is_chance(qualities: list[float]) -> None:
    knows = chosen_by_rewards([3 * quality + 1 for quality in qualities], qualities)
    assert knows.judge == knows.oracle
    assert list(knows.oracle) == sorted(knows.oracle), "more to choose from is never worse for who knows"
    assert isclose(knows.oracle[-1], max(qualities))
    guesses = chosen_by_rewards([0.0] * len(qualities), qualities)
    assert np.allclose(guesses.judge, guesses.random)
    contrary = chosen_by_rewards([-quality for quality in qualities], qualities)
    assert isclose(contrary.judge[-1], min(qualities))


def knocked_out(order: tuple[int, ...], qualities: list[float]) -> Walk:
    """The knockout of a judge that knows; a tie keeps the holder."""
    holders = [order[0]]
    for place in order[1:]:
        holders.append(place if qualities[place] > qualities[holders[-1]] else holders[-1])
    return Walk(order=order, holders=tuple(holders))


@given(st.lists(LEVELS, min_size=2, max_size=5), st.integers(1, 4))
@settings(deadline=None)
def test_knockouts_of_a_judge_that_knows_are_the_oracle_whatever_is_drawn(qualities: list[float], draws: int) -> None:
    orders = [tuple(drawn_order(len(qualities), draws, "p", draw)) for draw in range(draws)]
    found = chosen_by_knockouts([knocked_out(order, qualities) for order in orders], qualities)
    assert found.judge == found.oracle
    assert found.judge[0] == found.random[0]
    assert all(guess <= best for guess, best in zip(found.random, found.oracle, strict=True))


@given(st.lists(LEVELS, min_size=2, max_size=5))
@settings(deadline=None, max_examples=40)
def test_over_all_orders_knockouts_say_what_rewards_say(qualities: list[float]) -> None:
    orders = permutations(range(len(qualities)))
    found = chosen_by_knockouts([knocked_out(order, qualities) for order in orders], qualities)
    exact = chosen_by_rewards(qualities, qualities)
    for one, other in ((found.judge, exact.judge), (found.random, exact.random), (found.oracle, exact.oracle)):
        assert np.allclose(one, other)


def test_a_judge_at_random_stays_within_the_interval_around_chance() -> None:
    rng = np.random.default_rng(3)
    prompts = []
    for _ in range(300):
        qualities = list(rng.normal(size=6))
        prompts.append(chosen_by_rewards(list(rng.normal(size=6)), qualities))
    points = curve(prompts, seed=0)
    assert [point.n for point in points] == [1, 2, 3, 4, 5, 6]
    for point in points:
        assert point.judge.low is not None
        assert point.judge.high is not None
        assert point.judge.low <= point.random.value <= point.judge.high
        assert point.oracle.value >= point.judge.value
    assert points[0].judge.value == pytest.approx(points[0].oracle.value)
    assert points[5].oracle.low is not None
    assert points[5].judge.high < points[5].oracle.low


def test_each_n_stands_on_the_prompts_that_have_so_many() -> None:
    few, many = chosen_by_rewards([1, 2], [0.0, 1.0]), chosen_by_rewards([1, 2, 3], [0.0, 0.0, 0.0])
    points = curve([few, many], seed=1)
    assert [(point.judge.of, point.judge.value, point.oracle.value) for point in points] == [
        (2, 0.25, 0.25),
        (2, 0.5, 0.5),
        (1, 0.0, 0.0),
    ]
    assert curve([], seed=1) == ()


def test_drawn_orders_are_orders_and_differ_by_what_draws_them() -> None:
    orders = {tuple(drawn_order(5, seed, "p", 0)) for seed in range(40)}
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert len(orders) > 20
    assert drawn_order(5, 1, "p", 0) == drawn_order(5, 1, "p", 0)


def test_a_mean_of_any_numbers_has_an_interval_around_it() -> None:
    assert mean([], seed=0) is None
    found = mean([-5.0, 3.0, 3.0, 7.0], seed=0)
    assert found is not None
    assert (found.value, found.of) == (2.0, 4)
    assert found.low is not None
    assert found.high is not None
    assert -5.0 <= found.low < 2.0 < found.high <= 7.0
