"""The fair line: callers take turns, own items keep their order, and nobody is overtaken."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from core.line import FairLine

brought = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 6)), max_size=12)


def filled(steps: list[tuple[str, int]]) -> FairLine[tuple[str, int]]:
    line, count = FairLine[tuple[str, int]](), Counter[str]()
    for caller, many in steps:
        line.add(caller, [(caller, count[caller] + number) for number in range(many)])
        count[caller] += many
    return line


def test_one_question_waits_for_one_of_each_other_caller() -> None:
    line = FairLine[str]()
    line.add("bench", [f"bench {number}" for number in range(500)])
    line.add("ada", ["ada"])
    line.add("grace", ["grace"])
    assert line.take(4) == ["bench 0", "ada", "grace", "bench 1"]
    assert len(line) == 498


def test_a_newcomer_stands_behind_all_who_wait() -> None:
    line = filled([("a", 3), ("b", 1)])
    assert line.take(1) == [("a", 0)]
    line.add("c", [("c", 0)])
    assert line.take(9) == [("b", 0), ("a", 1), ("c", 0), ("a", 2)]


def test_nothing_is_jumped_over() -> None:
    line = FairLine[int]()
    for caller, number in (("a", 2), ("b", 4), ("c", 5), ("d", 6)):
        line.add(caller, [number])
    assert line.take(9, lambda first, other: first % 2 == other % 2) == [2, 4]
    assert line.take(9) == [5, 6]


@given(brought)
def test_each_goes_in_turn_and_in_its_own_order(steps: list[tuple[str, int]]) -> None:
    order = filled(steps).take(1000)
    totals = Counter(caller for caller, _ in order)
    assert sum(totals.values()) == sum(many for _, many in steps)
    seen = Counter[str]()
    for caller, number in order:
        assert number == seen[caller]
        # whoever still has something is never two turns behind
        assert all(seen[other] >= number for other in totals if totals[other] > number)
        seen[caller] += 1


@given(brought)
def test_ahead_is_what_is_served_before(steps: list[tuple[str, int]]) -> None:
    line, order = filled(steps), filled(steps).clear()
    for place, (caller, number) in enumerate(order):
        assert line.own_before(caller, (caller, number).__eq__) == number
        assert line.ahead(caller, number) == place


@given(brought, st.sampled_from("abcd"))
def test_what_is_dropped_leaves_the_others_their_turns(steps: list[tuple[str, int]], gone: str) -> None:
    line, order = filled(steps), filled(steps).clear()
    dropped = line.drop(gone, lambda item: item[1] >= 1)
    assert all(item[0] == gone and item[1] >= 1 for item in dropped)
    assert Counter([*line.clear(), *dropped]) == Counter(order)
    line = filled(steps)
    line.drop(gone)
    assert line.clear() == [item for item in order if item[0] != gone]
    assert (list(line), len(line)) == ([], 0)
