"""Models in memory: one load for all who ask, never over the budget, never taken from who uses it, told how far."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import JobCancelled, JudgeFailed, MissingExtra, NotFound
from core.residency import Residency
from core.seats import Report, Stage, State
from tests.core.asking import WAIT, until


class Shelf:
    """What all loaders of a test share: what is in memory, who uses it, and the order of events."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.used: Counter[str] = Counter()
        self.bytes = self.most_bytes = 0
        self.wrong: list[str] = []
        self.lock = threading.Lock()


class ToyLoader:
    """Loads its own name. Held while `hold` is set; raises `error` where there is one."""

    def __init__(self, shelf: Shelf, name: str, size: int, hold: bool = False) -> None:
        self.shelf, self.name, self.bytes, self.hold = shelf, name, size, hold
        self.go, self.entered = threading.Event(), threading.Semaphore(0)
        self.error: BaseException | None = None

    def size(self) -> int:
        return self.bytes

    def load(self, report: Report) -> str:
        with self.shelf.lock:
            self.shelf.events.append(f"+{self.name}")
            self.shelf.bytes += self.bytes
            self.shelf.most_bytes = max(self.shelf.most_bytes, self.shelf.bytes)
        self.entered.release()
        report(0.5, "Half of it")
        try:
            if self.hold:
                assert self.go.wait(WAIT)
            if self.error is not None:
                raise self.error
        except BaseException:
            with self.shelf.lock:
                self.shelf.bytes -= self.bytes
            raise
        return self.name

    def unload(self, model: str) -> None:
        with self.shelf.lock:
            self.shelf.events.append(f"-{model}")
            self.shelf.bytes -= self.bytes
            if self.shelf.used[model]:
                self.shelf.wrong.append(f"{model} was put away while in use")

    def begun(self) -> None:
        assert self.entered.acquire(timeout=WAIT), "nothing was loaded"


def toys(sizes: dict[str, int], **more: bool) -> tuple[Shelf, dict[str, ToyLoader]]:
    shelf = Shelf()
    return shelf, {name: ToyLoader(shelf, name, size, **more) for name, size in sizes.items()}


@pytest.fixture
def people() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


def borrow(residency: Residency[str], name: str, hold: threading.Event | None = None) -> str:
    with residency.lease(name) as model:
        if hold is not None:
            assert hold.wait(WAIT)
        return model


def test_a_model_is_loaded_on_first_use_and_kept() -> None:
    shelf, loaders = toys({"a": 3})
    residency = Residency(10, loaders)
    assert residency.state("a") == State()
    for _ in range(3):
        assert borrow(residency, "a") == "a"
    assert shelf.events == ["+a"]
    assert residency.state("a").stage is Stage.READY
    assert residency.taken == 3


def test_several_askers_share_one_load_and_are_told_how_far_it_is(people: ThreadPoolExecutor) -> None:
    shelf, loaders = toys({"a": 3}, hold=True)
    residency = Residency(10, loaders)
    told: list[State] = []
    half = threading.Event()

    def watch(state: State) -> None:
        told.append(state)
        if state.fraction == 0.5:
            half.set()

    def watching() -> str:
        with residency.lease("a", watch) as model:
            return model

    answers = [people.submit(borrow, residency, "a") for _ in range(8)] + [people.submit(watching)]
    assert half.wait(WAIT)
    assert residency.state("a") == State(stage=Stage.LOADING, fraction=0.5, message="Half of it")
    loaders["a"].go.set()
    assert [answer.result(WAIT) for answer in answers] == ["a"] * 9
    assert shelf.events == ["+a"]
    assert {state.stage for state in told} == {Stage.LOADING}
    assert [state.fraction for state in told] == sorted(state.fraction for state in told)


def test_asking_ahead_loads_in_the_background() -> None:
    shelf, loaders = toys({"a": 3}, hold=True)
    residency = Residency(10, loaders)
    assert residency.request("a").stage is Stage.LOADING
    assert residency.request("a").stage is Stage.LOADING
    loaders["a"].go.set()
    until(lambda: residency.state("a").stage is Stage.READY)
    assert residency.request("a").stage is Stage.READY
    assert shelf.events == ["+a"]


def test_the_least_recently_used_leaves() -> None:
    shelf, loaders = toys({"a": 4, "b": 4, "c": 4})
    residency = Residency(8, loaders)
    for name in "abac":
        borrow(residency, name)
    assert shelf.events == ["+a", "+b", "-b", "+c"]
    assert residency.state("b") == State()
    assert residency.taken == 8


def test_one_in_use_is_never_put_away_even_where_it_is_the_least_recent(people: ThreadPoolExecutor) -> None:
    shelf, loaders = toys({"a": 4, "b": 4, "c": 4})
    residency = Residency(8, loaders)
    with residency.lease("a"):
        borrow(residency, "b")
        borrow(residency, "c")
        assert shelf.events == ["+a", "+b", "-b", "+c"]


def test_who_lacks_room_waits_until_it_is_given_back(people: ThreadPoolExecutor) -> None:
    shelf, loaders = toys({"a": 4, "b": 6, "c": 2})
    residency = Residency(8, loaders)
    hold = threading.Event()
    with residency.lease("a"), residency.lease("c"):
        b = people.submit(borrow, residency, "b", hold)
        until(lambda: residency._leaving == {"a"})
        # the least recently used that would make room is lent to nobody new, the other is
        again = people.submit(borrow, residency, "a")
        assert borrow(residency, "c") == "c"
        assert not b.done()
        assert not again.done()
    until(lambda: "+b" in shelf.events)
    assert shelf.events == ["+a", "+c", "-a", "+b"]
    hold.set()
    assert b.result(WAIT) == "b"
    assert again.result(WAIT) == "a"
    assert shelf.most_bytes <= 8


def test_who_finds_no_room_in_time_is_told_so() -> None:
    _, loaders = toys({"a": 4, "b": 6})
    residency = Residency(8, loaders, patience=0.01)
    with residency.lease("a"):
        # asked while holding what would have to leave, this would wait for itself
        with pytest.raises(JudgeFailed, match=r"'b' found no room in memory within 0\.01 s"):
            borrow(residency, "b")
        assert borrow(residency, "a") == "a"
    assert borrow(residency, "b") == "b"


def test_one_larger_than_the_budget_is_refused_with_a_sentence() -> None:
    shelf, loaders = toys({"small": 10**9, "huge": 14_200_000_000})
    residency = Residency(8 * 10**9, loaders)
    borrow(residency, "small")
    with pytest.raises(JudgeFailed, match=r"'huge' needs 14\.2 GB of memory, more than the 8 GB"):
        borrow(residency, "huge")
    assert residency.state("huge").stage is Stage.FAILED
    assert "14.2 GB" in residency.state("huge").message
    # nothing was put away in vain
    assert shelf.events == ["+small"]


def test_without_a_budget_everything_stays() -> None:
    shelf, loaders = toys({"a": 10**15, "b": 10**15})
    residency = Residency(None, loaders)
    borrow(residency, "a")
    borrow(residency, "b")
    assert shelf.events == ["+a", "+b"]


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (MissingExtra("Install torch."), MissingExtra, "Install torch."),
        (ZeroDivisionError("secret detail"), JudgeFailed, "'a' could not be loaded; the log has the error."),
        (SystemExit(1), JudgeFailed, "'a' could not be loaded; the log has the error."),
    ],
)
def test_a_load_that_fails_is_told_to_all_who_wait_and_can_be_tried_again(
    people: ThreadPoolExecutor, error: BaseException, raised: type[Exception], message: str
) -> None:
    shelf, loaders = toys({"a": 3}, hold=True)
    loaders["a"].error = error
    residency = Residency(10, loaders)
    answers = [people.submit(borrow, residency, "a") for _ in range(4)]
    until(lambda: residency._seats.get("a") is not None and getattr(residency._seats["a"].load, "waiters", 0) == 4)
    loaders["a"].go.set()
    errors = [answer.exception(WAIT) for answer in answers]
    assert {type(one) for one in errors} == {raised}
    assert all(str(one).startswith(message) for one in errors)
    assert len({id(one) for one in errors}) == 4
    state = residency.state("a")
    assert (state.stage, state.message) == (Stage.FAILED, str(errors[0]))
    assert residency.taken == 0
    loaders["a"].error = None
    assert borrow(residency, "a") == "a"
    assert shelf.events == ["+a", "+a"]


def test_a_size_that_cannot_be_told_is_a_failed_load() -> None:
    class Unsized(ToyLoader):
        def size(self) -> int:
            raise FileNotFoundError("weights")

    residency = Residency(10, {"a": Unsized(Shelf(), "a", 1)})
    with pytest.raises(JudgeFailed, match="could not be loaded"):
        borrow(residency, "a")
    assert residency.state("a").stage is Stage.FAILED


def test_an_unknown_model_is_not_found() -> None:
    _, loaders = toys({"a": 1})
    residency = Residency(None, loaders)
    with pytest.raises(NotFound, match="no model 'b'; there are: a"):
        borrow(residency, "b")
    with pytest.raises(NotFound):
        residency.request("b")


def test_who_leaves_while_it_loads_costs_the_others_nothing(people: ThreadPoolExecutor) -> None:
    shelf, loaders = toys({"a": 6, "b": 6}, hold=True)
    loaders["b"].hold = False
    residency = Residency(10, loaders)
    gone = threading.Event()

    def watch(state: State) -> None:
        if gone.is_set():
            raise JobCancelled("gone")

    def leaver() -> str:
        with residency.lease("a", watch) as model:
            return model

    leaving: Future[str] = people.submit(leaver)
    staying = people.submit(borrow, residency, "a")
    until(lambda: residency._seats.get("a") is not None and getattr(residency._seats["a"].load, "waiters", 0) == 2)
    gone.set()
    with pytest.raises(JobCancelled):
        leaving.result(WAIT)
    loaders["a"].go.set()
    assert staying.result(WAIT) == "a"
    # nothing is left lent, so it can leave
    assert borrow(residency, "b") == "b"
    assert shelf.events == ["+a", "-a", "+b"]


def test_what_cannot_be_put_away_properly_is_out_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    _, loaders = toys({"a": 6, "b": 6})

    def stuck(model: str) -> None:
        raise RuntimeError("stuck")

    loaders["a"].unload = stuck  # type: ignore[method-assign]
    residency = Residency(10, loaders)
    borrow(residency, "a")
    assert borrow(residency, "b") == "b"
    assert "a was not put away" in caplog.text
    assert residency.taken == 6


def test_what_nobody_uses_may_be_put_away_and_comes_back_when_asked_for() -> None:
    shelf, loaders = toys({"a": 1, "b": 1, "kept": 1})
    residency = Residency(None, loaders)
    for name in ("a", "kept"):
        borrow(residency, name)
    with residency.lease("b"):
        residency.put_away(lambda name: name != "kept")
        assert shelf.events[-1] == "-a"
        assert [residency.state(name).stage for name in ("a", "b", "kept")] == [Stage.ABSENT, Stage.READY, Stage.READY]
    assert residency.taken == 2
    assert borrow(residency, "a") == "a"
    residency.put_away()
    assert (residency.taken, shelf.bytes) == (0, 0)


def test_closing_puts_everything_away_and_lends_nothing_more(people: ThreadPoolExecutor) -> None:
    shelf, loaders = toys({"a": 1, "b": 1, "slow": 1})
    loaders["slow"].hold = True
    residency = Residency(None, loaders)
    borrow(residency, "a")
    slow = people.submit(borrow, residency, "slow")
    loaders["slow"].begun()
    with residency.lease("b"):
        residency.close()
        assert shelf.events == ["+a", "+slow", "+b", "-a"]
    assert shelf.events[-1] == "-b"
    loaders["slow"].go.set()
    assert slow.result(WAIT) == "slow"
    until(lambda: residency.taken == 0)
    with pytest.raises(JudgeFailed, match="put away"):
        borrow(residency, "a")
    assert shelf.bytes == 0


SIZES = {"a": 1, "b": 2, "c": 3, "d": 5, "free": 0}


@settings(deadline=None)
@given(st.lists(st.sampled_from(sorted(SIZES)), max_size=30), st.integers(5, 9))
def test_one_at_a_time_it_does_what_least_recently_used_means(uses: list[str], budget: int) -> None:
    """Against a plain model of the rule: who is loaded, who leaves, in which order."""
    shelf, loaders = toys(SIZES)
    residency = Residency(budget, loaders)
    expected: list[str] = []
    inside: OrderedDict[str, int] = OrderedDict()
    for name in uses:
        if name not in inside:
            while sum(inside.values()) + SIZES[name] > budget:
                oldest = next(other for other in inside if SIZES[other])
                del inside[oldest]
                expected.append(f"-{oldest}")
            expected.append(f"+{name}")
            inside[name] = SIZES[name]
        inside.move_to_end(name)
        assert borrow(residency, name) == name
    assert shelf.events == expected
    assert residency.taken == sum(inside.values())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(sorted(SIZES)), min_size=1, max_size=8), min_size=2, max_size=6),
    st.integers(5, 8),
    st.sampled_from([None, "b", "c"]),
)
def test_under_random_use_by_many_it_keeps_its_promises(
    plans: list[list[str]], budget: int, breaks: str | None
) -> None:
    """Never over the budget, never unloaded in use, one load a need; what fails half the time is tried again."""
    shelf, loaders = toys(SIZES)
    residency = Residency(budget, loaders, patience=WAIT)
    failures = Counter[str]()
    if breaks is not None:
        whole, loaded = loaders[breaks].load, iter(range(10**6))

        def load(report: Report) -> str:
            loaders[breaks].error = JudgeFailed("Every other time.") if next(loaded) % 2 else None
            return whole(report)

        loaders[breaks].load = load  # type: ignore[method-assign]

    def use(plan: list[str]) -> None:
        for name in plan:
            with ExitStack() as stack:
                try:
                    model = stack.enter_context(residency.lease(name))
                except JudgeFailed:
                    failures[name] += 1
                    continue
                assert model == name
                with shelf.lock:
                    shelf.used[name] += 1
                    if shelf.events.count(f"+{name}") - shelf.events.count(f"-{name}") < 1:
                        shelf.wrong.append(f"{name} was lent but is not loaded")
                assert residency.taken <= budget
                with shelf.lock:
                    shelf.used[name] -= 1

    with ThreadPoolExecutor(len(plans)) as people:
        for done in [people.submit(use, plan) for plan in plans]:
            done.result(WAIT * 2)
    assert shelf.wrong == []
    assert shelf.most_bytes <= budget
    assert set(failures) <= {breaks}
    asked = Counter(name for plan in plans for name in plan)
    for name in SIZES:
        loads, unloads = shelf.events.count(f"+{name}"), shelf.events.count(f"-{name}")
        assert loads <= asked[name]
        if name != breaks:
            # a need is to have it where it is not: so every further load follows an unload
            assert loads - unloads == (residency.state(name).stage is Stage.READY)
    residency.close()
    assert (residency.taken, shelf.bytes) == (0, 0)
