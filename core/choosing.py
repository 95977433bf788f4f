"""The best of n responses as a judge chooses: its quality over n, between a choice at random and a perfect one.

Omni-RRM uses its judge so (Best-of-N selection, arXiv 2602.00846). A judge that gives every response a reward chooses
the highest; one that compares holds a knockout: the first of a random order holds, each next one faces the holder, and
who wins goes on holding.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from itertools import groupby

from pydantic import Field

from core.intervals import Figure, mean
from core.nouns import Finite, Noun


class Chosen(Noun):
    """What is expected of the best of n = 1, 2, … of one prompt's responses: the mean quality of the judge's choice,
    of a choice at random, and of the best choice there is."""

    judge: tuple[Finite, ...]
    random: tuple[Finite, ...]
    oracle: tuple[Finite, ...]


class Walk(Noun):
    """One knockout: the places of the responses in the order in which they came, and who held after each."""

    order: tuple[int, ...]
    holders: tuple[int, ...]


class Point(Noun):
    """The means over all prompts that have n responses or more, with bootstrap intervals by prompt."""

    n: int = Field(ge=1)
    judge: Figure
    random: Figure
    oracle: Figure


def expected_quality(rewards: Sequence[float], qualities: Sequence[float]) -> tuple[float, ...]:
    """The expected quality of the response with the highest reward among n of N, for n = 1 … N.

    This is exactly the mean over all C(N, n) subsets, and so the unbiased estimator of the best of n (Nakano et al.
    2021, arXiv 2112.09332, on best-of-n sampling): where a responses have a lower reward and b a reward that is not
    higher, the highest is one of those b − a in C(b, n) − C(a, n) subsets. Of equal rewards each is as likely.
    """
    ranked = sorted(zip(rewards, qualities, strict=True))
    blocks, below = [], 0
    for _, block in groupby(ranked, key=lambda one: one[0]):
        members = [quality for _, quality in block]
        blocks.append((below, below + len(members), _mean(members)))
        below += len(members)
    return tuple(
        math.fsum(
            (math.comb(up_to, n) - math.comb(below, n)) / math.comb(len(ranked), n) * quality
            for below, up_to, quality in blocks
        )
        for n in range(1, len(ranked) + 1)
    )


def chosen_by_rewards(rewards: Sequence[float], qualities: Sequence[float]) -> Chosen:
    """What a judge chooses that gave these rewards, over all subsets."""
    return Chosen(
        judge=expected_quality(rewards, qualities),
        random=(_mean(qualities),) * len(qualities),
        oracle=expected_quality(qualities, qualities),
    )


def chosen_by_knockouts(walks: Sequence[Walk], qualities: Sequence[float]) -> Chosen:
    """What a judge chooses by knockouts over random orders, of which the first n are a random subset of n each.

    All three lines stand on these same subsets, so that they can be compared whatever was drawn; each is unbiased.
    """
    judge, at_random, oracle = [], [], []
    for n in range(1, len(qualities) + 1):
        drawn = [[qualities[place] for place in walk.order[:n]] for walk in walks]
        judge.append(_mean([qualities[walk.holders[n - 1]] for walk in walks]))
        at_random.append(_mean([_mean(subset) for subset in drawn]))
        oracle.append(_mean([max(subset) for subset in drawn]))
    return Chosen(judge=tuple(judge), random=tuple(at_random), oracle=tuple(oracle))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def drawn_order(count: int, *drawn_by: object) -> list[int]:
    """The places 0 … count − 1 in an order that only `drawn_by` decides, the same on every machine."""
    told = "/".join(map(str, drawn_by))
    return sorted(range(count), key=lambda place: hashlib.sha256(f"{told}/{place}".encode()).digest())


def curve(prompts: Sequence[Chosen], seed: int) -> tuple[Point, ...]:
    """The means over the prompts, for n up to the most responses that any of them has. Each n stands on the prompts
    that have so many, for all three lines alike, so compare the lines at one n, and look at `of` from one n to the
    next."""
    points = []
    for n in range(1, max((len(one.judge) for one in prompts), default=0) + 1):
        there = [one for one in prompts if len(one.judge) >= n]
        judge, at_random, oracle = (
            mean([line[n - 1] for line in lines], seed)
            for lines in zip(*((one.judge, one.random, one.oracle) for one in there), strict=True)
        )
        if judge is not None and at_random is not None and oracle is not None:
            points.append(Point(n=n, judge=judge, random=at_random, oracle=oracle))
    return tuple(points)
