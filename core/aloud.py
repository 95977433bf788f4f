"""Hearing a judge while it writes: what has been written so far, and how often that is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from core.nouns import Noun

TOLD_EVERY = 0.2  # seconds; nobody reads faster than five changes of a text in a second


class Written(Noun):
    """What a judge has written so far of an answer to question `number` of those that it was asked together.

    `text` is all of it and not only what is new: whoever misses one of these misses nothing, and an answer that had to
    be begun again takes the place of the broken one. `swapped`: it is told in the order with B first.
    """

    number: int
    swapped: bool
    text: str


Hear = Callable[[Written], None]
"""Told by a judge of what it writes, from any of its threads. JobCancelled raised here ends the writing."""


class Pace:
    """Says when something is due again that is to happen at most every `seconds`. Safe to ask from several threads."""

    def __init__(self, seconds: float = TOLD_EVERY, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self._clock = seconds, clock
        self._last, self._turn = float("-inf"), threading.Lock()

    def due(self) -> bool:
        """Whether the time has come; where it has, it counts from now again."""
        with self._turn:
            now = self._clock()
            if now - self._last < self.seconds:
                return False
            self._last = now
            return True
