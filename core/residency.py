"""Which models are in memory: loaded on first use in the background, kept within a budget, the least used put away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic

from core.errors import JudgeFailed, NotFound, StudioError
from core.seats import Load, Loader, Model, Seat, Stage, State

log = logging.getLogger(__name__)

WAITING = "Waiting for memory that others use"
HEARTBEAT = 1.0  # seconds; whoever waits is told so often at least, and can leave then


class Residency(Generic[Model]):
    """Models by name, of which at most `budget_bytes` are in memory (None: no bound), those being loaded included.

    `lease` gives a model for use and waits for it where it must; several who ask for one model share one load. Where a
    model lacks room, those that nobody uses leave, least recently used first; where that is not enough, the least
    recently used of the others are lent to nobody new, so that they leave when they are given back. A load that
    failed is told to all who waited for it, and tried again when somebody asks again. Models wait for room in the
    order they were asked for, at most `patience` seconds: whoever asks for a model while using another that would have
    to leave waits for himself. Safe to call from several threads.
    """

    def __init__(
        self, budget_bytes: int | None, loaders: Mapping[str, Loader[Model]], *, patience: float = 300.0
    ) -> None:
        self.budget, self.loaders, self.patience = budget_bytes, loaders, patience
        self._changed = threading.Condition()  # guards all below
        self._seats: dict[str, Seat] = {}
        self._taken = 0  # bytes in memory or promised to a load
        self._uses = 0
        self._wanting: list[Load] = []  # loads that wait for room; the first may make some
        self._leaving: set[str] = set()  # in use, and lent to nobody new
        self._closed = False

    # -- asking ---------------------------------------------------------------------------------------------------

    @property
    def taken(self) -> int:
        """Bytes of the models in memory and of those being loaded or put away."""
        with self._changed:
            return self._taken

    def state(self, name: str) -> State:
        """How it stands with a model; absent where nobody has asked for it."""
        with self._changed:
            return self._seats[name].state if name in self._seats else State()

    def request(self, name: str) -> State:
        """Begin to load a model that is absent or has failed, without waiting for it. Raises NotFound."""
        loader = self._loader(name)
        with self._changed:
            seat = self._seat(name)
            if seat.state.stage in (Stage.ABSENT, Stage.FAILED) and not self._closed:
                self._begin(seat, loader)
            return seat.state

    @contextmanager
    def lease(self, name: str, watch: Callable[[State], None] = lambda state: None) -> Iterator[Model]:
        """The model, loaded, which stays in memory until the lease ends.

        `watch` is told in this thread what is waited for, whenever that changes and once a second; whatever it raises
        ends the waiting. Raises NotFound, or the StudioError of a load that failed (JudgeFailed for any other error).
        """
        seat = self._acquire(name, watch)
        try:
            yield seat.model
        finally:
            self._release(seat)

    def _loader(self, name: str) -> Loader[Model]:
        try:
            return self.loaders[name]
        except KeyError:
            raise NotFound(f"There is no model {name!r}; there are: {', '.join(self.loaders) or 'none'}.") from None

    def _seat(self, name: str) -> Seat:
        return self._seats.setdefault(name, Seat(name, State()))

    def _touch(self, seat: Seat) -> None:
        self._uses += 1
        seat.used = self._uses

    # -- leases ---------------------------------------------------------------------------------------------------

    def _acquire(self, name: str, watch: Callable[[State], None]) -> Seat:
        loader = self._loader(name)
        while True:
            with self._changed:
                self._refuse_closed()
                seat = self._seat(name)
                leaving = name in self._leaving
                if seat.state.stage is Stage.READY and not leaving:
                    seat.leases += 1
                    self._touch(seat)
                    return seat
                load = None if leaving else seat.load or self._begin(seat, loader)
                if load is not None:
                    load.waiters += 1
            if load is not None:
                return self._join(seat, load, watch)
            watch(State(stage=Stage.LOADING, message=WAITING))
            with self._changed:
                self._changed.wait_for(lambda: name not in self._leaving, HEARTBEAT)

    def _join(self, seat: Seat, load: Load, watch: Callable[[State], None]) -> Seat:
        """Wait for a load; when it is done, a lease for each who waits has been counted already."""
        told: State | None = None
        try:
            while True:
                told, done = self._news(seat, load, told)
                if done:
                    break
                watch(told)
        except BaseException:
            with self._changed:
                load.waiters -= 1
                lent = load.done and load.error is None
            if lent:
                self._release(seat)
            raise
        if load.error is not None:
            # each who waited gets an error of its own, since a traceback grows in the thread that raises it
            raise type(load.error)(*load.error.args) from load.error
        return seat

    def _news(self, seat: Seat, load: Load, told: State | None) -> tuple[State, bool]:
        with self._changed:
            self._changed.wait_for(lambda: load.done or seat.state != told, HEARTBEAT)
            return seat.state, load.done

    def _release(self, seat: Seat) -> None:
        with self._changed:
            seat.leases -= 1
            self._touch(seat)
            self._changed.notify_all()
        if self._closed:
            self.close()

    # -- loading, in a thread of its own --------------------------------------------------------------------------

    def _begin(self, seat: Seat, loader: Loader[Model]) -> Load:
        load = seat.load = Load()
        seat.state = State(stage=Stage.LOADING)
        threading.Thread(target=self._load, args=(seat, load, loader), name=f"load {seat.name}", daemon=True).start()
        return load

    def _load(self, seat: Seat, load: Load, loader: Loader[Model]) -> None:
        size = 0

        def report(fraction: float, message: str) -> None:
            state = State(stage=Stage.LOADING, fraction=min(1.0, max(0.0, fraction)), message=message)
            with self._changed:
                if not load.done:
                    seat.state = state
                    self._changed.notify_all()

        try:
            wanted = loader.size()
            self._make_room(seat, load, wanted)
            size = wanted
            report(0.0, "")
            model = loader.load(report)
        except BaseException as error:
            self._failed(seat, load, size, error)
            return
        with self._changed:
            seat.model, seat.bytes, seat.leases = model, size, load.waiters
            self._touch(seat)
            self._finish(seat, load, State(stage=Stage.READY, fraction=1.0))
        if self._closed:
            self.close()

    def _failed(self, seat: Seat, load: Load, size: int, error: BaseException) -> None:
        if isinstance(error, StudioError):
            load.error = error
        else:
            log.error("%s could not be loaded", seat.name, exc_info=error)
            load.error = JudgeFailed(f"{seat.name!r} could not be loaded; the log has the error. Please try again.")
        with self._changed:
            self._taken -= size
            self._finish(seat, load, State(stage=Stage.FAILED, message=str(load.error)))

    def _finish(self, seat: Seat, load: Load, state: State) -> None:
        seat.state, seat.load, load.done = state, None, True
        self._changed.notify_all()

    # -- room -----------------------------------------------------------------------------------------------------

    def _make_room(self, seat: Seat, load: Load, size: int) -> None:
        """Wait until `size` bytes are free and take them. Raises JudgeFailed where that cannot be."""
        if self.budget is not None and size > self.budget:
            raise JudgeFailed(
                f"{seat.name!r} needs {size / 1e9:.3g} GB of memory, more than the {self.budget / 1e9:.3g} GB that "
                "models may take here. Choose a smaller model, or allow more (STUDIO_JUDGE_MEMORY_GB)."
            )
        if size == 0:
            return
        until = time.monotonic() + self.patience
        with self._changed:
            self._wanting.append(load)
        try:
            while not self._room_taken(seat, load, size, until):
                pass
        finally:
            with self._changed:
                if self._wanting[0] is load:
                    self._leaving.clear()
                self._wanting.remove(load)
                self._changed.notify_all()

    def _room_taken(self, seat: Seat, load: Load, size: int, until: float) -> bool:
        """True once the bytes are taken; False when a model was put away for them."""
        with self._changed:
            while True:
                self._refuse_closed()
                victim = None
                if self._wanting[0] is load:
                    if self.budget is None or self._taken + size <= self.budget:
                        self._taken += size
                        return True
                    victim = self._victim(self._taken + size - self.budget)
                if victim is not None:
                    model, freed = self._out(victim)
                    break
                if time.monotonic() >= until:
                    raise JudgeFailed(
                        f"{seat.name!r} found no room in memory within {self.patience:g} s, since other models are in "
                        "use. Please try again, or allow more memory (STUDIO_JUDGE_MEMORY_GB)."
                    )
                if not seat.state.message:
                    seat.state = State(stage=Stage.LOADING, message=WAITING)
                    self._changed.notify_all()
                self._changed.wait(until - time.monotonic())
        self._put_away(victim, model, freed)
        return False

    def _victim(self, lacking: int) -> Seat | None:
        """A model that nobody uses and that has to leave; those in use that have to as well are marked."""
        ready = [seat for seat in self._seats.values() if seat.state.stage is Stage.READY and seat.bytes]
        unused = [seat for seat in ready if not seat.leases]
        enough = sum(seat.bytes for seat in unused) >= lacking
        # those who want a marked one have been kept waiting for it to leave, so it goes before others
        order = sorted(
            unused if enough else ready, key=lambda seat: (seat.name not in self._leaving, seat.leases > 0, seat.used)
        )
        chosen = []
        for seat in order:
            if lacking > 0:
                chosen.append(seat)
                lacking -= seat.bytes
        # one in use has to be waited for; where it is large enough by itself, the others stay
        for seat in [] if enough else list(chosen):
            if lacking + seat.bytes <= 0:
                chosen.remove(seat)
                lacking += seat.bytes
        self._leaving = {seat.name for seat in chosen if seat.leases}
        return next((seat for seat in chosen if not seat.leases), None)

    @staticmethod
    def _out(seat: Seat) -> tuple[Any, int]:
        """Take the model out of its seat; its bytes stay counted until it is put away."""
        out = seat.model, seat.bytes
        seat.model, seat.bytes, seat.state = None, 0, State()
        return out

    def _put_away(self, seat: Seat, model: Any, size: int) -> None:
        try:
            self._loader(seat.name).unload(model)
        except Exception:
            log.exception("%s was not put away as it should be", seat.name)
        with self._changed:
            self._taken -= size
            self._changed.notify_all()

    # -- the end --------------------------------------------------------------------------------------------------

    def _refuse_closed(self) -> None:
        if self._closed:
            raise JudgeFailed("The models are being put away. Please start the studio again.")

    def put_away(self, which: Callable[[str], bool] = lambda name: True) -> None:
        """Put away the models, of those that `which` names, that nobody uses now; asked for, they are loaded again."""
        with self._changed:
            unused = [s for s in self._seats.values() if s.state.stage is Stage.READY and not s.leases]
            out = [(seat, *self._out(seat)) for seat in unused if which(seat.name)]
            self._changed.notify_all()
        for one in out:
            self._put_away(*one)

    def close(self) -> None:
        """Put every model away: at once where nobody uses it, else when it is given back. Nothing is lent any more."""
        with self._changed:
            self._closed = True
        self.put_away()
