"""One GPU, one user at a time: a lock on a file in the data folder, shared by the page's judges and the workers.

Only where CUDA is there; elsewhere nobody waits for anything. Whoever wants the GPU stands at a turnstile first, so
that a page which is asked without a pause cannot keep a job waiting for ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

LOOK_SECONDS = 0.25


def cuda_is_there() -> bool:
    """Whether this machine shows an NVIDIA GPU, found out without loading torch."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


class GpuLock:
    """The lock of one data folder. Those of one process share it; processes exclude each other, and what dies lets go.

    `there` is for tests; None looks for a GPU. `who` is what those who wait are told of its user.
    """

    def __init__(self, folder: Path, there: bool | None = None, who: str = "the studio") -> None:
        self.folder, self.there, self.who = folder, cuda_is_there() if there is None else there, who
        self._changed = threading.Lock()  # guards all below
        self._users = 0
        self._held: BinaryIO | None = None
        self._waiting: list[object] = []  # of this process, first come first
        self._mine = threading.local()

    def hold_for(self, judge: object, watch: Callable[[str], None]) -> AbstractContextManager[None]:
        """The GPU where a judge says, or its loader does, that it needs it."""
        return self.hold(watch) if getattr(judge, "gpu", False) else nullcontext()

    @contextmanager
    def hold(self, watch: Callable[[str], None] = lambda message: None) -> Iterator[None]:
        """The GPU, for as long as the context lasts. `watch` is told that it is waited for; what it raises ends the
        waiting."""
        if not self.there:
            yield
            return
        depth = getattr(self._mine, "depth", 0)
        if depth:
            # whoever has it must not wait behind somebody who waits for him
            with self._changed:
                self._users += 1
        else:
            self._enter(watch)
        self._mine.depth = depth + 1
        try:
            yield
        finally:
            self._mine.depth = depth
            with self._changed:
                self._users -= 1
                if self._users == 0 and self._held is not None:
                    self._held.close()
                    self._held = None

    def used_elsewhere(self) -> bool:
        """Whether another process has the GPU now."""
        with self._changed:
            if not self.there or self._held is not None:
                return False
            free = _locked(self.folder / "gpu.lock")
            if free is not None:
                free.close()
            return free is None

    def _enter(self, watch: Callable[[str], None]) -> None:
        me = object()

        def waited(attempt: Callable[[], BinaryIO | None]) -> BinaryIO:
            while (got := attempt()) is None:
                watch(self._told(me))
                time.sleep(LOOK_SECONDS)
            return got

        with self._changed:
            self._waiting.append(me)
        try:
            # whoever waits for the GPU stays in the turnstile, so that those who come later wait behind
            with waited(lambda: _locked(self.folder / "gpu.next")):
                waited(self._take)
        finally:
            with self._changed:
                self._waiting.remove(me)

    def _told(self, me: object) -> str:
        """What is waited for, and how many of this process wait longer."""
        with self._changed:
            before = self._waiting.index(me)
        path = self.folder / "gpu.lock"
        who = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        others = f": {before} {'person waits' if before == 1 else 'people wait'} before you" if before else ""
        return f"Waiting for the GPU, which {who or 'something else'} uses{others}"

    def _take(self) -> BinaryIO | None:
        with self._changed:
            if self._held is None and (held := _locked(self.folder / "gpu.lock")) is not None:
                held.truncate(0)
                held.write(self.who.encode())
                held.flush()
                self._held = held
            self._users += self._held is not None
            return self._held


def _locked(path: Path) -> BinaryIO | None:
    """The file, locked against other processes; None where another has it. Closing it, or dying, lets go."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "ab")  # noqa: SIM115 - closed by whoever holds the lock
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
