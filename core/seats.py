"""Where one model stands: absent, being loaded, ready or failed, and how it comes into memory and leaves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from core.errors import StudioError
from core.nouns import Noun, Probability

Model = TypeVar("Model")
Report = Callable[[float, str], None]
"""Told how far a load is, from 0 to 1, and what it does."""


class Stage(StrEnum):
    ABSENT = "absent"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class State(Noun):
    """Of one model. `fraction` and `message` tell how far a load is; of a failure the message is the reason."""

    stage: Stage = Stage.ABSENT
    fraction: Probability = 0.0
    message: str = ""


class Loader(Protocol[Model]):
    """How one model comes into memory and leaves it."""

    def size(self) -> int:
        """Bytes that it takes in memory, known before it is loaded; 0 where it takes none worth counting."""

    def load(self, report: Report) -> Model:
        """Load it. A StudioError that is raised is told to people as it is."""

    def unload(self, model: Model) -> None:
        """Give its memory back; nobody uses it any more."""


class Load:
    """One attempt at loading, which all who ask meanwhile wait for together."""

    def __init__(self) -> None:
        self.waiters = 0
        self.done = False
        self.error: StudioError | None = None


@dataclass(eq=False)
class Seat:
    """What is known of one model."""

    name: str
    state: State
    model: Any = None
    bytes: int = 0
    leases: int = 0
    used: int = 0  # the larger, the later it was last used
    load: Load | None = None
